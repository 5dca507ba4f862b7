//! Calls that wait for an answer of a stateless host.
//!
//! A server with sessions asks while its call runs; a stateless host is asked by ending its request
//! with `input_required`. So the hub keeps the call, gives the host a state that nobody can guess, and
//! goes on with the call when the host comes back with that state and the answers. The state is good
//! for the same principal and the same request only, once, on this hub, and for a while.

use super::asking::{Told, message, severe_enough, shown};
use super::deferred::Deferral;
use super::exchange::Spoken;
use super::render::server_info;
use super::reports::{Reports, Wanted};
use super::splice::{Members, Object};
use super::work::{Outcome, Voice, Work};
use crate::error::CallError;
use crate::upstream::offers::{Host, HostAbilities, HostRefusal, HostRequest};
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use proto::mcp::META_SERVER_INFO;
use serde_json::json;
use serde_json::value::RawValue;
use shared::tasks::Tasks;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Calls kept at a time.
const MAX_HELD: usize = 256;
/// How long a call is kept; its own deadline may be earlier.
const KEPT: Duration = Duration::from_secs(600);
/// Questions a server puts at once are sent together when they come this close.
const TOGETHER: Duration = Duration::from_millis(25);
/// Questions one call may have open.
const MAX_OPEN: usize = 32;
/// How the hub's own states start.
const MARK: &str = "waygate-held-";

/// Every call that is kept.
#[derive(Default)]
pub struct Held(Mutex<HashMap<String, Entry>>);

struct Entry {
    ongoing: Ongoing,
    binding: Binding,
    over: Instant,
}

/// What a state is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    /// The principal's id.
    pub(super) principal: Arc<str>,
    /// A digest over method, target and arguments.
    pub(super) request: String,
}

/// A call that runs.
pub(super) struct Ongoing {
    task: JoinHandle<Outcome>,
    /// Its host.
    pub(super) host: Arc<StatelessHost>,
    /// Ends it.
    pub(super) cancelled: CancellationToken,
}

/// A host that is asked by `input_required`.
pub struct StatelessHost {
    /// What it declared with the request.
    pub abilities: HostAbilities,
    /// MCP's word for the least severity of log messages it wants; `None` for none.
    pub level: Option<Arc<str>>,
    /// The stream of the request that is being answered.
    pub reports: Reports,
    /// Elicitations name the server that asks.
    pub names_server: bool,
    open: Mutex<Vec<Question>>,
    asked: Notify,
}

struct Question {
    number: u64,
    key: String,
    method: String,
    params: Option<Box<RawValue>>,
    answer: oneshot::Sender<Told>,
}

impl Held {
    /// Whether a state is one the hub made.
    #[must_use]
    pub(super) fn made(state: &str) -> bool {
        state.starts_with(MARK)
    }

    /// Keeps a call and names it; gives it back when there are too many.
    fn keep(&self, ongoing: Ongoing, binding: Binding) -> Result<String, Box<Ongoing>> {
        let now = Instant::now();
        let mut all = self.0.lock();
        all.retain(|_, entry| entry.over > now);
        if all.len() >= MAX_HELD {
            return Err(Box::new(ongoing));
        }
        let random = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>());
        let state = format!("{MARK}{random}");
        let entry = Entry {
            ongoing,
            binding,
            over: now + KEPT,
        };
        all.insert(state.clone(), entry);
        Ok(state)
    }

    /// Takes a call back; `None` when the state is unknown, over, or for something else.
    #[must_use]
    pub(super) fn take(&self, state: &str, binding: &Binding) -> Option<Ongoing> {
        let mut all = self.0.lock();
        let entry = all.get(state)?;
        if entry.over <= Instant::now() || entry.binding != *binding {
            return None;
        }
        all.remove(state).map(|entry| entry.ongoing)
    }
}

impl Ongoing {
    /// Starts work on its own feet.
    #[must_use]
    pub(super) fn start(work: Work, host: Arc<StatelessHost>, tasks: &Tasks) -> (Self, Voice) {
        let task = tasks.spawn("call for a stateless host", work.run);
        let ongoing = Self {
            task,
            host,
            cancelled: work.cancelled,
        };
        (ongoing, work.voice)
    }

    /// The answer to this request: what the call comes to, or what it asks.
    /// With a `deferral` it may become a task.
    pub(super) async fn answer(
        mut self,
        held: &Held,
        binding: Binding,
        voice: Voice,
        deferral: Option<Deferral>,
    ) -> Spoken {
        let host = Arc::clone(&self.host);
        let asks = tokio::select! {
            biased;
            outcome = &mut self.task => return voice.spoken(finished(outcome)),
            () = due(deferral.as_ref()) => None,
            () = host.asks() => Some(host.requests()),
        };
        let Some(asks) = asks else {
            let kept = match deferral {
                Some(deferral) => deferral.keep(self, voice).await,
                None => Err(Box::new((self, voice))),
            };
            return match kept {
                Ok(spoken) => spoken,
                Err(back) => {
                    let (ongoing, voice) = *back;
                    Box::pin(ongoing.answer(held, binding, voice, None)).await
                }
            };
        };
        match held.keep(self, binding) {
            Ok(state) => voice.success(&input_required(&asks, &state)),
            Err(_cancelled) => voice.spoken(Err(CallError::Stopping)),
        }
    }

