//! The principal behind work that goes on without its caller, as it stands now.
//!
//! A workflow remembers the id of who started it and no rights: those are looked up at every step, so
//! that what was revoked or taken away since is gone for the run too.

use super::authenticate::{Auth, AuthError, Known, known};
use super::{Principal, Role};
use crate::store::{Statement, StoreError, micros};
use std::sync::Arc;

impl Auth {
    /// The principal with this id; at most a second old.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] when there is none, [`AuthError::Inactive`] and [`AuthError::Expired`]
    /// when its key no longer stands, [`AuthError::Unavailable`] when asking again may help.
    pub async fn recall(&self, id: &str) -> Result<Arc<Principal>, AuthError> {
        if let Some(name) = id.strip_prefix("system:") {
            return Ok(Arc::new(Principal::local(name)));
        }
        let key = id.strip_prefix("key:").ok_or(AuthError::Invalid)?;
        let found = self.recalled.try_get_with(id.into(), self.by_id(key)).await;
        let known = found
            .map_err(AuthError::Unavailable)?
            .ok_or(AuthError::Invalid)?;
        if !known.stands || self.revocations.contains(&known.principal.id) {
            return Err(AuthError::Inactive);
        }
        let now = micros(self.clock.now());
        if known.expires_at.is_some_and(|end| end <= now) {
            return Err(AuthError::Expired);
        }
        Ok(Arc::clone(&known.principal))
    }

    async fn by_id(&self, key: &str) -> Result<Option<Arc<Recalled>>, StoreError> {
        let sql = "SELECT k.id, k.user_id, k.name, k.organization_id, k.key_type, k.role, k.permissions, \
                   k.rate_limit, k.expires_at, k.is_active, o.is_active AS organization_is_active, \
                   COALESCE(k.namespace_id, n.id, 'default') AS namespace_id \
                   FROM api_keys k JOIN organizations o ON o.id = k.organization_id \
                   LEFT JOIN namespaces n \
                   ON n.organization_id = k.organization_id AND n.slug = 'default' \
                   WHERE k.id = $1";
        let rows = self.store.read(Statement::new(sql).bind(key)).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let stands = row.integer("is_active")? != 0 && row.integer("organization_is_active")? != 0;
        let Known {
            principal,
            expires_at,
            ..
        } = known(row)?;
        Ok(Some(Arc::new(Recalled {
            principal,
            expires_at,
            stands,
        })))
    }
}

/// What the store said about an id.
pub(in crate::auth) struct Recalled {
    principal: Arc<Principal>,
    /// Microseconds; `None` means never.
    expires_at: Option<i64>,
    stands: bool,
}

impl Principal {
    /// The same principal with no more than `grant` allows; `None` leaves it as it is.
    #[must_use]
    pub fn within(self: &Arc<Self>, grant: Option<&super::Permissions>) -> Arc<Self> {
        let Some(grant) = grant else {
            return Arc::clone(self);
        };
        let mut less = Self::clone(self);
        less.permissions = grant.within(&self.permissions);
        // A role opens doors of its own in policies; a narrowed principal has the least of them.
        less.role = Role::ApiUser;
        Arc::new(less)
    }
}
