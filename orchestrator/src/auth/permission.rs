//! Permissions: a verb, alone or for one resource.

use super::Role;
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

    /// Whether everything `other` allows is allowed by this one too.
    fn contains(&self, other: &Self) -> bool {
        let verb_fits = self.verb.is_none() || self.verb == other.verb;
        let resource_fits = match (&self.resource, &other.resource) {
            (None, None) => true,
            (None, Some(other)) => !NAMED_ONLY.contains(&other.as_str()),
            (Some(own), other) => other.as_ref() == Some(own),
        };
        verb_fits && resource_fits
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

    /// Everything a role has in its organisation.
    #[must_use]
    pub fn of_role(role: Role) -> Self {
        let bare = |verb| Permission {
            resource: None,
            verb: Some(verb),
        };
        let named = |resource: &str, verb| Permission {
            resource: Some(resource.to_owned()),
            verb,
        };
        match role {
            Role::Admin => {
                let ordinary = Verb::ALL.into_iter().filter(|verb| *verb != Verb::Approve);
                let all = NAMED_ONLY.iter().map(|resource| named(resource, None));
                Self(ordinary.map(bare).chain(all).collect())
            }
            Role::User => Self(vec![
                bare(Verb::Read),
                bare(Verb::Execute),
                named("workflows", None),
                named("servers", Some(Verb::Write)),
                named("servers", Some(Verb::Delete)),
            ]),
            Role::Viewer => Self(vec![bare(Verb::Read)]),
            Role::ApiUser => Self(vec![bare(Verb::Read), bare(Verb::Execute)]),
        }
    }

    /// The first of `others` that reaches further than these do; `None` when there is none.
    #[must_use]
    pub fn lacking<'a>(&self, others: &'a Self) -> Option<&'a Permission> {
        let contained = |other: &Permission| self.0.iter().any(|own| own.contains(other));
        others.0.iter().find(|other| !contained(other))
    }

    /// Those of these permissions that reach no further than `holder`'s.
    #[must_use]
    pub fn within(&self, holder: &Self) -> Self {
        let held = |own: &&Permission| holder.0.iter().any(|other| other.contains(own));
        Self(self.0.iter().filter(held).cloned().collect())
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
    fn a_set_contains_what_reaches_no_further() {
        let check = |own: &[&str], other: &str, expected: bool| {
            let own = Permissions::parse(own.iter().copied()).unwrap();
            let other = Permissions::parse([other]).unwrap();
            assert_eq!(own.lacking(&other).is_none(), expected, "{own:?} {other:?}");
        };
        check(&["read"], "read", true);
        check(&["read"], "servers:read", true);
        check(&["read"], "secrets:read", false);
        check(&["servers:read"], "read", false);
        check(&["servers:*"], "servers:write", true);
        check(&["servers:write"], "servers:*", false);
        check(&["read"], "write", false);
        let admin = Permissions::of_role(Role::Admin);
        let all = ["write", "approvals:approve", "secrets:*", "system:manage"];
        assert_eq!(admin.lacking(&Permissions::parse(all).unwrap()), None);
        for role in [Role::User, Role::Viewer, Role::ApiUser] {
            assert_eq!(
                admin
                    .lacking(&Permissions::of_role(role))
                    .map(ToString::to_string),
                (role == Role::User).then(|| "workflows:*".to_owned())
            );
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "*", "reed", "a:b:c", ":read", "A:read", "approve"] {
            assert!(Permission::parse(bad).is_err(), "{bad}");
        }
    }
}
