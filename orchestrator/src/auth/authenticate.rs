//! Key text → principal: checksum, look-up by hash, active, not expired.
//!
//! A second of memory stands before the store, for keys nobody knows too, so that neither a busy key
//! nor a guesser costs a look-up per request. A revocation takes effect at once on this hub and within
//! a second on others.

use super::key_text::{self, KeyHash};
use super::last_used::LastUsed;
use super::presented::Presented;
use super::recall::Recalled;
use super::revocation::Revocations;
use super::{CredentialKind, Permissions, Principal, Role};
use crate::store::{Row, Statement, Store, StoreError, micros};
use arc_swap::ArcSwapOption;
use moka::future::Cache;
use shared::clock::SharedClock;
use shared::error::Code;
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How often revocations are fetched and last uses are written.
const JOB_PERIOD: Duration = Duration::from_millis(500);

/// Bounds of the memory before the store.
#[derive(Debug, Clone, Copy)]
pub struct AuthConfig {
    /// How long an answer of the store is believed; at most a second.
    pub cache_life: Duration,
    /// Most keys remembered, unknown ones included.
    pub cache_size: u64,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            cache_life: Duration::from_secs(1),
            cache_size: 10_000,
        }
    }
}

/// Why a credential is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// There is none.
    #[error("a credential is required")]
    Missing,
    /// Nobody knows it.
    #[error("the credential is not valid")]
    Invalid,
    /// Its life is over.
    #[error("the key has expired")]
    Expired,
    /// It was revoked, or its organisation is not active.
    #[error("the credential is not valid")]
    Inactive,
    /// Two credentials in one request.
    #[error("send the key in one header only")]
    Both,
    /// The store could not be asked. Trying again is safe.
    #[error("the credential could not be checked")]
    Unavailable(#[source] Arc<StoreError>),
}

impl AuthError {
    /// The code shown to callers; a revoked key looks like an unknown one.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Missing | Self::Invalid | Self::Inactive => Code::Unauthorized,
            Self::Expired => Code::KeyExpired,
            Self::Both => Code::InvalidRequest,
            Self::Unavailable(_) => Code::ServiceUnavailable,
        }
    }
}

/// Checks credentials, makes and revokes keys.
pub struct Auth {
    pub(in crate::auth) store: Store,
    pub(in crate::auth) clock: SharedClock,
    pub(in crate::auth) revocations: Revocations,
    /// The key of the installation, which carries no checksum; `None` when there is none.
    pub(in crate::auth) bootstrap: ArcSwapOption<KeyHash>,
    cache: Cache<KeyHash, Found>,
    /// Principals by id, for work that goes on without its caller.
    pub(in crate::auth) recalled: Cache<String, Option<Arc<Recalled>>>,
    last_used: LastUsed,
}

/// What the store said about a hash.
#[derive(Clone)]
enum Found {
    Unknown,
    Inactive,
    Known(Arc<Known>),
}

pub(in crate::auth) struct Known {
    pub(in crate::auth) principal: Arc<Principal>,
    key: Arc<str>,
    /// Microseconds; `None` means never.
    pub(in crate::auth) expires_at: Option<i64>,
}

