//! Permissions: a verb, alone or for one resource.

use std::fmt;

/// What one may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// See.
    Read,
    /// Create and change.
    Write,
    /// Remove.
    Delete,
    /// Operate: reload, reset, restart.
    Manage,
    /// Call tools.
    Execute,
    /// Decide approvals.
    Approve,
}

impl Verb {
    const ALL: [Self; 6] = [
        Self::Read,
        Self::Write,
        Self::Delete,
        Self::Manage,
        Self::Execute,
        Self::Approve,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Manage => "manage",
            Self::Execute => "execute",
            Self::Approve => "approve",
        }
    }
}

/// One permission, such as `read`, `servers:write`, `approvals:approve` or `workflows:*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Permission {
    /// `None` means every resource (never `approvals`, `secrets`, `stdio` or `system`, which must be named).
    resource: Option<String>,
    /// `None` means every verb (`*`).
    verb: Option<Verb>,
}

/// Resources that a bare verb does not reach.
const NAMED_ONLY: [&str; 4] = ["approvals", "secrets", "stdio", "system"];

/// A permission that is no `verb`, `resource:verb` or `resource:*`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a permission; expected a verb, resource:verb or resource:*")]
pub struct InvalidPermission(pub String);

impl Permission {
    /// Reads one permission.
    ///
    /// # Errors
    /// [`InvalidPermission`] when the text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidPermission> {
        let invalid = || InvalidPermission(text.to_owned());
        let (resource, verb) = match text.split_once(':') {
            Some((resource, verb)) => (Some(resource), verb),
            None => (None, text),
        };
        let named = resource.is_none_or(|name| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        });
        let verb = match verb {
            "*" if resource.is_some() => None,
            word => Some(
                Verb::ALL
                    .into_iter()
                    .find(|verb| verb.as_str() == word)
                    .ok_or_else(invalid)?,
            ),
        };
        if !named || (resource.is_none() && verb == Some(Verb::Approve)) {
            return Err(invalid());
        }
        Ok(Self {
            resource: resource.map(str::to_owned),
            verb,
        })
    }

    fn covers(&self, resource: &str, verb: Verb) -> bool {
        let verb_fits = self.verb.is_none_or(|own| own == verb);
        let resource_fits = match &self.resource {
            Some(own) => own == resource,
            None => !NAMED_ONLY.contains(&resource),
        };
        verb_fits && resource_fits
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.verb.map_or("*", Verb::as_str);
        match &self.resource {
            Some(resource) => write!(f, "{resource}:{verb}"),
            None => f.write_str(verb),
        }
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions(Vec<Permission>);

impl Permissions {
    /// Reads a list of permissions.
    ///
    /// # Errors
    /// The first [`InvalidPermission`].
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidPermission> {
        texts
            .into_iter()
            .map(Permission::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether `verb` on `resource` is allowed.
    #[must_use]
    pub fn allow(&self, resource: &str, verb: Verb) -> bool {
        self.0
            .iter()
            .any(|permission| permission.covers(resource, verb))
    }

    /// The permissions as text, in the order they were given.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_verb_reaches_ordinary_resources_only() {
        let set = Permissions::parse(["read", "servers:write", "workflows:*"]).unwrap();
        assert!(set.allow("servers", Verb::Read) && set.allow("servers", Verb::Write));
        assert!(set.allow("workflows", Verb::Delete));
        assert!(!set.allow("servers", Verb::Delete));
        assert!(!set.allow("approvals", Verb::Read));
        let named = Permissions::parse(["approvals:approve"]).unwrap();
        assert!(named.allow("approvals", Verb::Approve));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "*", "reed", "a:b:c", ":read", "A:read", "approve"] {
            assert!(Permission::parse(bad).is_err(), "{bad}");
        }
    }
}
