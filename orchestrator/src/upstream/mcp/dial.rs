//! Opening a connection: finding out which era a server speaks, and greeting it in that.
//!
//! `server/discover` is tried first. Only an answer is evidence: a refused credential, a server error
//! or a lost connection says nothing about the era. A child that does not survive the question is
//! started once more and greeted in the old way.

use super::carrier::Carrier;
use super::connection::{self, Connection, Era, Opening, Request};
use super::http::Http;
use super::inbox::{Heard, Inbox};
use super::object::{Object, raw};
use super::sse::Sse;
use super::stdio::Stdio;
use super::web::{Credentials, Web};
use crate::upstream::UpstreamError;
use crate::upstream::offers::{HostAbilities, PeerError};
use proto::mcp::{LEGACY, MODERN, code};
use serde_json::value::RawValue;
use shared::exec::{Executor, Run};
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// How long a child may be silent before it is taken for an old one.
const SILENCE: Duration = Duration::from_secs(5);
/// How long the answer of a server that is to be listened to is waited for.
const LISTENING: Duration = Duration::from_millis(500);
/// The oldest revision, which some servers of HTTP with SSE agree on.
const OLDEST: &str = "2024-11-05";

/// Where a server is.
#[derive(Clone)]
pub enum Endpoint {
    /// A child process.
    Stdio {
        /// The program.
        run: Run,
        /// Starts it.
        executor: Executor,
    },
    /// Streamable HTTP, or HTTP with SSE where that is what answers.
    Http {
        /// The endpoint.
        url: Url,
        /// Connects to permitted addresses only.
        client: reqwest::Client,
        /// Proves the hub.
        credentials: Arc<dyn Credentials>,
    },
    /// HTTP with SSE only.
    Sse {
        /// The stream.
        url: Url,
        /// Connects to permitted addresses only.
        client: reqwest::Client,
        /// Proves the hub.
        credentials: Arc<dyn Credentials>,
    },
}

/// Opens connections to one server.
pub(super) struct Dialer {
    pub(super) server: Arc<str>,
    pub(super) endpoint: Endpoint,
    pub(super) tasks: Tasks,
    pub(super) heard: Arc<dyn Fn(Heard) + Send + Sync>,
}

impl Dialer {
    /// Opens a connection. `known` is the verdict of an earlier one.
    pub(super) async fn dial(
        &self,
        known: Option<&Era>,
        abilities: &HostAbilities,
    ) -> Result<Connection, UpstreamError> {
        let result = match (&self.endpoint, known) {
            (Endpoint::Sse { .. }, _) => self.greet(self.sse().await?, abilities).await,
            (_, None | Some(Era::Modern)) => self.ask(abilities).await,
            (_, Some(Era::Legacy(_))) => self.greet(self.open()?, abilities).await,
        };
        match (result, &self.endpoint) {
            (Err(UpstreamError::BadAnswer(_)), Endpoint::Http { .. }) => {
                self.greet(self.sse().await?, abilities).await
            }
            (result, _) => result,
        }
    }

    /// Asks a server of unknown era.
    async fn ask(&self, abilities: &HostAbilities) -> Result<Connection, UpstreamError> {
        let draft = self.open()?;
        draft.carrier.agreed(MODERN);
        let is_child = matches!(self.endpoint, Endpoint::Stdio { .. });
        let mut answer = discover(&draft, is_child).await;
        // It names the very revision it refused: it is asked again, once.
        if let Err(UpstreamError::Peer(error)) = &answer
            && error.code == i64::from(code::UNSUPPORTED_VERSION)
            && names(error, &[MODERN])
        {
            answer = discover(&draft, is_child).await;
        }
        match verdict(answer, is_child) {
            Verdict::Modern(opening) => Ok(draft.opened(opening)),
            Verdict::Legacy if !is_child => self.greet(self.open()?, abilities).await,
            Verdict::Legacy => match self.greet_again(draft, abilities).await {
                Ok(connection) => Ok(connection),
                Err(error) => {
                    tracing::debug!(event = "server_respawned", %error, "a server did not survive the question for its era");
                    self.greet(self.open()?, abilities).await
                }
            },
            Verdict::None(error) => {
                draft.close().await;
                Err(error)
            }
        }
    }

