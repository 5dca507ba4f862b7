//! Credentials become a [`Principal`], or nothing.

mod permission;

pub use permission::{Permission, Permissions, Verb};

use std::sync::Arc;

/// Whoever the hub knows a caller to be. Made by authentication only; immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Stable subject, such as `key:0193…`, `user:…` or `system:worker`.
    pub id: Arc<str>,
    /// For people: the key's or user's name.
    pub name: Arc<str>,
    /// The organisation; a principal sees one.
    pub organization: Arc<str>,
    /// The namespace of the credential.
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
