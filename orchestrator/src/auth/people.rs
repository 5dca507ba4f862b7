//! The people behind credentials: one person with two keys is still one person.
//!
//! Logins and passwords are not known here; a person who is entered for a key has none.

use super::{KeyError, Principal, Role};
use crate::store::{Statement, Store, StoreError};
use std::sync::Arc;

/// What stands in the place of a password hash of somebody who cannot log in.
const NO_PASSWORD: &str = "!";
/// Longest address, in bytes.
const MAX_EMAIL: usize = 254;

const FIND: &str = "SELECT id FROM users \
     WHERE organization_id = $1 AND (id = $2 OR lower(email) = lower($2))";
const ENTER: &str = "INSERT INTO users (id, email, name, password_hash, organization_id, role, \
     created_at, updated_at) VALUES ($1, $2, $2, $3, $4, 'viewer', $5, $5)";

/// The id of the person of an organisation with this id or email address; `None` when there is none.
///
/// # Errors
/// [`StoreError`]; asking again is safe.
pub async fn person_of(
    store: &Store,
    organization: &str,
    name: &str,
) -> Result<Option<Arc<str>>, StoreError> {
    let find = Statement::new(FIND).bind(organization).bind(name);
    let rows = store.read(find).await?;
    rows.first()
        .map(|row| row.text("id").map(Arc::from))
        .transpose()
}

/// Whose key `by` makes: the person asked for, else the one behind `by`. An admin enters a person of
/// an unknown address, without a password.
pub(super) async fn owner(
    store: &Store,
    by: &Principal,
    wanted: Option<&str>,
    now: i64,
) -> Result<Option<Arc<str>>, KeyError> {
    let Some(wanted) = wanted else {
        return Ok(by.person.clone());
    };
    let found = person_of(store, &by.organization, wanted).await?;
    let own = found.is_some() && found == by.person;
    if by.role != Role::Admin && !own {
        return Err(KeyError::Escalation("somebody else as its user".to_owned()));
    }
    if found.is_some() {
        return Ok(found);
    }
    if !is_address(wanted) {
        return Err(KeyError::Invalid {
            field: "user_id",
            rule: "the id of a user or an email address".to_owned(),
        });
    }
    let id = uuid::Uuid::now_v7().to_string();
    let enter = Statement::new(ENTER)
        .bind(id.as_str())
        .bind(wanted)
        .bind(NO_PASSWORD)
        .bind(by.organization.as_ref())
        .bind(now);
    match store.write(vec![enter]).await {
        Ok(_) => Ok(Some(Arc::from(id))),
        // Entered meanwhile, or known to another organisation, which is not told.
        Err(StoreError::Exists(_)) => {
            let found = person_of(store, &by.organization, wanted).await?;
            found.map(Some).ok_or_else(|| KeyError::Invalid {
                field: "user_id",
                rule: "this address cannot be used".to_owned(),
            })
        }
        Err(error) => Err(error.into()),
    }
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |part: &str| {
        !part.is_empty()
            && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@')
    };
    text.len() <= MAX_EMAIL && plain(local) && plain(domain)
}
