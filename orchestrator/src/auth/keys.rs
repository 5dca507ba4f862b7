//! Keys as objects: making, listing, revoking. Recording that in the trail is the caller's part.

use super::authenticate::{Auth, permissions};
use super::key_text::{self, NoRandomness};
use super::people;
use super::{InvalidPermission, Permissions, Principal, Role};
use crate::store::{Listed, Page, Row, Statement, StoreError, micros, moment};
use jiff::Timestamp;
use shared::secret::Secret;

/// Longest life of a key, in days.
const MAX_DAYS: u32 = 366;
/// Longest name, in bytes.
const MAX_NAME: usize = 100;
/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 1000;
const DAY_MICROS: i64 = 86_400_000_000;

/// The kinds of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// For a person or an AI host.
    User,
    /// For agents that call agents; only admins make these.
    A2a,
}

impl KeyKind {
    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::A2a => "a2a",
        }
    }

    /// Reads the word; `None` for another one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::A2a]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// What a new key is to be.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// For people; 1 to 100 bytes.
    pub name: String,
    /// For people; at most 1000 bytes.
    pub description: Option<String>,
    /// Whose key it is: id or email address of a person; `None` means the maker's own. Only an admin
    /// names somebody else.
    pub user: Option<String>,
    /// Kind.
    pub kind: KeyKind,
    /// Slug or id of a namespace of the maker's organisation; `None` means its default one.
    pub namespace: Option<String>,
    /// Texts such as `read` or `servers:write`; no more than the maker has.
    pub permissions: Vec<String>,
    /// Calls a minute; 0 means unlimited.
    pub rate_limit: u32,
    /// 1 to 366.
    pub expires_in_days: u32,
    /// Role word in policies; only an admin gives `admin` or `user` to others.
    pub role: Role,
}

impl NewKey {
    /// A key of this name as the interface defines it when nothing else is said: reads, 100 calls a
    /// minute, 365 days.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: None,
            user: None,
            kind: KeyKind::User,
            namespace: None,
            permissions: vec!["read".to_owned()],
            rate_limit: 100,
            expires_in_days: 365,
            role: Role::ApiUser,
        }
    }
}

/// A key that was just made: the only moment its text exists outside its owner's hands.
#[derive(Debug)]
pub struct IssuedKey {
    /// What is kept of it.
    pub record: KeyRecord,
    /// Its text, to be shown once.
    pub text: Secret,
}

