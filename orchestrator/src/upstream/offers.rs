//! What an upstream offers beside tools, and the way back to the caller: the one internal form in
//! which MCP of either era meets MCP of either era.
//!
//! Three things stand here:
//!
//! 1. [`Offers`]: resources, templates, prompts, completions and subscriptions of an upstream.
//!    `gateway` finds, decides and records; only it calls [`Offers::fetch`], with a `Permit`.
//! 2. [`Host`]: what an upstream may ask of the caller's client while a call runs (sampling,
//!    elicitation, roots) and tell it (log messages). A door implements it; a caller without a client
//!    that can answer is [`Bridge::none`].
//! 3. [`InputRequired`] and [`Resumed`]: the stateless form of the same (revision 2026-07-28).
//!
//! How the eras meet (`host → server`):
//!
//! | | stateless server (2026-07-28) | server with sessions |
//! |---|---|---|
//! | **stateless host** | [`Host::takes_input_required`]: the call ends with `UpstreamError::InputRequired`, the door hands it on and comes back with [`Bridge::resumed`] | the server's request becomes [`Host::ask`]; the door answers `input_required` with a sealed state of its own, keeps the call, and feeds the answers to it when the host retries |
//! | **host with sessions** | [`Host::ask`] gets all requests of one `input_required`, then the hub calls the server again with the answers | each request of the server becomes one [`Host::ask`] |
//!
//! An approval is used once, so a call that runs under a grant never ends with `InputRequired`: it is
//! held and asked about, whatever the host takes.
//!
//! What is not here: frames of any door, frames of any server, and who may do what.

mod known;

pub use known::{Changes, Offer, OfferKind, Offered};

use super::UpstreamError;
use crate::policy::Permit;
use async_trait::async_trait;
use serde_json::value::RawValue;
use shared::tool::Call;
use std::fmt;
use std::sync::Arc;

/// What an upstream offers beside tools.
#[async_trait]
pub trait Offers: Send + Sync {
    /// What it is known to offer now, without asking it. Changes are told through [`Changes`].
    fn offered(&self) -> Arc<Offered>;

    /// Makes one request. Dropping the future cancels it, in the manner of the server's era.
    ///
    /// # Errors
    /// [`UpstreamError`]; [`UpstreamError::Peer`] is the server's own error, to be handed on.
    async fn fetch(
        &self,
        permit: &Permit,
        call: &OfferCall,
    ) -> Result<Box<RawValue>, UpstreamError>;

    /// Wants to hear when a resource changes ([`Change::Resource`]), until the watch is dropped.
    /// Watches of one resource share one subscription at the server.
    ///
    /// # Errors
    /// [`UpstreamError::Refused`] when the server has no subscriptions.
    async fn watch(&self, permit: &Permit, uri: &str) -> Result<Watch, UpstreamError>;
}

/// What can be asked of [`Offers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OfferMethod {
    /// `resources/read`.
    ReadResource,
    /// `prompts/get`.
    GetPrompt,
    /// `completion/complete`.
    Complete,
}

impl OfferMethod {
    /// The method on the wire, the same in every revision.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadResource => "resources/read",
            Self::GetPrompt => "prompts/get",
            Self::Complete => "completion/complete",
        }
    }
}

/// One request on its way.
#[derive(Debug, Clone)]
pub struct OfferCall {
    /// Which.
    pub method: OfferMethod,
    /// The server's own URI or name: replaces `uri`, `name`, or the name in `ref`.
    pub target: Arc<str>,
    /// `params` as the host sent them, an object. Members the hub does not know are forwarded;
    /// `_meta` is written anew, with the host's members that are not the protocol's.
    pub params: Box<RawValue>,
    /// Principal, deadline, cancellation, progress.
    pub call: Call,
    /// The way back.
    pub bridge: Bridge,
}

/// The way back to the caller's client, and what it brought along. Cheap to clone.
#[derive(Clone)]
pub struct Bridge {
    /// The client.
    pub host: Arc<dyn Host>,
    /// Answers to an earlier `input_required` of the same call; `None` for a first try.
    pub resumed: Option<Arc<Resumed>>,
    /// The caller's `_meta`, an object: the members that are not the protocol's or the hub's go to
    /// the server. `None` when there was none.
    pub meta: Option<Arc<RawValue>>,
    /// The session of the caller's client, for servers that run once per session; `None` without one.
    pub session: Option<Arc<str>>,
}

impl Bridge {
    /// Nobody who can be asked: REST, workflows, tests.
    #[must_use]
    pub fn none() -> Self {
        Self::to(Arc::new(Nobody))
    }

    /// A client, with nothing brought along.
    #[must_use]
    pub fn to(host: Arc<dyn Host>) -> Self {
        Self {
            host,
            resumed: None,
            meta: None,
            session: None,
        }
    }
}

impl Default for Bridge {
    fn default() -> Self {
        Self::none()
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("resumed", &self.resumed.is_some())
            .field("session", &self.session.is_some())
            .finish_non_exhaustive()
    }
}

