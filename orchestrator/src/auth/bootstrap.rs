//! The key of the installation: given by the operator, an admin of organisation `default`, replaced
//! when the operator gives another one.

use super::authenticate::Auth;
use super::key_text;
use super::{Permissions, Role};
use crate::store::{Statement, StoreError, micros};
use shared::secret::Secret;
use std::collections::HashSet;
use std::sync::Arc;

/// Shortest key accepted, in bytes.
const MIN_LEN: usize = 32;
/// Fewest different characters accepted.
const MIN_DIFFERENT: usize = 8;
/// Parts of keys that come from examples and not from a generator.
const WELL_KNOWN: [&str; 10] = [
    "changeme",
    "change-me",
    "change_me",
    "password",
    "example",
    "your-",
    "your_",
    "secret",
    "12345678",
    "abcdefgh",
];
/// Who made and revokes keys in this module.
const ACTOR: &str = "system:bootstrap";

/// Why the operator's key is not taken. Never repeats the key.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// Too easy to guess.
    #[error("the bootstrap key {0}")]
    Weak(&'static str),
    /// The store did not do its part.
    #[error("the bootstrap key could not be kept")]
    Store(#[from] StoreError),
}

/// What the start did to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bootstrapped {
    /// Nothing: it was there already, or there is none.
    Unchanged,
    /// A new key took the place of whatever there was.
    Installed,
    /// There is none any more; the old one was revoked.
    Removed,
}

impl Auth {
    /// Makes `key` the one bootstrap key; `None` revokes the old one.
    ///
    /// # Errors
    /// [`BootstrapError::Weak`] for a key under 32 bytes or from an example; nothing was changed.
    pub async fn bootstrap(&self, key: Option<Secret>) -> Result<Bootstrapped, BootstrapError> {
        let hash = match &key {
            Some(key) => {
                strong_enough(key.expose())?;
                Some(key_text::hash(key.expose()))
            }
            None => None,
        };
        let hex = hash.map(hex::encode).unwrap_or_default();
        let now = micros(self.clock.now());
        let mut batch = vec![revoke_others(&hex, now)];
        if hash.is_some() {
            batch.push(install(&hex, now));
        }
        let outcomes = self.store.write(batch).await?;
        let mut changes = outcomes.iter();
        let revoked = changes
            .next()
            .map(|outcome| outcome.rows.as_slice())
            .unwrap_or_default();
        for row in revoked {
            self.revocations.revoke(row.text("id")?);
        }
        let installed = changes
            .next()
            .map(|outcome| outcome.rows.as_slice())
            .unwrap_or_default();
        for row in installed {
            self.revocations.reinstate(row.text("id")?);
        }
        self.bootstrap.store(hash.map(Arc::new));
        Ok(match (installed.is_empty(), revoked.is_empty()) {
            (false, _) => Bootstrapped::Installed,
            (true, false) => Bootstrapped::Removed,
            (true, true) => Bootstrapped::Unchanged,
        })
    }
}

fn revoke_others(hash: &str, now: i64) -> Statement {
    let sql = "UPDATE api_keys SET is_active = 0, revoked_at = $1, revoked_by = $2, \
               revoke_reason = 'replaced', updated_at = $1 \
               WHERE created_by = $2 AND is_active = 1 AND key_hash <> $3 RETURNING id";
    Statement::new(sql).bind(now).bind(ACTOR).bind(hash)
}

/// A key that a person revoked stays revoked; one that was only replaced comes back.
fn install(hash: &str, now: i64) -> Statement {
    let sql = "INSERT INTO api_keys (id, organization_id, namespace_id, name, description, key_hash, \
               prefix, key_type, role, permissions, rate_limit, created_by, created_at, updated_at) \
               VALUES ($1, 'default', NULL, 'bootstrap', 'Given by the operator at start', $2, $3, \
               'user', 'admin', $4, 0, $5, $6, $6) \
               ON CONFLICT (key_hash) DO UPDATE SET is_active = 1, revoked_at = NULL, \
               revoked_by = NULL, revoke_reason = NULL, updated_at = excluded.updated_at \
               WHERE api_keys.revoked_by = $5 RETURNING id";
    let permissions: Vec<String> = Permissions::of_role(Role::Admin).texts().collect();
    // Not a part of the key, which may be as short as 32 bytes: people know it by its hash.
    let prefix: String = hash.chars().take(8).collect();
    Statement::new(sql)
        .bind(uuid::Uuid::now_v7().to_string())
        .bind(hash)
        .bind(prefix)
        .bind(serde_json::json!(permissions).to_string())
        .bind(ACTOR)
        .bind(now)
}

fn strong_enough(key: &str) -> Result<(), BootstrapError> {
    let lower = key.to_ascii_lowercase();
    let different: HashSet<char> = key.chars().collect();
    if key.len() < MIN_LEN {
        Err(BootstrapError::Weak("must be at least 32 bytes long"))
    } else if key.len() > key_text::MAX_LEN {
        Err(BootstrapError::Weak("must be at most 512 bytes long"))
    } else if different.len() < MIN_DIFFERENT {
        Err(BootstrapError::Weak(
            "repeats itself; use random characters",
        ))
    } else if WELL_KNOWN.iter().any(|word| lower.contains(word)) {
        Err(BootstrapError::Weak(
            "looks like an example; use random characters",
        ))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_from_examples_are_refused_and_not_repeated() {
        for weak in [
            "short",
            &"a".repeat(40),
            "changeme-changeme-changeme-changeme-9",
            "your-api-key-goes-here-0a9b8c7d6e5f4",
            &"0a9b8c7d6e5f4g3h".repeat(33),
        ] {
            let error = strong_enough(weak).unwrap_err();
            assert!(!error.to_string().contains(weak), "{error}");
        }
        assert!(strong_enough("f3d1c0b79a8e6f5d4c3b2a1908f7e6d5").is_ok());
    }
}
