//! One connection to a server, after the opening: requests go out, answers come back, a request that
//! is given up is cancelled in the manner of the server's era.

use super::carrier::{Carrier, Frame};
use super::inbox::Inbox;
use super::object::{Object, raw};
use crate::upstream::UpstreamError;
use crate::upstream::offers::{Bridge, HostAbilities};
use proto::mcp::{META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_PROTOCOL_VERSION, MODERN};
use serde_json::json;
use serde_json::value::RawValue;
use shared::tasks::Tasks;
use shared::tool::Progress;
use std::sync::Arc;

/// Prefixes of `_meta` members that are not handed on: they belong to one leg.
const OWN_META: [&str; 2] = ["io.modelcontextprotocol/", "waygate/"];
const PROGRESS_TOKEN: &str = "progressToken";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// Which family of revisions a server speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Era {
    /// 2026-07-28: every request stands alone.
    Modern,
    /// An older revision, agreed on by `initialize`.
    Legacy(String),
}

impl Era {
    pub(super) fn version(&self) -> &str {
        match self {
            Self::Modern => MODERN,
            Self::Legacy(version) => version,
        }
    }
}

/// What the server said of itself when the connection was opened.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) era: Era,
    pub(super) capabilities: Object,
    /// Its name and version, for display.
    pub(super) name: String,
    pub(super) version: String,
}

/// One connection.
pub(super) struct Connection {
    pub(super) inbox: Arc<Inbox>,
    pub(super) carrier: Arc<dyn Carrier>,
    pub(super) opening: Opening,
    pub(super) tasks: Tasks,
}

/// One request.
pub(super) struct Request {
    pub(super) method: &'static str,
    /// Without `_meta`.
    pub(super) params: Object,
    /// What its headers name.
    pub(super) name: Option<String>,
    /// Arguments its headers repeat.
    pub(super) mirrored: Vec<(String, String)>,
    pub(super) traceparent: Option<String>,
    pub(super) progress: Progress,
    pub(super) bridge: Bridge,
}

impl Request {
    pub(super) fn new(method: &'static str, params: Object) -> Self {
        Self {
            method,
            params,
            name: None,
            mirrored: Vec::new(),
            traceparent: None,
            progress: Progress::ignored(),
            bridge: Bridge::none(),
        }
    }
}

impl Connection {
    pub(super) fn is_modern(&self) -> bool {
        self.opening.era == Era::Modern
    }

    /// Whether the server declared `capability`, such as `tools`.
    pub(super) fn offers(&self, capability: &str) -> bool {
        self.opening.capabilities.get(capability).is_some()
    }

    /// Whether the server declared `member` of `capability`.
    pub(super) fn offers_member(&self, capability: &str, member: &str) -> bool {
        let capability = self.opening.capabilities.object(capability);
        capability.is_some_and(|capability| capability.is_true(member))
    }

    /// Makes a request and waits for its answer. Dropping the future cancels it.
    pub(super) async fn request(&self, request: Request) -> Result<Box<RawValue>, UpstreamError> {
        let era = &self.opening.era;
        exchange(self, era, request).await
    }

    /// Ends the connection; what is in flight fails.
    pub(super) async fn close(&self) {
        self.inbox
            .close(&UpstreamError::Lost("the connection was ended".into()));
        self.carrier.close().await;
    }
}

/// As [`Connection::request`], also before the connection is open.
pub(super) async fn exchange(
    connection: &Connection,
    era: &Era,
    request: Request,
) -> Result<Box<RawValue>, UpstreamError> {
    let Connection {
        inbox,
        carrier,
        tasks,
        ..
    } = connection;
    if inbox.is_closed() {
        return Err(UpstreamError::Unreachable(
            "the connection has ended".into(),
        ));
    }
    let host = Arc::clone(&request.bridge.host);
    let mut waiting = inbox.expect(request.progress.clone(), host);
    let mut cancel = Cancel {
        carrier: Arc::clone(carrier),
        tasks: tasks.clone(),
        id: waiting.id,
        armed: request.method != "initialize",
    };
    let send = carrier.send(frame(&request, era, waiting.id));
    tokio::pin!(send);
    let mut sent = false;
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut waiting.answer => {
                break answer.unwrap_or_else(|_| Err(UpstreamError::Lost("no answer came".into())));
            }
            done = &mut send, if !sent => match done {
                Err(error) => break Err(error),
                Ok(()) if carrier.answers_at_once() && inbox.waits(cancel.id) => {
                    break Err(UpstreamError::BadAnswer("no answer came".into()));
                }
                Ok(()) => sent = true,
            },
        }
    };
    cancel.armed = false;
    answer
}