    /// Greets a child that has heard a question it did not understand.
    async fn greet_again(
        &self,
        draft: Connection,
        abilities: &HostAbilities,
    ) -> Result<Connection, UpstreamError> {
        if draft.inbox.is_closed() {
            draft.close().await;
            return Err(UpstreamError::Lost("the server has ended".into()));
        }
        self.greet(draft, abilities).await
    }

    /// `initialize`, and what follows it.
    async fn greet(
        &self,
        draft: Connection,
        abilities: &HostAbilities,
    ) -> Result<Connection, UpstreamError> {
        let newest = Era::Legacy(LEGACY.first().copied().unwrap_or(OLDEST).to_owned());
        let mut params = Object::default();
        params.put("protocolVersion", newest.version());
        params.set("capabilities", connection::capabilities(abilities).to_raw());
        params.set("clientInfo", connection::client_info());
        let greeting = Request::new("initialize", params);
        let answer = match connection::exchange(&draft, &newest, greeting).await {
            Ok(answer) => answer,
            Err(error) => {
                draft.close().await;
                return Err(error);
            }
        };
        let opening = match initialized(&answer) {
            Ok(opening) => opening,
            Err(error) => {
                draft.close().await;
                return Err(error);
            }
        };
        draft.carrier.agreed(opening.era.version());
        let ready = connection::notification("notifications/initialized", &Object::default());
        draft.carrier.send(ready).await?;
        let listening = draft.carrier.listening();
        let (carrier, closed) = (Arc::clone(&draft.carrier), draft.inbox.closed());
        self.tasks.spawn("listen to a server", async move {
            tokio::select! {
                () = carrier.listen() => {}
                () = closed.cancelled() => {}
            }
        });
        if let Some(listening) = listening {
            // Some servers drop what they ask while nobody listens. One that is slow to answer is
            // used all the same.
            let answered = timeout(LISTENING, listening.cancelled()).await;
            tracing::trace!(
                event = "listening",
                in_time = answered.is_ok(),
                "a server is listened to"
            );
        }
        Ok(draft.opened(opening))
    }

    /// A connection over which nothing was said yet.
    fn open(&self) -> Result<Connection, UpstreamError> {
        let inbox = self.inbox();
        let carrier: Arc<dyn Carrier> = match &self.endpoint {
            Endpoint::Stdio { run, executor } => Arc::new(Stdio::start(
                executor,
                run,
                &inbox,
                &self.tasks,
                &self.server,
            )?),
            Endpoint::Http {
                url,
                client,
                credentials,
            }
            | Endpoint::Sse {
                url,
                client,
                credentials,
            } => Arc::new(Http::new(
                url.clone(),
                web(client, credentials),
                Arc::clone(&inbox),
                self.tasks.clone(),
            )),
        };
        Ok(self.draft(inbox, carrier))
    }

    async fn sse(&self) -> Result<Connection, UpstreamError> {
        let (Endpoint::Http {
            url,
            client,
            credentials,
        }
        | Endpoint::Sse {
            url,
            client,
            credentials,
        }) = &self.endpoint
        else {
            return Err(UpstreamError::BadAnswer("no HTTP server".into()));
        };
        let inbox = self.inbox();
        let carrier = Sse::open(url, web(client, credentials), &inbox, &self.tasks).await?;
        Ok(self.draft(inbox, Arc::new(carrier)))
    }

    fn inbox(&self) -> Arc<Inbox> {
        let heard = Arc::clone(&self.heard);
        Inbox::new(Arc::clone(&self.server), move |what| heard(what))
    }

