//! A third-party server, over MCP: Streamable HTTP, HTTP with SSE or stdio, of either era.
//!
//! The wire is the hub's own, so that definitions and results pass byte for byte. How calls are
//! protected is `resilience`'s matter; who may make them is policy's; what the hub tells hosts is
//! `transport`'s. Nothing of a host's credential ever reaches a server.

mod answers;
mod carrier;
mod connection;
mod dial;
mod events;
mod follow;
mod http;
mod inbox;
mod lists;
mod object;
mod pool;
mod served;
mod sse;
mod stdio;
mod tools;
mod web;

pub use dial::Endpoint;
pub use pool::Isolation;
pub use tools::Effects;
pub use web::Credentials;

use super::offers::{Changes, OfferCall, OfferMethod, Offered};
use super::{Description, UpstreamCall, UpstreamError};
use crate::policy::Permit;
use arc_swap::ArcSwap;
use connection::{Connection, Request};
use dial::Dialer;
use follow::Watched;
use inbox::Heard;
use object::Object;
use parking_lot::Mutex;
use pool::Pool;
use proto::mcp::code;
use serde_json::value::RawValue;
use served::Ear;
use shared::tasks::Tasks;
use shared::tool::Output;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tools::{Known, Taken};

/// Longest arguments shown to somebody who approves, in characters.
const SHOWN: usize = 2000;

/// One server, as registered.
#[derive(Clone)]
pub struct McpConfig {
    /// Its name among the services, and the namespace of its tools: `[a-z0-9_]+`.
    pub name: Arc<str>,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Who shares a connection.
    pub isolation: Isolation,
    /// Whether it may ask clients (sampling, elicitation, roots).
    pub interactive: bool,
    /// How effects of its tools are found.
    pub effects: Effects,
    /// How long one call may take.
    pub timeout: Duration,
    /// Most starts of a child process in a minute; at least 1.
    pub starts_per_minute: usize,
}

/// The client of one server; share it in an `Arc`.
pub struct McpServer {
    name: Arc<str>,
    effects: Effects,
    timeout: Duration,
    pool: Arc<Pool>,
    tasks: Tasks,
    tools: ArcSwap<Taken>,
    offered: ArcSwap<Offered>,
    lists: lists::Fresh,
    /// Held while lists are fetched.
    fetching: tokio::sync::Mutex<()>,
    description: Mutex<Option<Description>>,
    watched: Arc<Watched>,
    changes: Changes,
}

/// What a server says of itself, for operators.
#[derive(Debug, Clone)]
pub struct McpView {
    /// The revision of the open connection; `None` when none is open.
    pub revision: Option<String>,
    /// The name and version the server gives; for display only.
    pub server_info: Option<(String, String)>,
    /// Open connections.
    pub connections: usize,
}

impl McpServer {
    /// A client that has not connected yet. `changed` is told when the server says that its tools
    /// changed; what else changes is told through `changes`.
    #[must_use]
    pub fn new(
        config: McpConfig,
        changes: &Changes,
        changed: Arc<Notify>,
        tasks: Tasks,
    ) -> Arc<Self> {
        let lists = lists::Fresh::default();
        let watched = Arc::new(Watched::default());
        let ear = Ear {
            name: Arc::clone(&config.name),
            changes: changes.clone(),
            lists: lists.clone(),
            watched: Arc::clone(&watched),
            changed,
        };
        let dialer = Dialer {
            server: Arc::clone(&config.name),
            endpoint: config.endpoint,
            tasks: tasks.clone(),
            heard: Arc::new(move |what| ear.hear(&what)),
        };
        let pool = Pool::new(
            dialer,
            config.isolation,
            config.interactive,
            config.starts_per_minute.max(1),
        );
        let server = Arc::new(Self {
            name: config.name,
            effects: config.effects,
            timeout: config.timeout,
            pool: Arc::new(pool),
            tasks: tasks.clone(),
            tools: ArcSwap::default(),
            offered: ArcSwap::default(),
            lists,
            fetching: tokio::sync::Mutex::default(),
            description: Mutex::default(),
            watched: Arc::clone(&watched),
            changes: changes.clone(),
        });
        let following = follow::follow(Arc::clone(&server.pool), watched);
        let stop = tasks.token();
        tasks.spawn("follow a server", async move {
            tokio::select! {
                () = following => {}
                () = stop.cancelled() => {}
            }
        });
        server
    }

    /// How it is connected, for operators.
    #[must_use]
    pub fn view(&self) -> McpView {
        let open = self.pool.open();
        let opening = open.as_ref().map(|it| &it.opening);
        McpView {
            revision: opening.map(|it| it.era.version().to_owned()),
            server_info: opening.map(|it| (it.name.clone(), it.version.clone())),
            connections: self.pool.count(),
        }
    }

    /// Ends every connection; calls in flight fail.
    pub async fn close(&self) {
        self.watched.close();
        self.pool.close().await;
    }

    /// Asks for the lists again where they may have changed.
    async fn refresh(&self) -> Result<Description, UpstreamError> {
        let connection = self.pool.shared().await?;
        let _one_at_a_time = self.fetching.lock().await;
        let known = self.description.lock().clone();
        let stale = self.lists.stale(&connection);
        let described = match known {
            Some(known) if !stale.tools => Ok(known),
            _ => self.fetch_tools(&connection).await,
        };
        let offered = match stale.resources || stale.prompts {
            true => self.fetch_offers(&connection, stale).await,
            false => Ok(()),
        };
        // What else it offers may fail without costing its tools.
        if let Err(error) = &offered {
            tracing::warn!(event = "offers_stale", server = &*self.name, %error,
                "the resources and prompts of a server could not be listed");
            let mut before = Offered::clone(&self.offered.load());
            before.stale = true;
            self.offered.store(Arc::new(before));
        }
        if described.is_ok() && offered.is_ok() {
            self.lists.fetched(&connection);
        } else {
            self.lists.again(stale);
        }
        described
    }

