//! The namespace a request works in: the credential's own, or another one of its organisation.

use super::{Auth, Principal};
use crate::store::{Statement, StoreError};
use std::sync::Arc;

/// Longest id or slug looked up, in bytes.
const MAX_NAME: usize = 128;

const FIND: &str = "SELECT id FROM namespaces \
     WHERE organization_id = $1 AND (id = $2 OR slug = $2) AND is_active = 1";

impl Auth {
    /// The same principal in the namespace of this id or slug; `None` when its organisation has no
    /// such one.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn in_namespace(
        &self,
        principal: Arc<Principal>,
        name: &str,
    ) -> Result<Option<Arc<Principal>>, StoreError> {
        if *principal.namespace == *name {
            return Ok(Some(principal));
        }
        if name.is_empty() || name.len() > MAX_NAME {
            return Ok(None);
        }
        let find = Statement::new(FIND)
            .bind(principal.organization.as_ref())
            .bind(name);
        let rows = self.store.read(find).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let namespace = Arc::from(row.text("id")?);
        Ok(Some(Arc::new(Principal {
            namespace,
            ..Principal::clone(&principal)
        })))
    }
}
