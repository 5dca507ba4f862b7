//! Credentials become a [`Principal`], or nothing.
//!
//! What a principal may do is `policy`'s matter; that keys were made and revoked is recorded by
//! whoever asks for it, since the trail stands above this module.

mod authenticate;
mod bootstrap;
mod key_text;
mod keys;
mod last_used;
mod namespace;
mod people;
mod permission;
mod presented;
mod recall;
mod revocation;

pub use authenticate::{Auth, AuthConfig, AuthError};
pub use bootstrap::{BootstrapError, Bootstrapped};
pub use key_text::NoRandomness;
pub use keys::{IssuedKey, KeyError, KeyKind, KeyRecord, NewKey};
pub use people::person_of;
pub use permission::{InvalidPermission, Permission, Permissions, Verb};
pub use presented::Presented;

use std::sync::Arc;

/// Whoever the hub knows a caller to be. Made by authentication only; immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Stable subject, such as `key:0193…`, `user:…` or `system:worker`.
    pub id: Arc<str>,
    /// For people: the key's or user's name.
    pub name: Arc<str>,
    /// Id of the person behind the credential, who may have several; `None` when it names none.
    pub person: Option<Arc<str>>,
    /// Id of the organisation; a principal sees one.
    pub organization: Arc<str>,
    /// Id of the credential's namespace.
    pub namespace: Arc<str>,
    /// Role word: admin, user, viewer or `api_user`.
    pub role: Role,
    /// Kind of credential.
    pub kind: CredentialKind,
    /// What it may do.
    pub permissions: Permissions,
    /// Calls a minute for this credential; 0 means unlimited.
    pub rate_limit: u32,
}

impl Principal {
    /// The operator at the console of this machine, and the hub's own jobs: everything an admin of
    /// organisation `default` may do. `name` is such as `local` or `worker`.
    #[must_use]
    pub fn local(name: &str) -> Self {
        Self {
            id: Arc::from(format!("system:{name}").as_str()),
            name: Arc::from(name),
            person: None,
            organization: Arc::from("default"),
            namespace: Arc::from("default"),
            role: Role::Admin,
            kind: CredentialKind::Local,
            permissions: Permissions::of_role(Role::Admin),
            rate_limit: 0,
        }
    }
}

/// The kinds of credential the hub accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// An API key of a user.
    UserKey,
    /// An API key for agent-to-agent use.
    A2aKey,
    /// The local operator over stdio in development, and the hub's own jobs.
    Local,
}

/// Roles of `interfaces.md` 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything in its organisation.
    Admin,
    /// Reads, calls, workflows, servers.
    User,
    /// Reads.
    Viewer,
    /// Reads and calls.
    ApiUser,
}

impl Role {
    /// The word in the store and in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Viewer => "viewer",
            Self::ApiUser => "api_user",
        }
    }

    /// Reads the word; `None` for another one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::User, Self::Viewer, Self::ApiUser]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}