    async fn fetch_tools(&self, connection: &Connection) -> Result<Description, UpstreamError> {
        let definitions = match connection.offers("tools") {
            true => lists::all(connection, "tools/list", "tools").await?,
            false => Vec::new(),
        };
        let taken = tools::taken(&self.name, &definitions, &self.effects);
        let description = Description {
            service: Arc::clone(&self.name),
            version: connection.opening.version.clone(),
            boot_id: String::new(),
            namespaces: vec![self.name.to_string()],
            manifest_digest: super::manifest_digest(&taken.facts),
            tools: taken.facts.clone(),
            canary: None,
        };
        self.tools.store(Arc::new(taken));
        *self.description.lock() = Some(description.clone());
        Ok(description)
    }

    async fn fetch_offers(
        &self,
        connection: &Connection,
        stale: lists::Stale,
    ) -> Result<(), UpstreamError> {
        let before = self.offered.load_full();
        let offered = lists::offered(connection, stale, &before).await?;
        let changes = lists::differ(&self.name, &before, &offered);
        self.offered.store(Arc::new(offered));
        for change in changes {
            self.changes.tell(change);
        }
        Ok(())
    }

    async fn known(&self, call: &UpstreamCall) -> Result<Known, UpstreamError> {
        let find = || self.tools.load().known.get(&call.tool).cloned();
        if let Some(known) = find() {
            return Ok(known);
        }
        self.refresh().await?;
        find().ok_or_else(|| UpstreamError::Refused("the server has no such tool now".into()))
    }

    async fn run(&self, permit: &Permit, call: &UpstreamCall) -> Result<Output, UpstreamError> {
        let known = self.known(call).await?;
        let hands_on = permit.grant().is_none();
        let result = match self.attempt(&known, call, hands_on).await {
            // The headers follow a schema the server has changed: look again, once.
            Err(UpstreamError::Peer(error)) if error.code == i64::from(code::HEADER_MISMATCH) => {
                self.lists.heard(&Heard::Tools);
                self.refresh().await?;
                let known = self.known(call).await?;
                self.attempt(&known, call, hands_on).await?
            }
            other => other?,
        };
        answers::output(result)
    }

    async fn attempt(
        &self,
        known: &Known,
        call: &UpstreamCall,
        hands_on: bool,
    ) -> Result<Box<RawValue>, UpstreamError> {
        let connection = self.pool.of(&call.call.principal, &call.bridge).await?;
        let arguments = String::from_utf8(call.arguments.to_vec())
            .map_err(|error| UpstreamError::Refused(format!("the arguments: {error}")))?;
        let arguments = RawValue::from_string(arguments)
            .map_err(|error| UpstreamError::Refused(format!("the arguments: {error}")))?;
        let mirrored = match connection.is_modern() {
            true => tools::headers(known, call.arguments.as_ref())?,
            false => Vec::new(),
        };
        let make = || {
            let mut params = Object::default();
            params.put("name", &*known.name);
            params.set("arguments", arguments.clone());
            Request {
                name: Some(known.name.to_string()),
                mirrored: mirrored.clone(),
                traceparent: call.call.traceparent.clone(),
                progress: call.call.progress.clone(),
                bridge: call.bridge.clone(),
                ..Request::new("tools/call", params)
            }
        };
        answers::complete(&connection, make, hands_on).await
    }

    async fn get(&self, call: &OfferCall) -> Result<Box<RawValue>, UpstreamError> {
        let connection = self.pool.of(&call.call.principal, &call.bridge).await?;
        let mut params = Object::read(&call.params, "the parameters")?;
        for own in ["_meta", "inputResponses", "requestState"] {
            params.remove(own);
        }
        aim(&mut params, call);
        let make = || Request {
            name: match call.method {
                OfferMethod::Complete => None,
                _ => Some(call.target.to_string()),
            },
            traceparent: call.call.traceparent.clone(),
            progress: call.call.progress.clone(),
            bridge: call.bridge.clone(),
            ..Request::new(call.method.as_str(), params.clone())
        };
        answers::complete(&connection, make, true).await
    }
}

/// Puts the server's own name in the place of the one the host used.
fn aim(params: &mut Object, call: &OfferCall) {
    match call.method {
        OfferMethod::ReadResource => params.put("uri", &*call.target),
        OfferMethod::GetPrompt => params.put("name", &*call.target),
        OfferMethod::Complete => {
            let mut reference = params.object("ref").unwrap_or_default();
            let member = if reference.get("uri").is_some() {
                "uri"
            } else {
                "name"
            };
            reference.put(member, &*call.target);
            params.set("ref", reference.to_raw());
        }
    }
}

impl Drop for McpServer {
    fn drop(&mut self) {
        self.watched.close();
        if self.tasks.is_stopping() {
            return;
        }
        let pool = Arc::clone(&self.pool);
        self.tasks
            .spawn("end a server", async move { pool.close().await });
    }
}

#[cfg(test)]
mod tests;
