//! What a lost answer of a call means, where its author does not say.

use super::super::command::{Invocation, Target};
use super::Machine;
use crate::dsl::model::Effect;
use serde_json::Value;

impl Machine<'_> {
    /// What a lost answer of this call means. Of services that are not the hub's, only what the protocol
    /// promises is believed.
    pub(super) fn effect(&self, call: &Invocation) -> Effect {
        let method = || call.with.get("method").and_then(Value::as_str);
        let id = match &call.target {
            Target::Tool { id, .. } => id,
            Target::Http if method().is_some_and(reads) => return Effect::Read,
            Target::Mcp if method() != Some("tools/call") => return Effect::Read,
            _ => return Effect::Once,
        };
        let known = self.state.settings.effects.get(id).copied();
        known
            .or_else(|| self.definition.tools.get(id).map(|pin| pin.effect))
            .unwrap_or(Effect::Once)
    }
}

/// Whether a request of this method changes nothing (RFC 9110, 9.2.1).
fn reads(method: &str) -> bool {
    let safe = ["GET", "HEAD", "OPTIONS"];
    safe.iter().any(|it| it.eq_ignore_ascii_case(method))
}