/// The client of one call, as an upstream may use it while the call runs.
#[async_trait]
pub trait Host: Send + Sync {
    /// What it can be asked. The capabilities an upstream is told of are these, and nothing is asked
    /// beyond them.
    fn abilities(&self) -> HostAbilities;

    /// Whether the call may end with [`UpstreamError::InputRequired`], to be made again with
    /// [`Bridge::resumed`].
    fn takes_input_required(&self) -> bool {
        false
    }

    /// The least severity of log messages it wants, such as `info`; `None` for none at all.
    fn log_level(&self) -> Option<Arc<str>> {
        None
    }

    /// Asks the client and waits. `server` is the registered name of who asks: an elicitation must
    /// show it. Answers come in the order of the requests. The call's deadline goes on.
    ///
    /// # Errors
    /// [`HostRefusal`]; the upstream tells the server in the manner of its era.
    async fn ask(
        &self,
        server: &str,
        requests: Vec<HostRequest>,
    ) -> Result<Vec<Box<RawValue>>, HostRefusal>;

    /// A log message of the server: `params` of `notifications/message`, as it was written. Must not
    /// block.
    fn log(&self, server: &str, params: &RawValue);
}

/// What a client can be asked: each member is the capability as the client declared it.
#[derive(Debug, Clone, Default)]
pub struct HostAbilities {
    /// `elicitation`; `None` when it cannot.
    pub elicitation: Option<Arc<RawValue>>,
    /// `sampling`; `None` when it cannot.
    pub sampling: Option<Arc<RawValue>>,
    /// `roots`; `None` when it cannot.
    pub roots: Option<Arc<RawValue>>,
}

impl HostAbilities {
    /// Whether it can be asked nothing at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.elicitation.is_none() && self.sampling.is_none() && self.roots.is_none()
    }

    /// Whether it can be asked this.
    #[must_use]
    pub fn allow(&self, method: &str) -> bool {
        match method {
            "elicitation/create" => self.elicitation.is_some(),
            "sampling/createMessage" => self.sampling.is_some(),
            "roots/list" => self.roots.is_some(),
            _ => false,
        }
    }
}

/// One request of a server to the client.
#[derive(Debug, Clone)]
pub struct HostRequest {
    /// Its key in `inputRequests`; made up for servers with sessions.
    pub key: String,
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: String,
    /// `params`, as the server wrote them; `None` when it wrote none.
    pub params: Option<Box<RawValue>>,
}

/// Why a client gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostRefusal {
    /// There is no client, or it cannot be asked this.
    #[error("the client cannot be asked this")]
    Unable,
    /// It answered with an error: code and message.
    #[error("the client refused: {1}")]
    Refused(i64, String),
    /// It went away, or did not answer in time.
    #[error("the client gave no answer")]
    Gone,
}

/// An answer of a stateless server that wants to know more first. Nothing has been done.
#[derive(Debug, Clone)]
pub struct InputRequired {
    /// The complete result, `resultType` and all, as the server wrote it.
    pub json: Box<RawValue>,
}

/// What a host brings when it makes a call again after an `input_required` that was handed to it.
#[derive(Debug, Clone)]
pub struct Resumed {
    /// `inputResponses`, an object; `None` when there were no requests.
    pub responses: Option<Box<RawValue>>,
    /// `requestState`, a string as JSON, exactly as the server gave it; `None` when it gave none.
    pub state: Option<Box<RawValue>>,
}

/// The server's own error, as it wrote it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {message}")]
pub struct PeerError {
    /// JSON-RPC code.
    pub code: i64,
    /// For people.
    pub message: String,
    /// `data`, as the server wrote it; `None` when it wrote none.
    pub data: Option<Box<RawValue>>,
}

/// Something an upstream says has changed. Tools are told by the registry's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Its prompts.
    Prompts {
        /// The registered name of the server.
        server: Arc<str>,
    },
    /// Its resources or templates.
    Resources {
        /// The registered name of the server.
        server: Arc<str>,
    },
    /// One resource that somebody watches.
    Resource {
        /// The registered name of the server.
        server: Arc<str>,
        /// The server's own URI.
        uri: Arc<str>,
    },
}

/// Keeps a subscription alive; dropping the last one of a resource ends it at the server.
pub struct Watch(Option<Box<dyn FnOnce() + Send>>);

impl Watch {
    /// Calls `end` when dropped.
    #[must_use]
    pub fn ending(end: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

struct Nobody;

#[async_trait]
impl Host for Nobody {
    fn abilities(&self) -> HostAbilities {
        HostAbilities::default()
    }

    async fn ask(
        &self,
        _server: &str,
        _requests: Vec<HostRequest>,
    ) -> Result<Vec<Box<RawValue>>, HostRefusal> {
        Err(HostRefusal::Unable)
    }

    fn log(&self, _server: &str, _params: &RawValue) {}
}
