//! Third-party MCP servers: registered by settings, REST or CLI, kept in the store, joined to the
//! registry while they are registered.
//!
//! A registration is tried before it is kept: the server has to answer and list what it has. How it is
//! spoken to is `upstream::mcp`'s matter, how it is watched the registry's.

mod authorizing;
mod credentials;
mod joined;
mod lint;
mod oauth;
mod rows;
mod specification;

pub use lint::Finding;
pub use oauth::{Callback, Grant, OAuthError, OAuthSettings};
pub use rows::Registered;
pub use specification::{Protocol, Specification};

use crate::audit::{Audit, AuditError, Event};
use crate::caller::Caller;
use crate::keys::Seal;
use crate::metrics::Metrics;
use crate::registry::{Registry, RegistryError, ServiceView};
use crate::resilience::ResilienceConfig;
use crate::store::{Store, StoreError};
use crate::upstream::mcp::{McpServer, McpView};
use crate::upstream::offers::Offers;
use crate::upstream::{Description, UpstreamError};
use oauth::OAuth;
use parking_lot::{Mutex, RwLock};
use serde_json::json;
use shared::clock::SharedClock;
use shared::exec::Executor;
use shared::outbound::Outbound;
use shared::secret::SecretProvider;
use shared::tasks::Tasks;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long a server may take to show what it has when it is registered.
const PROBE: Duration = Duration::from_secs(40);
/// Number under which third-party servers are shown among the services.
const NUMBER: u8 = 200;
/// Servers of one hub.
const MAX_SERVERS: usize = 500;

/// How servers may be registered.
#[derive(Debug, Clone)]
pub struct ServersConfig {
    /// Programs that may be started: names on the search path, or absolute paths. Empty refuses all.
    pub programs: Vec<String>,
    /// Most starts of one server's program in a minute.
    pub starts_per_minute: usize,
    /// Protection of every server; attempts and time limits come from its specification.
    pub resilience: ResilienceConfig,
}

/// What the module works with.
pub struct ServersParts {
    /// Bounds.
    pub config: ServersConfig,
    /// Keeps registrations.
    pub store: Store,
    /// Gets the servers.
    pub registry: Arc<Registry>,
    /// Gets what is registered and removed.
    pub audit: Arc<Audit>,
    /// Gets calls and health.
    pub metrics: Arc<Metrics>,
    /// Dates.
    pub clock: SharedClock,
    /// Runs connections.
    pub tasks: Tasks,
    /// Where credentials come from.
    pub secrets: Arc<dyn SecretProvider>,
    /// Which addresses may be asked.
    pub outbound: Outbound,
    /// Starts programs; `None` where the walls for them are missing.
    pub executor: Option<Executor>,
    /// Closes tokens in the store.
    pub seal: Arc<Seal>,
    /// Address of the hub, without a slash at the end; empty when none is set.
    pub public_url: String,
}

/// The third-party servers; share it in an `Arc`.
pub struct Servers {
    parts: ServersParts,
    running: Mutex<BTreeMap<Arc<str>, Arc<McpServer>>>,
    oauth: Mutex<BTreeMap<Arc<str>, Arc<OAuth>>>,
    settings: RwLock<Vec<Registered>>,
    /// Held while servers come and go.
    changing: tokio::sync::Mutex<()>,
}

