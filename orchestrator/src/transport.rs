//! The doors hosts come through: MCP over HTTP and stdio, in both eras, and what every HTTP request
//! passes before its handler.
//!
//! Only here and in `shared::spoke` are MCP frames known. Decisions about tool calls are the
//! gateway's; plain routes are `admin`'s.

pub mod access;
pub mod address;
mod approving;
pub mod asking;
pub mod body;
pub mod changes;
pub mod channels;
pub mod cors;
pub mod deferred;
pub mod edge;
pub mod envelope;
pub mod era;
pub mod errors;
pub mod exchange;
pub mod fault;
pub mod frame;
pub mod headers;
pub mod held;
mod large;
mod legacy;
pub mod legacy_sse;
mod listen;
pub mod lists;
pub mod mcp;
pub mod meta;
mod methods;
mod modern;
pub mod offering;
mod opening;
pub mod origin;
pub mod passed;
mod readiness;
pub mod refusal;
pub mod render;
pub mod reports;
pub mod revision;
pub mod rpc;
pub mod scope;
mod search;
pub mod seen;
pub mod sessions;
pub mod settings;
pub mod splice;
pub mod sse;
pub mod stdio;
mod talk;
pub mod views;
pub mod websocket;
mod work;

pub use opening::capabilities;
pub use readiness::Readiness;
pub use settings::HttpSettings;

use crate::artefacts::Artefacts;
use crate::caller::Caller;
use crate::gateway::Gateway;
use crate::keys::Seal;
use crate::redis::Redis;
use crate::registry::Registry;
use crate::servers::Servers;
use crate::store::Store;
use crate::workflow::Workflows;
use channels::Channels;
use deferred::Deferred;
use held::Held;
use lists::Lists;
use refusal::Refusal;
use scope::Scope;
use sessions::Sessions;
use shared::error::Code;
use shared::secret::Secret;
use std::sync::Arc;
use tokio::sync::Semaphore;
use views::Views;

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
    /// Third-party servers; `None` where the hub has none.
    pub servers: Option<Arc<Servers>>,
    /// Closes answers that are kept for repeated requests. Made up by [`Hub::new`], so that they end
    /// with this process, until another one takes its place.
    pub seal: Arc<Seal>,
    /// Redis; `None` when none is set.
    pub redis: Option<Arc<Redis>>,
    /// Workflows; `None` in a hub without any, such as one in a test.
    pub workflows: Option<Arc<Workflows>>,
    /// Results too large for hosts; `None` where they are sent whole.
    pub artefacts: Option<Arc<Artefacts>>,
    /// What endpoints and credentials show.
    pub views: Arc<Views>,
    /// Legacy sessions; [`Sessions::start_jobs`] has to be called.
    pub sessions: Arc<Sessions>,
    lists: Arc<Lists>,
    held: Arc<Held>,
    deferred: Arc<Deferred>,
    /// Legacy event streams.
    pub sse: Arc<Channels>,
    /// `WebSocket`s.
    pub ws: Arc<Channels>,
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
        let deferred = Deferred::new(gateway.ledger.instance().clone());
        let sessions = Sessions::new(store.clone(), Arc::clone(&gateway.clock), metrics);
        Self {
            gateway,
            registry,
            store,
            readiness: Readiness::default(),
            webhook_secret: None,
            servers: None,
            seal: Arc::new(Seal::fleeting()),
            redis: None,
            workflows: None,
            artefacts: None,
            views: Arc::default(),
            sessions: Arc::new(sessions),
            lists: Arc::default(),
            held: Arc::default(),
            deferred: Arc::new(deferred),
            sse: Arc::new(Channels::new("sse")),
            ws: Arc::new(Channels::new("websocket")),
            streams: Arc::new(Semaphore::new(settings.max_streams)),
            settings: Arc::new(settings),
        }
    }

    /// One service as an endpoint of its own, by its name.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn server(&self, name: &str) -> Result<Scope, Refusal> {
        let snapshot = self.gateway.router.snapshot();
        let mut routes = snapshot.routes().iter().map(|route| &route.service);
        let mut sources = snapshot.sources().iter().map(|source| &source.service);
        let known = routes.find(|service| ***service == *name);
        let known = known.or_else(|| sources.find(|service| ***service == *name));
        let service =
            known.ok_or_else(|| Refusal::new(Code::ServerNotFound, "there is no such server"))?;
        Ok(Scope::of(Arc::clone(service)))
    }

    /// A view as an endpoint of its own, by its name.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn view(&self, name: &str) -> Result<Scope, Refusal> {
        let view = self.views.named(name);
        let view = view.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such view"))?;
        Ok(Scope::viewed(Arc::clone(view)))
    }

    /// Everything, as this caller's credential shows it.
    #[must_use]
    pub fn everything(&self, caller: &Caller) -> Scope {
        let principal = &caller.principal;
        let view = self.views.of_principal(&principal.id, &principal.name);
        view.map_or_else(Scope::default, |view| Scope::viewed(Arc::clone(view)))
    }

    /// Streams that are open now.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.settings
            .max_streams
            .saturating_sub(self.streams.available_permits())
    }
}