    fn draft(&self, inbox: Arc<Inbox>, carrier: Arc<dyn Carrier>) -> Connection {
        Connection {
            inbox,
            carrier,
            opening: Opening {
                era: Era::Modern,
                capabilities: Object::default(),
                name: String::new(),
                version: String::new(),
            },
            tasks: self.tasks.clone(),
        }
    }
}

impl Connection {
    fn opened(mut self, opening: Opening) -> Self {
        self.opening = opening;
        self
    }
}

fn web(client: &reqwest::Client, credentials: &Arc<dyn Credentials>) -> Web {
    Web {
        client: client.clone(),
        credentials: Arc::clone(credentials),
    }
}

async fn discover(draft: &Connection, is_child: bool) -> Result<Box<RawValue>, UpstreamError> {
    let question = Request::new("server/discover", Object::default());
    let asked = connection::exchange(draft, &Era::Modern, question);
    match is_child {
        true => timeout(SILENCE, asked)
            .await
            .unwrap_or(Err(UpstreamError::Timeout)),
        false => asked.await,
    }
}

enum Verdict {
    Modern(Opening),
    Legacy,
    None(UpstreamError),
}

fn verdict(answer: Result<Box<RawValue>, UpstreamError>, is_child: bool) -> Verdict {
    match answer {
        Ok(result) => discovered(&result).map_or(Verdict::Legacy, Verdict::Modern),
        Err(UpstreamError::Peer(error)) if is_modern(&error) => {
            Verdict::None(UpstreamError::Peer(error))
        }
        Err(UpstreamError::Peer(_) | UpstreamError::BadAnswer(_)) => Verdict::Legacy,
        Err(UpstreamError::Timeout | UpstreamError::Lost(_)) if is_child => Verdict::Legacy,
        Err(error) => Verdict::None(error),
    }
}

/// A modern server that cannot be talked to; one that names an older revision can.
fn is_modern(error: &PeerError) -> bool {
    let known = [
        code::HEADER_MISMATCH,
        code::MISSING_CAPABILITY,
        code::UNSUPPORTED_VERSION,
    ];
    let modern = known.iter().any(|known| i64::from(*known) == error.code);
    modern && !names(error, &LEGACY)
}

/// Whether an error lists one of these revisions as supported.
fn names(error: &PeerError, revisions: &[&str]) -> bool {
    let supported = error.data.as_deref();
    let supported = supported.and_then(|data| Object::read(data, "data").ok()?.list("supported"));
    supported.is_some_and(|list| {
        list.iter()
            .any(|version| revisions.iter().any(|known| version.get().contains(known)))
    })
}

fn discovered(result: &RawValue) -> Option<Opening> {
    let object = Object::read(result, "the discovery").ok()?;
    let versions = object.list("supportedVersions")?;
    let ours = raw(MODERN);
    if !versions.iter().any(|version| version.get() == ours.get()) {
        return None;
    }
    let info = object
        .object("_meta")
        .and_then(|meta| meta.object(proto::mcp::META_SERVER_INFO));
    Some(opening(Era::Modern, &object, info))
}

fn initialized(result: &RawValue) -> Result<Opening, UpstreamError> {
    let object = Object::read(result, "the greeting")?;
    let version = object.text("protocolVersion").unwrap_or_default();
    if version != OLDEST && !LEGACY.contains(&version.as_str()) {
        return Err(UpstreamError::BadAnswer(
            "the server speaks no revision the hub knows".into(),
        ));
    }
    let info = object.object("serverInfo");
    Ok(opening(Era::Legacy(version), &object, info))
}

fn opening(era: Era, object: &Object, info: Option<Object>) -> Opening {
    let info = info.unwrap_or_default();
    Opening {
        era,
        capabilities: object.object("capabilities").unwrap_or_default(),
        name: info.text("name").unwrap_or_default(),
        version: info.text("version").unwrap_or_default(),
    }
}