/// What is kept of a key and may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Id; the principal is `key:` and this.
    pub id: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Id of the person it belongs to; `None` when it names none.
    pub user: Option<String>,
    /// The 8 characters after `wgk_`.
    pub prefix: String,
    /// Kind.
    pub kind: KeyKind,
    /// Role word in policies.
    pub role: Role,
    /// Id of the organisation.
    pub organization: String,
    /// Id of the namespace; `None` means the default one.
    pub namespace: Option<String>,
    /// What it may do.
    pub permissions: Permissions,
    /// Calls a minute; 0 means unlimited.
    pub rate_limit: i64,
    /// `None` means never.
    pub expires_at: Option<Timestamp>,
    /// `None` means not yet.
    pub last_used_at: Option<Timestamp>,
    /// Not revoked.
    pub is_active: bool,
    /// Principal that made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// `None` unless revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Why a key was not made, found or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A field breaks its rule.
    #[error("{field}: {rule}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// The rule.
        rule: String,
    },
    /// Not a permission.
    #[error("permissions: {0}")]
    Permission(#[source] InvalidPermission),
    /// More than the maker has.
    #[error("a key cannot be given {0}, which its maker does not have")]
    Escalation(String),
    /// No such key, or not the caller's to see.
    #[error("there is no such key")]
    NotFound,
    /// The system gave no randomness.
    #[error("the key could not be made")]
    Randomness(#[source] NoRandomness),
    /// The store did not do its part.
    #[error("the key could not be kept")]
    Store(#[from] StoreError),
}

const COLUMNS: &str = "id, user_id, name, description, prefix, key_type, role, organization_id, namespace_id, \
                       permissions, rate_limit, expires_at, last_used_at, is_active, created_by, \
                       created_at, revoked_at";

impl Auth {
    /// Makes a key in the organisation of `by`.
    ///
    /// # Errors
    /// [`KeyError`]; nothing was made.
    pub async fn create_key(&self, by: &Principal, new: NewKey) -> Result<IssuedKey, KeyError> {
        let granted = allowed(by, &new)?;
        let namespace = self.namespace_id(by, new.namespace.as_deref()).await?;
        let made = key_text::generate().map_err(KeyError::Randomness)?;
        let now = micros(self.clock.now());
        let owner = match new.kind {
            KeyKind::User => people::owner(&self.store, by, new.user.as_deref(), now).await?,
            KeyKind::A2a => None,
        };
        let texts: Vec<String> = granted.texts().collect();
        let sql = "INSERT INTO api_keys (id, organization_id, namespace_id, name, description, \
                   key_hash, prefix, key_type, role, permissions, rate_limit, expires_at, \
                   created_by, created_at, updated_at, user_id) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15)";
        let id = uuid::Uuid::now_v7().to_string();
        let insert = Statement::new(sql)
            .bind(id.as_str())
            .bind(by.organization.as_ref())
            .bind(namespace)
            .bind(new.name)
            .bind(new.description)
            .bind(hex::encode(key_text::hash(made.text.expose())))
            .bind(made.prefix)
            .bind(new.kind.as_str())
            .bind(new.role.as_str())
            .bind(serde_json::json!(texts).to_string())
            .bind(i64::from(new.rate_limit))
            .bind(now.saturating_add(i64::from(new.expires_in_days) * DAY_MICROS))
            .bind(by.id.as_ref())
            .bind(now)
            .bind(owner.as_deref().map(str::to_owned));
        self.store.write(vec![insert]).await?;
        let record = self.key(by, &id).await?;
        Ok(IssuedKey {
            record,
            text: made.text,
        })
    }

    /// Keys of the organisation, newest first: all for an admin, the own ones for others.
    ///
    /// # Errors
    /// [`KeyError::Store`]; asking again is safe.
    pub async fn list_keys(
        &self,
        by: &Principal,
        page: Page,
    ) -> Result<Listed<KeyRecord>, KeyError> {
        let count = "SELECT COUNT(*) AS total FROM api_keys \
                     WHERE organization_id = $1 AND ($2 = '' OR created_by = $2)";
        let scope = scope(by);
        let bound = |statement: Statement| statement.bind(by.organization.as_ref()).bind(scope);
        let rows = self.store.read(bound(Statement::new(count))).await?;
        let total = rows.first().map_or(Ok(0), |row| row.integer("total"))?;
        let sql = format!(
            "SELECT {COLUMNS} FROM api_keys \
             WHERE organization_id = $1 AND ($2 = '' OR created_by = $2) \
             ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4"
        );
        let select = bound(Statement::generated(sql.into()))
            .bind(page.limit())
            .bind(page.offset());
        let rows = self.store.read(select).await?;
        Ok(Listed {
            rows: rows.iter().map(record).collect::<Result<_, _>>()?,
            total: u64::try_from(total).unwrap_or_default(),
        })
    }

    /// One key.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] also for a key of another organisation.
    pub async fn key(&self, by: &Principal, id: &str) -> Result<KeyRecord, KeyError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM api_keys \
             WHERE id = $1 AND organization_id = $2 AND ($3 = '' OR created_by = $3)"
        );
        let select = Statement::generated(sql.into())
            .bind(id)
            .bind(by.organization.as_ref())
            .bind(scope(by));
        let rows = self.store.read(select).await?;
        rows.first()
            .ok_or(KeyError::NotFound)
            .and_then(|row| Ok(record(row)?))
    }

    /// Revokes a key: at once on this hub, within a second on others, for good. Revoking it again
    /// changes nothing.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] also for a key of another organisation.
    pub async fn revoke_key(
        &self,
        by: &Principal,
        id: &str,
        reason: Option<&str>,
    ) -> Result<KeyRecord, KeyError> {
        self.key(by, id).await?;
        let sql = "UPDATE api_keys SET is_active = 0, revoked_at = $2, revoked_by = $3, \
                   revoke_reason = $4, updated_at = $2 WHERE id = $1 AND is_active = 1";
        let update = Statement::new(sql)
            .bind(id)
            .bind(micros(self.clock.now()))
            .bind(by.id.as_ref())
            .bind(reason.map(str::to_owned));
        self.store.write(vec![update]).await?;
        self.revocations.revoke(id);
        self.key(by, id).await
    }

    /// The id of a namespace of the maker's organisation, given by id or slug.
    async fn namespace_id(
        &self,
        by: &Principal,
        name: Option<&str>,
    ) -> Result<Option<String>, KeyError> {
        let Some(name) = name else { return Ok(None) };
        let sql = "SELECT id FROM namespaces \
                   WHERE organization_id = $1 AND (id = $2 OR slug = $2) AND is_active = 1";
        let select = Statement::new(sql)
            .bind(by.organization.as_ref())
            .bind(name);
        let rows = self.store.read(select).await?;
        match rows.first() {
            Some(row) => Ok(Some(row.text("id")?.to_owned())),
            None => Err(invalid("namespace_id", "there is no such namespace")),
        }
    }
}

