//! Callers for unit tests.

use super::Caller;
use crate::auth::{CredentialKind, Permissions, Principal, Role};
use shared::id::CorrelationId;
use std::sync::Arc;

/// The holder of a user's key with `read` and `execute` in organisation `default`, 100 calls a minute.
pub(crate) fn principal(id: &str) -> Principal {
    Principal {
        id: id.into(),
        name: "test".into(),
        person: None,
        organization: "default".into(),
        namespace: "default".into(),
        role: Role::User,
        kind: CredentialKind::UserKey,
        permissions: permissions("read execute"),
        rate_limit: 100,
    }
}

/// Permissions from words between spaces.
pub(crate) fn permissions(words: &str) -> Permissions {
    Permissions::parse(words.split_whitespace()).unwrap()
}

/// A call of `principal` from 192.0.2.1 through the door `mcp`.
pub(crate) fn caller(principal: Principal) -> Caller {
    Caller {
        principal: Arc::new(principal),
        correlation_id: CorrelationId::fresh(),
        request_id: "req_test".into(),
        traceparent: None,
        address: Some("192.0.2.1".parse().unwrap()),
        door: "mcp",
        depth: 0,
        http: None,
    }
}
