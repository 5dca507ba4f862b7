//! The doors hosts come through: MCP over HTTP and stdio, in both eras, and what every HTTP request
//! passes before its handler.
//!
//! Only here and in `shared::spoke` are MCP frames known. Decisions about tool calls are the
//! gateway's; plain routes are `admin`'s.

pub mod access;
pub mod address;
pub mod body;
pub mod cors;
pub mod edge;
pub mod envelope;
pub mod era;
pub mod errors;
pub mod exchange;
pub mod fault;
pub mod frame;
pub mod headers;
mod legacy;
mod listen;
pub mod lists;
pub mod mcp;
pub mod meta;
mod methods;
mod modern;
pub mod origin;
mod readiness;
pub mod refusal;
pub mod render;
pub mod reports;
pub mod revision;
pub mod seen;
pub mod sessions;
pub mod settings;
pub mod sse;
pub mod stdio;

pub use readiness::Readiness;
pub use settings::HttpSettings;

use crate::gateway::Gateway;
use crate::keys::Seal;
use crate::registry::Registry;
use crate::store::Store;
use lists::Lists;
use sessions::Sessions;
use shared::secret::Secret;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What the doors work with. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    /// Tool calls, and the handles of their steps.
    pub gateway: Arc<Gateway>,
    /// Services, breakers, pins; tells of changes.
    pub registry: Arc<Registry>,
    /// For health and sessions.
    pub store: Store,
    /// Whether calls can be taken.
    pub readiness: Readiness,
    /// How the doors are set.
    pub settings: Arc<HttpSettings>,
    /// Shared with the system that sends signed decisions; `None` refuses them all.
    pub webhook_secret: Option<Secret>,
    /// Closes answers that are kept for repeated requests. Made up by [`Hub::new`], so that they end
    /// with this process, until another one takes its place.
    pub seal: Arc<Seal>,
    /// Legacy sessions; [`Sessions::start_jobs`] has to be called.
    pub sessions: Arc<Sessions>,
    lists: Arc<Lists>,
    streams: Arc<Semaphore>,
}

impl Hub {
    /// Handles of one hub; not ready until [`Readiness::started`].
    #[must_use]
    pub fn new(
        gateway: Arc<Gateway>,
        registry: Arc<Registry>,
        store: Store,
        settings: HttpSettings,
    ) -> Self {
        let metrics = Arc::clone(&gateway.metrics);
        let sessions = Sessions::new(store.clone(), Arc::clone(&gateway.clock), metrics);
        Self {
            gateway,
            registry,
            store,
            readiness: Readiness::default(),
            webhook_secret: None,
            seal: Arc::new(Seal::fleeting()),
            sessions: Arc::new(sessions),
            lists: Arc::default(),
            streams: Arc::new(Semaphore::new(settings.max_streams)),
            settings: Arc::new(settings),
        }
    }

    /// Streams that are open now.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.settings
            .max_streams
            .saturating_sub(self.streams.available_permits())
    }
}