/// Why a server is not registered, changed or found.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A field breaks a rule.
    #[error("{field}: {rule}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What it must be.
        rule: String,
    },
    /// The program may not be started.
    #[error("the program is not on the list WAYGATE_STDIO_ALLOW")]
    Program,
    /// The address may not be asked.
    #[error("the address is refused")]
    Address(#[source] shared::outbound::Refused),
    /// Another one has this name, or its tools' first word.
    #[error("the name {0} is taken")]
    Taken(String),
    /// No such server, or not the caller's.
    #[error("no such server")]
    Unknown,
    /// It is in the settings, so it is changed there.
    #[error("the server is in the settings; change it there")]
    InSettings,
    /// As many servers as there may be.
    #[error("there are too many servers")]
    TooMany,
    /// It did not answer, or not as an MCP server does.
    #[error("the server could not be listed")]
    Probe(#[source] UpstreamError),
    /// The hub needs no token for it.
    #[error("the server is not registered with oauth")]
    NoOAuth,
    /// There is no token.
    #[error("the server could not be authorized")]
    OAuth(#[source] OAuthError),
    /// A client could not be made.
    #[error("no client could be made for the server")]
    Client(#[source] reqwest::Error),
    /// What was done could not be recorded, so it was not done.
    #[error("the change could not be recorded")]
    Unrecorded(#[from] AuditError),
    /// The registry refused it.
    #[error("the server could not be joined")]
    Registry(#[source] RegistryError),
    /// The registration could not be read or written.
    #[error("the registration could not be kept")]
    Store(#[from] StoreError),
}

/// A server as operators see it.
#[derive(Debug, Clone)]
pub struct ServerView {
    /// What was registered.
    pub registered: Registered,
    /// How the registry sees it; `None` when it has not joined.
    pub service: Option<ServiceView>,
    /// How it is connected; `None` when it has not joined.
    pub connection: Option<McpView>,
}

impl Servers {
    /// No servers yet.
    #[must_use]
    pub fn new(parts: ServersParts) -> Arc<Self> {
        Arc::new(Self {
            parts,
            running: Mutex::default(),
            oauth: Mutex::default(),
            settings: RwLock::default(),
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// Adds the servers of the settings and of the store to the registry, before it is started. One
    /// that cannot be added is logged and left out: it costs its own tools only.
    ///
    /// # Errors
    /// [`StoreError`] when the registrations cannot be read.
    pub async fn load(&self, settings: &BTreeMap<String, Specification>) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        for (name, specification) in settings {
            let mut specification = specification.clone();
            specification.name.clone_from(name);
            let registered = Registered::of_settings(specification, now);
            self.join_or_log(&registered, true);
            self.settings.write().push(registered);
        }
        for registered in rows::all(&self.parts.store).await? {
            self.join_or_log(&registered, false);
        }
        Ok(())
    }

    /// Registers a server for the organisation of `by`. That `by` may do so is the caller's matter.
    ///
    /// # Errors
    /// [`ServerError`]; nothing is kept then.
    pub async fn register(
        &self,
        specification: Specification,
        by: &Caller,
    ) -> Result<(ServerView, Vec<Finding>), ServerError> {
        let _one_at_a_time = self.changing.lock().await;
        if self.running.lock().len() >= MAX_SERVERS {
            return Err(ServerError::TooMany);
        }
        specification.check()?;
        self.free(&specification.name)?;
        let description = self.tried(&specification).await?;
        let registered = Registered::new(specification, by, self.parts.clock.now());
        self.record("server.registered", &registered, by).await?;
        rows::insert(&self.parts.store, &registered).await?;
        if let Err(error) = self.join(&registered, false) {
            rows::delete(&self.parts.store, &registered.id).await?;
            return Err(error);
        }
        let name = registered.specification.name.clone();
        self.parts.registry.follow_server(&name).await;
        let tools = description.map(|it| it.tools).unwrap_or_default();
        let findings = lint::of(&tools);
        Ok((self.view(registered), findings))
    }

    /// Replaces the specification of a server; its name stays.
    ///
    /// # Errors
    /// [`ServerError`]; the old one stays in force then.
    pub async fn replace(
        &self,
        id: &str,
        mut specification: Specification,
        by: &Caller,
    ) -> Result<ServerView, ServerError> {
        let _one_at_a_time = self.changing.lock().await;
        let mut registered = self.own(id, by).await?;
        specification
            .name
            .clone_from(&registered.specification.name);
        specification.check()?;
        self.tried(&specification).await?;
        registered.specification = specification;
        registered.updated_by = by.principal.id.to_string();
        registered.updated_at = self.parts.clock.now();
        self.record("server.changed", &registered, by).await?;
        rows::update(&self.parts.store, &registered).await?;
        self.part(&registered.specification.name).await;
        self.join(&registered, false)?;
        let name = registered.specification.name.clone();
        self.parts.registry.follow_server(&name).await;
        Ok(self.view(registered))
    }

    /// Removes a server and ends its connections.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn remove(&self, id: &str, by: &Caller) -> Result<ServerView, ServerError> {
        let _one_at_a_time = self.changing.lock().await;
        let registered = self.own(id, by).await?;
        self.record("server.removed", &registered, by).await?;
        rows::delete(&self.parts.store, &registered.id).await?;
        self.forget_tokens(&registered.specification.name).await?;
        let view = self.view(registered);
        self.part(&view.registered.specification.name).await;
        Ok(view)
    }

    /// The servers of the caller's organisation and of the settings, by name.
    ///
    /// # Errors
    /// [`ServerError::Store`].
    pub async fn list(&self, by: &Caller) -> Result<Vec<ServerView>, ServerError> {
        let mut found: Vec<_> = self.settings.read().clone();
        found.extend(rows::all(&self.parts.store).await?);
        found.sort_by(|a, b| a.specification.name.cmp(&b.specification.name));
        found.retain(|it| it.is_for(&by.principal.organization));
        Ok(found.into_iter().map(|it| self.view(it)).collect())
    }

    /// One server, by id or name.
    ///
    /// # Errors
    /// [`ServerError::Unknown`], also for a server of another organisation.
    pub async fn get(&self, id: &str, by: &Caller) -> Result<ServerView, ServerError> {
        match self.own(id, by).await {
            Err(ServerError::InSettings) => {
                let settings = self.settings.read();
                let found = settings.iter().find(|it| it.id == id).cloned();
                drop(settings);
                found.map(|it| self.view(it)).ok_or(ServerError::Unknown)
            }
            own => own.map(|it| self.view(it)),
        }
    }

    /// Asks a server what it has, without keeping anything.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn test(
        &self,
        specification: &Specification,
    ) -> Result<(Description, Vec<Finding>), ServerError> {
        specification.check()?;
        let description = self.probe(specification).await?;
        let findings = lint::of(&description.tools);
        Ok((description, findings))
    }

    /// What a server offers beside tools; `None` when it has not joined.
    #[must_use]
    pub fn offers(&self, name: &str) -> Option<Arc<dyn Offers>> {
        let server = self.running.lock().get(name).cloned()?;
        Some(server)
    }

    /// The name of the registered server at this address that a principal of `organization` may use.
    ///
    /// # Errors
    /// [`StoreError`] when the registrations cannot be read.
    pub async fn at(
        &self,
        address: &Url,
        organization: &str,
    ) -> Result<Option<String>, StoreError> {
        let is_at = |it: &Registered| {
            let own = it.specification.url.as_deref().map(Url::parse);
            it.is_for(organization) && own.is_some_and(|own| own.is_ok_and(|own| own == *address))
        };
        let named = |it: &Registered| it.specification.name.clone();
        if let Some(name) = self.settings.read().iter().find(|it| is_at(it)).map(named) {
            return Ok(Some(name));
        }
        let kept = rows::all(&self.parts.store).await?;
        Ok(kept.iter().find(|it| is_at(it)).map(named))
    }

    /// Ends every connection, children included.
    pub async fn close(&self) {
        let servers: Vec<_> = self.running.lock().values().cloned().collect();
        let closing = servers.iter().map(|server| server.close());
        futures::future::join_all(closing).await;
    }

    async fn own(&self, id: &str, by: &Caller) -> Result<Registered, ServerError> {
        if self.settings.read().iter().any(|it| it.id == id) {
            return Err(ServerError::InSettings);
        }
        let found = rows::find(&self.parts.store, id).await?;
        found
            .filter(|it| it.is_for(&by.principal.organization))
            .ok_or(ServerError::Unknown)
    }

    fn view(&self, registered: Registered) -> ServerView {
        let name = registered.specification.name.as_str();
        let services = self.parts.registry.services();
        let service = services.into_iter().find(|it| &*it.service == name);
        let running = self.running.lock().get(name).cloned();
        ServerView {
            connection: running.map(|server| server.view()),
            service,
            registered,
        }
    }

    async fn record(
        &self,
        action: &'static str,
        registered: &Registered,
        by: &Caller,
    ) -> Result<(), AuditError> {
        let specification = &registered.specification;
        let event = Event {
            action,
            resource_type: "server",
            resource_id: registered.id.clone(),
            actor: Arc::clone(&by.principal.id),
            organization: Arc::clone(&by.principal.organization),
            address: by.address,
            details: json!({
                "name": specification.name,
                "protocol": specification.protocol.as_str(),
                "url": specification.url,
                "command": specification.command,
                "args": specification.args,
            }),
            correlation_id: Some(by.correlation_id.clone()),
        };
        self.parts.audit.event(event).await
    }
}