impl Auth {
    /// Needs [`Auth::start_jobs`] to learn of revocations by other hubs and to write last uses.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, config: AuthConfig) -> Self {
        let started = micros(clock.now());
        let life = config.cache_life.min(Duration::from_secs(1));
        Self {
            store,
            clock,
            revocations: Revocations::since(started),
            bootstrap: ArcSwapOption::empty(),
            cache: Cache::builder()
                .max_capacity(config.cache_size)
                .time_to_live(life)
                .build(),
            recalled: Cache::builder()
                .max_capacity(config.cache_size)
                .time_to_live(life)
                .build(),
            last_used: LastUsed::default(),
        }
    }

    /// Fetches revocations and writes last uses twice a second, until `tasks` stop.
    pub fn start_jobs(self: &Arc<Self>, tasks: &Tasks) {
        let auth = Arc::clone(self);
        let stop = tasks.token();
        tasks.spawn("auth", async move {
            let mut ticks = tokio::time::interval(JOB_PERIOD);
            loop {
                tokio::select! {
                    () = stop.cancelled() => {
                        auth.last_used.write(&auth.store);
                        return;
                    }
                    _ = ticks.tick() => {
                        auth.last_used.write(&auth.store);
                        auth.fetch_revocations().await;
                    }
                }
            }
        });
    }

    /// Turns a credential into its principal.
    ///
    /// # Errors
    /// [`AuthError`]; only [`AuthError::Unavailable`] may go away by itself.
    pub async fn authenticate(&self, credential: &Presented) -> Result<Arc<Principal>, AuthError> {
        let text = credential.0.expose();
        let hash = key_text::hash(text);
        if !self.is_bootstrap(&hash) && !key_text::is_well_formed(text) {
            return Err(AuthError::Invalid);
        }
        let found = self.cache.try_get_with(hash, self.look_up(&hash)).await;
        let known = match found.map_err(AuthError::Unavailable)? {
            Found::Known(known) => known,
            Found::Unknown => return Err(AuthError::Invalid),
            Found::Inactive => return Err(AuthError::Inactive),
        };
        if self.revocations.contains(&known.principal.id) {
            return Err(AuthError::Inactive);
        }
        let now = micros(self.clock.now());
        if known.expires_at.is_some_and(|end| end <= now) {
            return Err(AuthError::Expired);
        }
        self.last_used.note(&known.key, now);
        Ok(Arc::clone(&known.principal))
    }

    /// Whether a principal that was authenticated earlier still stands: its key was neither revoked
    /// nor has it run out since. Does not wait.
    #[must_use]
    pub fn still_valid(&self, principal: &Principal) -> bool {
        match principal.kind {
            CredentialKind::Local => true,
            CredentialKind::UserKey | CredentialKind::A2aKey => self
                .revocations
                .stands(&principal.id, micros(self.clock.now())),
        }
    }

    fn is_bootstrap(&self, hash: &KeyHash) -> bool {
        let own = self.bootstrap.load();
        own.as_ref()
            .is_some_and(|own| own.as_slice().ct_eq(hash).into())
    }

    async fn look_up(&self, hash: &KeyHash) -> Result<Found, StoreError> {
        let sql = "SELECT k.id, k.name, k.user_id, k.organization_id, k.key_type, k.role, k.permissions, \
                   k.rate_limit, k.expires_at, k.is_active, o.is_active AS organization_is_active, \
                   COALESCE(k.namespace_id, n.id, 'default') AS namespace_id \
                   FROM api_keys k JOIN organizations o ON o.id = k.organization_id \
                   LEFT JOIN namespaces n \
                   ON n.organization_id = k.organization_id AND n.slug = 'default' \
                   WHERE k.key_hash = $1";
        let rows = self
            .store
            .read(Statement::new(sql).bind(hex::encode(hash)))
            .await?;
        let Some(row) = rows.first() else {
            return Ok(Found::Unknown);
        };
        if row.integer("is_active")? == 0 || row.integer("organization_is_active")? == 0 {
            return Ok(Found::Inactive);
        }
        let known = known(row)?;
        self.revocations
            .remember(&known.principal.id, known.expires_at);
        Ok(Found::Known(Arc::new(known)))
    }

    async fn fetch_revocations(&self) {
        if let Err(error) = self.revocations.fetch(&self.store).await {
            tracing::warn!(
                event = "revocations_stale",
                error = &error as &dyn std::error::Error,
                "revocations could not be fetched"
            );
        }
    }
}

pub(in crate::auth) fn known(row: &Row) -> Result<Known, StoreError> {
    let key = row.text("id")?;
    let kind = match row.text("key_type")? {
        "a2a" => CredentialKind::A2aKey,
        _ => CredentialKind::UserKey,
    };
    let principal = Principal {
        id: Arc::from(format!("key:{key}").as_str()),
        name: Arc::from(row.text("name")?),
        person: row.optional_text("user_id")?.map(Arc::from),
        organization: Arc::from(row.text("organization_id")?),
        namespace: Arc::from(row.text("namespace_id")?),
        role: Role::parse(row.text("role")?).ok_or(StoreError::Column("role"))?,
        kind,
        permissions: permissions(row.text("permissions")?)?,
        rate_limit: u32::try_from(row.integer("rate_limit")?)
            .or(Err(StoreError::Column("rate_limit")))?,
    };
    Ok(Known {
        principal: Arc::new(principal),
        key: Arc::from(key),
        expires_at: row.optional_integer("expires_at")?,
    })
}

/// Permissions as the column holds them: a JSON list of texts.
pub(in crate::auth) fn permissions(json: &str) -> Result<Permissions, StoreError> {
    let texts: Vec<String> =
        serde_json::from_str(json).or(Err(StoreError::Column("permissions")))?;
    Permissions::parse(texts.iter().map(String::as_str)).or(Err(StoreError::Column("permissions")))
}