/// Whose keys a principal sees: everybody's (empty) or its own.
fn scope(by: &Principal) -> &str {
    if by.role == Role::Admin { "" } else { &by.id }
}

fn invalid(field: &'static str, rule: impl Into<String>) -> KeyError {
    KeyError::Invalid {
        field,
        rule: rule.into(),
    }
}

/// Checks the fields and that nobody hands out more than they have.
fn allowed(by: &Principal, new: &NewKey) -> Result<Permissions, KeyError> {
    if !(1..=MAX_NAME).contains(&new.name.len()) || new.name.chars().any(char::is_control) {
        return Err(invalid("name", "1 to 100 bytes without control characters"));
    }
    if new
        .description
        .as_ref()
        .is_some_and(|text| text.len() > MAX_DESCRIPTION)
    {
        return Err(invalid("description", "at most 1000 bytes"));
    }
    if !(1..=MAX_DAYS).contains(&new.expires_in_days) {
        return Err(invalid("expires_in_days", format!("1 to {MAX_DAYS}")));
    }
    let asked = Permissions::parse(new.permissions.iter().map(String::as_str))
        .map_err(KeyError::Permission)?;
    if let Some(more) = by.permissions.lacking(&asked) {
        return Err(KeyError::Escalation(format!("permission {more}")));
    }
    let admin = by.role == Role::Admin;
    if !admin && new.kind == KeyKind::A2a {
        return Err(KeyError::Escalation("kind a2a".to_owned()));
    }
    if !admin && new.role != by.role && !matches!(new.role, Role::Viewer | Role::ApiUser) {
        return Err(KeyError::Escalation(format!("role {}", new.role.as_str())));
    }
    Ok(asked)
}

fn record(row: &Row) -> Result<KeyRecord, StoreError> {
    let text = |column| row.text(column).map(str::to_owned);
    let optional = |column| {
        row.optional_text(column)
            .map(|text| text.map(str::to_owned))
    };
    let date = |column| row.optional_integer(column).map(|at| at.map(moment));
    Ok(KeyRecord {
        id: text("id")?,
        name: text("name")?,
        description: optional("description")?,
        user: optional("user_id")?,
        prefix: text("prefix")?,
        kind: KeyKind::parse(row.text("key_type")?).ok_or(StoreError::Column("key_type"))?,
        role: Role::parse(row.text("role")?).ok_or(StoreError::Column("role"))?,
        organization: text("organization_id")?,
        namespace: optional("namespace_id")?,
        permissions: permissions(row.text("permissions")?)?,
        rate_limit: row.integer("rate_limit")?,
        expires_at: date("expires_at")?,
        last_used_at: date("last_used_at")?,
        is_active: row.integer("is_active")? == 1,
        created_by: text("created_by")?,
        created_at: moment(row.integer("created_at")?),
        revoked_at: date("revoked_at")?,
    })
}