    /// What the call comes to.
    pub(super) async fn outcome(mut self) -> Outcome {
        finished((&mut self.task).await)
    }
}

/// Returns when a call is to become a task; never without a deferral.
async fn due(deferral: Option<&Deferral>) {
    match deferral {
        Some(deferral) => deferral.due().await,
        None => std::future::pending().await,
    }
}

impl Drop for Ongoing {
    /// Nobody can come back to it.
    fn drop(&mut self) {
        self.cancelled.cancel();
    }
}

fn finished(outcome: Result<Outcome, tokio::task::JoinError>) -> Outcome {
    outcome.unwrap_or_else(|error| {
        tracing::error!(event = "call_broke", %error, "a call ended badly");
        Err(CallError::Internal)
    })
}

fn input_required(requests: &RawValue, state: &str) -> Vec<u8> {
    Object::default()
        .with("resultType", "input_required")
        .with("inputRequests", requests)
        .with("requestState", state)
        .with("_meta", &json!({ META_SERVER_INFO: server_info() }))
        .json()
}

impl StatelessHost {
    /// A host that was asked nothing yet.
    #[must_use]
    pub fn new(abilities: HostAbilities, level: Option<Arc<str>>, reports: Reports) -> Self {
        Self {
            abilities,
            level,
            reports,
            names_server: true,
            open: Mutex::default(),
            asked: Notify::new(),
        }
    }

    /// Answers what is answered by `responses`; the rest stays open. `wanted` is what the request that
    /// brought them wants to hear.
    pub(super) fn answered(&self, responses: Option<&RawValue>, wanted: Wanted) {
        self.reports.rebind(wanted);
        let Some(responses) = responses.and_then(Members::of) else {
            return;
        };
        let mut open = self.open.lock();
        for (key, response) in responses.iter() {
            let known = open.iter().position(|question| question.key == key);
            let (Some(at), true) = (known, response.get().starts_with('{')) else {
                continue;
            };
            let question = open.remove(at);
            if question.answer.send(Ok(response.to_owned())).is_err() {
                tracing::debug!(
                    event = "answer_unheard",
                    "nobody waits for this answer any more"
                );
            }
        }
    }

    /// Returns when there is something to ask, and what else comes at once.
    async fn asks(&self) {
        while self.open.lock().is_empty() {
            self.asked.notified().await;
        }
        tokio::time::sleep(TOGETHER).await;
    }

    /// Whether a question is open.
    pub(super) fn is_asking(&self) -> bool {
        !self.open.lock().is_empty()
    }

    /// The open questions, by their keys.
    pub(super) fn requests(&self) -> Box<RawValue> {
        let mut all = Object::default();
        for question in self.open.lock().iter() {
            let mut one = Object::default().with("method", &question.method);
            if let Some(params) = &question.params {
                one.put("params", params);
            }
            all.put(&question.key, &one.raw());
        }
        all.raw()
    }

    /// Opens a question under the key the server wished for, or one like it.
    fn open(
        self: &Arc<Self>,
        request: HostRequest,
        server: Option<&str>,
    ) -> Option<(Place, oneshot::Receiver<Told>)> {
        let (answer, told) = oneshot::channel();
        let params = shown(&request, server);
        let number = rand::random();
        let mut open = self.open.lock();
        if open.len() >= MAX_OPEN {
            return None;
        }
        let taken = open.iter().any(|question| question.key == request.key);
        let key = if taken {
            format!("{}-{number:x}", request.key)
        } else {
            request.key
        };
        open.push(Question {
            number,
            key,
            method: request.method,
            params,
            answer,
        });
        drop(open);
        self.asked.notify_one();
        Some((Place(Arc::clone(self), number), told))
    }
}

/// An open question; closed when this is dropped.
struct Place(Arc<StatelessHost>, u64);

impl Drop for Place {
    fn drop(&mut self) {
        self.0
            .open
            .lock()
            .retain(|question| question.number != self.1);
    }
}

/// [`StatelessHost`] as servers see it.
pub struct Asker(pub Arc<StatelessHost>);

#[async_trait]
impl Host for Asker {
    fn abilities(&self) -> HostAbilities {
        self.0.abilities.clone()
    }

    fn takes_input_required(&self) -> bool {
        true
    }

    fn log_level(&self) -> Option<Arc<str>> {
        self.0.level.clone()
    }

    async fn ask(
        &self,
        server: &str,
        requests: Vec<HostRequest>,
    ) -> Result<Vec<Box<RawValue>>, HostRefusal> {
        let mut open = Vec::with_capacity(requests.len());
        for request in requests {
            if !self.0.abilities.allow(&request.method) {
                return Err(HostRefusal::Unable);
            }
            let server = self.0.names_server.then_some(server);
            open.push(self.0.open(request, server).ok_or(HostRefusal::Gone)?);
        }
        let mut answers = Vec::with_capacity(open.len());
        for (place, told) in open {
            let told = told.await.map_err(|gone| {
                tracing::debug!(event = "question_dropped", %gone, "a question is over");
                HostRefusal::Gone
            })?;
            drop(place);
            answers.push(told.map_err(|(code, message)| HostRefusal::Refused(code, message))?);
        }
        Ok(answers)
    }

    fn log(&self, _server: &str, params: &RawValue) {
        if let Some(least) = &self.0.level
            && severe_enough(params, least)
        {
            self.0.reports.push_line(message(params));
        }
    }
}
