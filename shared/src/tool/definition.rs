//! What a tool says of itself.

use crate::id::ToolId;
use serde_json::Value;

/// What a call changes. The order is the order of danger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Nothing.
    Read,
    /// Only the service's own store or working folder: no approval unless a policy asks.
    MutateOwn,
    /// Something outside: needs approval.
    Mutate,
    /// Something that hurts when it goes wrong: approval and readiness, never waived.
    Critical,
}

impl Effect {
    /// The word used in policies, audit rows and `_meta`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::MutateOwn => "mutate_own",
            Self::Mutate => "mutate",
            Self::Critical => "critical",
        }
    }

    /// Reads the word; `None` for another one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Read, Self::MutateOwn, Self::Mutate, Self::Critical]
            .into_iter()
            .find(|effect| effect.as_str() == text)
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the author of a tool writes; the schemas come from the types.
///
/// ```
/// use shared::tool::{Effect, Spec};
/// let spec = Spec::new("cmdb.local.deleteServer", Effect::Mutate, "Delete a server from the local CMDB.")
///     .idempotent()
///     .destructive();
/// assert!(spec.idempotent && spec.destructive && !spec.long_running);
/// ```
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of the catalogue, not states"
)]
pub struct Spec {
    /// Canonical id.
    pub id: &'static str,
    /// What the tool does, when to use it, what it needs: written for a model.
    pub description: &'static str,
    /// For a tool with `effect_per_call`: the worst effect it can have.
    pub effect: Effect,
    /// The effect depends on the arguments; [`super::Tool::assess`] says which it is.
    pub effect_per_call: bool,
    /// Twice leaves the same state as once.
    pub idempotent: bool,
    /// Belongs to the long-running class (300 s instead of 30 s).
    pub long_running: bool,
    /// Removes or stops something.
    pub destructive: bool,
    /// Reaches systems outside the spoke's host.
    pub open_world: bool,
    /// Results hold secrets or personal data.
    pub sensitive: bool,
    /// The answer changes by itself (a queue, a log, a state): never cached.
    pub live: bool,
    /// Other ids that mean this tool.
    pub aliases: &'static [&'static str],
}

impl Spec {
    /// A tool that is neither long-running nor destructive; a read is idempotent.
    #[must_use]
    pub const fn new(id: &'static str, effect: Effect, description: &'static str) -> Self {
        Self {
            id,
            description,
            effect,
            effect_per_call: false,
            idempotent: matches!(effect, Effect::Read),
            long_running: false,
            destructive: matches!(effect, Effect::Critical),
            open_world: false,
            sensitive: false,
            live: false,
            aliases: &[],
        }
    }

    /// The arguments decide between a read and `effect`.
    #[must_use]
    pub const fn per_call(mut self) -> Self {
        self.effect_per_call = true;
        self
    }

    /// Twice leaves the same state as once.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Long-running class.
    #[must_use]
    pub const fn long_running(mut self) -> Self {
        self.long_running = true;
        self
    }

    /// Removes or stops something.
    #[must_use]
    pub const fn destructive(mut self) -> Self {
        self.destructive = true;
        self
    }

    /// Reaches systems outside the spoke's host.
    #[must_use]
    pub const fn open_world(mut self) -> Self {
        self.open_world = true;
        self
    }

    /// Results hold secrets or personal data.
    #[must_use]
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The answer changes by itself (a queue, a log, a state): never cached.
    #[must_use]
    pub const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// Other ids that mean this tool.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

/// A complete definition, as it is described to the hub and to MCP clients.
#[derive(Debug, Clone)]
pub struct ToolDefinition {
    /// Canonical id.
    pub id: ToolId,
    /// What the author wrote.
    pub spec: Spec,
    /// JSON Schema 2020-12 of the arguments: an object, `additionalProperties: false`.
    pub input_schema: Value,
    /// JSON Schema 2020-12 of the structured result.
    pub output_schema: Value,
}

impl ToolDefinition {
    /// A title for people: the last part of the id in words, such as `Get server info`.
    #[must_use]
    pub fn title(&self) -> String {
        let last = self.id.as_str().rsplit('.').next().unwrap_or_default();
        let mut words = String::with_capacity(last.len() + 8);
        let mut previous = ' ';
        let mut rest = last.chars().peekable();
        while let Some(c) = rest.next() {
            let starts_word = c.is_ascii_uppercase() && !previous.is_ascii_uppercase();
            let acronym = rest.peek().is_some_and(char::is_ascii_uppercase);
            match c {
                '_' => words.push(' '),
                _ if words.is_empty() => words.push(c.to_ascii_uppercase()),
                _ if starts_word && acronym => words.extend([' ', c]),
                _ if starts_word => words.extend([' ', c.to_ascii_lowercase()]),
                _ => words.push(c),
            }
            previous = c;
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_words() {
        let title = |id: &str| {
            ToolDefinition {
                id: ToolId::parse(id).unwrap(),
                spec: Spec::new("a.b", Effect::Read, ""),
                input_schema: Value::Null,
                output_schema: Value::Null,
            }
            .title()
        };
        assert_eq!(title("cmdb.local.getServerInfo"), "Get server info");
        assert_eq!(title("os.linux.ceph.getOSDTree"), "Get OSDTree");
        assert_eq!(title("master.hello_world"), "Hello world");
    }

    #[test]
    fn effects_are_ordered_by_danger() {
        assert!(Effect::Read < Effect::MutateOwn);
        assert!(Effect::MutateOwn < Effect::Mutate);
        assert!(Effect::Mutate < Effect::Critical);
        assert_eq!(Effect::parse("mutate"), Some(Effect::Mutate));
        assert_eq!(Effect::parse("MUTATE"), None);
    }
}