fn frame(request: &Request, era: &Era, id: u64) -> Frame {
    let mut params = request.params.clone();
    let meta = meta(request, era, id);
    if !meta.is_empty() {
        params.set("_meta", meta.to_raw());
    }
    let mut message = Object::default();
    message.put("jsonrpc", "2.0");
    message.put("id", &id);
    message.put("method", request.method);
    message.set("params", params.to_raw());
    Frame {
        json: message.to_raw().get().to_owned().into(),
        method: Some(request.method),
        name: request.name.clone(),
        params: request.mirrored.clone(),
        id: Some(id),
    }
}

/// `_meta`: the caller's members that are nobody's, then those of this leg.
fn meta(request: &Request, era: &Era, id: u64) -> Object {
    let mut meta = Object::default();
    let given = request.bridge.meta.as_deref();
    let given = given.and_then(|raw| Object::read(raw, "_meta").ok());
    for (name, value) in given.iter().flat_map(Object::iter) {
        let own = name == PROGRESS_TOKEN || OWN_META.iter().any(|prefix| name.starts_with(prefix));
        if !own {
            meta.set(name, value.to_owned());
        }
    }
    if let Some(traceparent) = &request.traceparent {
        meta.put("traceparent", traceparent);
    }
    if request.progress.is_wanted() {
        meta.put(PROGRESS_TOKEN, &id);
    }
    if *era == Era::Modern {
        let host = &request.bridge.host;
        meta.put(META_PROTOCOL_VERSION, MODERN);
        meta.set(
            META_CLIENT_CAPABILITIES,
            capabilities(&host.abilities()).to_raw(),
        );
        meta.set(META_CLIENT_INFO, client_info());
        if let Some(level) = host.log_level() {
            meta.put(LOG_LEVEL, &*level);
        }
    }
    meta
}

/// What the hub can relay to the client behind it.
pub(super) fn capabilities(abilities: &HostAbilities) -> Object {
    let mut object = Object::default();
    let members = [
        ("elicitation", &abilities.elicitation),
        ("sampling", &abilities.sampling),
        ("roots", &abilities.roots),
    ];
    for (name, ability) in members {
        if let Some(value) = ability {
            object.set(name, (**value).to_owned());
        }
    }
    object
}

/// Who the hub is, as a client.
pub(super) fn client_info() -> Box<RawValue> {
    raw(&json!({"name": "waygate", "title": "Waygate", "version": env!("CARGO_PKG_VERSION")}))
}

/// A notification.
pub(super) fn notification(method: &'static str, params: &Object) -> Frame {
    let mut message = Object::default();
    message.put("jsonrpc", "2.0");
    message.put("method", method);
    if !params.is_empty() {
        message.set("params", params.to_raw());
    }
    Frame {
        json: message.to_raw().get().to_owned().into(),
        method: Some(method),
        name: None,
        params: Vec::new(),
        id: None,
    }
}

/// Tells the server, when dropped before the answer, that nobody waits.
struct Cancel {
    carrier: Arc<dyn Carrier>,
    tasks: Tasks,
    id: u64,
    armed: bool,
}

impl Drop for Cancel {
    fn drop(&mut self) {
        if !self.armed || self.carrier.drop_cancels() || self.tasks.is_stopping() {
            return;
        }
        let mut params = Object::default();
        params.put("requestId", &self.id);
        params.put("reason", "the caller gave up");
        let frame = notification("notifications/cancelled", &params);
        let carrier = Arc::clone(&self.carrier);
        self.tasks.spawn("cancel at a server", async move {
            if let Err(error) = carrier.send(frame).await {
                tracing::debug!(event = "cancel_not_sent", %error, "a server was not told of a cancel");
            }
        });
    }
}
