//! Tasks (`io.modelcontextprotocol/tasks`): calls whose host comes back for the answer.
//!
//! The hub decides: a call of a host that knows tasks becomes one when it takes longer than a moment,
//! or waits for the approval of a person. The task stands in the store before its id is given out, and
//! its answer stays there, sealed, until the task is over; an id is good for its principal only. The
//! call itself lives in this process: a hub that is killed leaves a task that failed. Tasks of servers
//! are not passed on; their calls are waited for here.

mod rows;

use super::fault::Fault;
use super::held::{Ongoing, StatelessHost};
use super::methods::{self, Asked};
use super::render::server_info;
use super::reports::Wanted;
use super::splice::{Members, Object};
use super::work::Voice;
use super::{Hub, exchange::Spoken};
use crate::auth::Principal;
use crate::keys::Seal;
use crate::store::instance::Instance;
use crate::store::{StoreError, moment};
use http::StatusCode;
use parking_lot::Mutex;
use proto::mcp::{META_SERVER_INFO, code};
use rows::{Kept, Life, Status};
use serde_json::json;
use serde_json::value::RawValue;
use shared::tasks::Tasks;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Name of the extension.
pub(super) const EXTENSION: &str = "io.modelcontextprotocol/tasks";
/// A call that is done sooner is answered at once.
const MOMENT: Duration = Duration::from_millis(500);
/// How long a task is kept from its beginning.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How often hosts are told to look.
const LOOK_EVERY_MS: u64 = 1000;
/// Tasks in progress on this hub.
const MAX_LIVE: usize = 1024;
/// Tasks in progress of one principal.
const MAX_OWN: usize = 64;

/// Every task in progress on this hub.
pub struct Deferred {
    live: Mutex<HashMap<String, Live>>,
    instance: Instance,
}

struct Live {
    principal: Arc<str>,
    host: Arc<StatelessHost>,
    note: Arc<Note>,
    cancelled: CancellationToken,
}

/// What a call waits for, in words for people.
#[derive(Default)]
pub(super) struct Note {
    text: Mutex<Option<String>>,
    set: Notify,
}

impl Note {
    /// Says what the call waits for from now on.
    pub(super) fn set(&self, text: String) {
        *self.text.lock() = Some(text);
        self.set.notify_one();
    }

    /// The call goes on.
    pub(super) fn clear(&self) {
        *self.text.lock() = None;
    }
}

/// How one call can become a task.
pub(super) struct Deferral {
    all: Arc<Deferred>,
    seal: Arc<Seal>,
    tasks: Tasks,
    principal: Arc<Principal>,
    /// Shared with the call.
    pub(super) note: Arc<Note>,
}

impl Deferral {
    /// `None` when the host of the request does not know tasks, or the request is no tool call.
    #[must_use]
    pub(super) fn of(asked: &Asked<'_>, method: &str) -> Option<Self> {
        let known = method == "tools/call" && declared(asked.meta.client_capabilities);
        known.then(|| Self {
            all: Arc::clone(&asked.hub.deferred),
            seal: Arc::clone(&asked.hub.seal),
            tasks: asked.hub.gateway.tasks.clone(),
            principal: Arc::clone(&asked.caller.principal),
            note: Arc::default(),
        })
    }

    /// Returns when the call has taken long enough to become a task.
    pub(super) async fn due(&self) {
        tokio::select! {
            () = self.note.set.notified() => {}
            () = tokio::time::sleep(MOMENT) => {}
        }
    }

    /// Makes a task of a call; gives the call back when that cannot be.
    pub(super) async fn keep(
        self,
        ongoing: Ongoing,
        voice: Voice,
    ) -> Result<Spoken, Box<(Ongoing, Voice)>> {
        let id = format!("task_{}", hex::encode(rand::random::<[u8; 16]>()));
        let kept = match self.all.enter(&id, &self.principal).await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(event = "not_deferred", %error, "a call could not become a task");
                return Err(Box::new((ongoing, voice)));
            }
        };
        let live = Live {
            principal: Arc::clone(&self.principal.id),
            host: Arc::clone(&ongoing.host),
            note: Arc::clone(&self.note),
            cancelled: ongoing.cancelled.clone(),
        };
        let created = Object::default().with("resultType", "task");
        let created = document(created, &id, &kept, Some(&live)).json();
        let answer = voice.success(&created);
        self.all.live.lock().insert(id.clone(), live);
        let (all, seal) = (self.all, self.seal);
        self.tasks.spawn("deferred call", async move {
            let spoken = voice.spoken(ongoing.outcome().await);
            all.settle(&id, &spoken, &seal).await;
        });
        Ok(answer)
    }
}

/// Why a call did not become a task.
#[derive(Debug, thiserror::Error)]
enum NotDeferred {
    #[error("too many tasks are in progress")]
    TooMany,
    #[error("the task could not be kept")]
    Store(#[from] StoreError),
}

impl Deferred {
    /// No tasks yet.
    #[must_use]
    pub fn new(instance: Instance) -> Self {
        Self {
            live: Mutex::default(),
            instance,
        }
    }

    async fn enter(&self, id: &str, principal: &Principal) -> Result<Kept, NotDeferred> {
        {
            let live = self.live.lock();
            let own = live.values().filter(|it| it.principal == principal.id);
            if live.len() >= MAX_LIVE || own.count() >= MAX_OWN {
                return Err(NotDeferred::TooMany);
            }
        }
        let now = self.instance.clock().now();
        let over = now.checked_add(KEPT).unwrap_or(jiff::Timestamp::MAX);
        let life = Life { now, over };
        let insert = rows::insert(id, principal, self.instance.id(), life);
        self.instance.store().write(insert).await?;
        let at = crate::store::micros(now);
        Ok(Kept {
            status: Status::Working,
            answer: None,
            instance: self.instance.id().to_string(),
            created_at: at,
            updated_at: at,
            alive: true,
        })
    }

    /// Writes down how a call ended.
    async fn settle(&self, id: &str, spoken: &Spoken, seal: &Seal) {
        let (status, answer) = ended(spoken);
        let sealed = answer.and_then(|answer| seal.close(answer.get(), id));
        self.end(id, status, sealed).await;
        self.live.lock().remove(id);
    }

    async fn end(&self, id: &str, status: Status, answer: Option<String>) {
        let settle = rows::settle(id, status, answer, self.instance.clock().now());
        if let Err(error) = self.instance.store().write(vec![settle]).await {
            tracing::error!(event = "task_unsettled", %error, "the end of a task could not be kept");
        }
    }

    async fn find(&self, id: &str, principal: &Principal) -> Result<Option<Kept>, StoreError> {
        let select = rows::select(id, principal, self.instance.clock().now());
        let found = self.instance.store().read(select).await?;
        found.first().map(rows::kept).transpose()
    }

    /// Whether nobody works on it any more, though it has no end.
    fn lost(&self, id: &str, kept: &Kept) -> bool {
        let mine = kept.instance == **self.instance.id();
        let working = kept.status == Status::Working;
        working && (mine || !kept.alive) && !self.live.lock().contains_key(id)
    }

    /// As [`Deferred::find`]; what is lost is failed.
    async fn standing(&self, id: &str, principal: &Principal) -> Result<Option<Kept>, StoreError> {
        let mut found = self.find(id, principal).await?;
        if found.as_ref().is_some_and(|kept| self.lost(id, kept)) {
            // It may have ended since it was read.
            found = self.find(id, principal).await?;
        }
        if let Some(kept) = &mut found
            && self.lost(id, kept)
        {
            kept.status = Status::Failed;
        }
        Ok(found)
    }
}

/// A request about a task; `None` for any other method.
pub(super) async fn answer(asked: &Asked<'_>, method: &str) -> Option<Spoken> {
    if !["tasks/get", "tasks/update", "tasks/cancel"].contains(&method) {
        return None;
    }
    let spoken = match about(asked, method).await {
        Ok(result) => asked.done(&result),
        Err(fault) => asked.failed(&fault),
    };
    Some(spoken)
}

async fn about(asked: &Asked<'_>, method: &str) -> Result<Vec<u8>, Fault> {
    if !declared(asked.meta.client_capabilities) {
        return Err(undeclared());
    }
    let unknown = || Fault::invalid_params("there is no such task");
    let id = methods::text(asked.params.task_id).ok_or_else(unknown)?;
    let all = &asked.hub.deferred;
    let found = all.standing(&id, &asked.caller.principal).await;
    let kept = found.map_err(|error| {
        tracing::error!(event = "task_unread", %error, "a task could not be read");
        Fault::new(code::INTERNAL, "the task could not be read")
    })?;
    let kept = kept.ok_or_else(unknown)?;
    match method {
        "tasks/get" => return Ok(shown(asked.hub, &id, &kept)),
        "tasks/update" => {
            if let Some(live) = all.live.lock().get(&id) {
                let answers = asked.params.input_responses;
                live.host.answered(answers, Wanted::default());
            }
        }
        _ => {
            if let Some(live) = all.live.lock().get(&id) {
                live.cancelled.cancel();
            }
            all.end(&id, Status::Cancelled, None).await;
        }
    }
    Ok(with_meta(Object::default().with("resultType", "complete")).json())
}

fn shown(hub: &Hub, id: &str, kept: &Kept) -> Vec<u8> {
    let live = hub.deferred.live.lock();
    let live = live.get(id).filter(|_| kept.status == Status::Working);
    let start = Object::default().with("resultType", "complete");
    if let Some(live) = live {
        let mut task = document(start, id, kept, Some(live));
        if live.host.is_asking() {
            task.put("inputRequests", &live.host.requests());
        }
        return task.json();
    }
    let sealed = kept.answer.as_deref();
    let answer = sealed.and_then(|sealed| hub.seal.open(sealed, id));
    let answer = answer.and_then(|text| RawValue::from_string(text).ok());
    let unreadable = kept.status == Status::Completed && answer.is_none();
    let kept = &Kept {
        status: if unreadable {
            Status::Failed
        } else {
            kept.status
        },
        ..kept.clone()
    };
    let mut task = document(start, id, kept, None);
    match (kept.status, answer) {
        (Status::Completed, Some(result)) => task.put("result", &result),
        (Status::Failed, Some(error)) => task.put("error", &error),
        (Status::Completed | Status::Failed, None) => task.put("error", &lost_error()),
        (Status::Working | Status::Cancelled, _) => {}
    }
    task.json()
}

/// What every answer about a task says. `live` is the call, where it runs here.
fn document(start: Object, id: &str, kept: &Kept, live: Option<&Live>) -> Object {
    let at = |micros: i64| moment(micros).to_string();
    let asking = live.is_some_and(|live| live.host.is_asking());
    let status = match kept.status {
        Status::Working if asking => "input_required",
        status => status.as_str(),
    };
    let mut task = start.with("taskId", id).with("status", status);
    if let Some(note) = live.and_then(|live| live.note.text.lock().clone()) {
        task.put("statusMessage", &note);
    }
    let task = task
        .with("createdAt", &at(kept.created_at))
        .with("lastUpdatedAt", &at(kept.updated_at))
        .with("ttlMs", &KEPT.as_secs().saturating_mul(1000))
        .with("pollIntervalMs", &LOOK_EVERY_MS);
    with_meta(task)
}

fn with_meta(object: Object) -> Object {
    object.with("_meta", &json!({ META_SERVER_INFO: server_info() }))
}

/// How an answer that was put on the wire ends a task.
fn ended(spoken: &Spoken) -> (Status, Option<Box<RawValue>>) {
    let Some(frame) = &spoken.frame else {
        return (Status::Cancelled, None);
    };
    let frame: Option<&RawValue> = serde_json::from_slice(frame).ok();
    let members = frame.and_then(Members::of).unwrap_or_default();
    match (members.get("result"), members.get("error")) {
        (Some(result), _) => (Status::Completed, Some(result.to_owned())),
        (None, error) => (Status::Failed, error.map(ToOwned::to_owned)),
    }
}

fn lost_error() -> serde_json::Value {
    let message = "the hub stopped during the call, or can no longer read its answer; whether it \
                   changed anything is in the audit trail";
    json!({"code": code::INTERNAL, "message": message})
}

/// Whether a client declared that it knows tasks; `raw` is its `capabilities`.
fn declared(raw: Option<&RawValue>) -> bool {
    let capabilities = raw.and_then(Members::of).unwrap_or_default();
    let extensions = capabilities.get("extensions").and_then(Members::of);
    extensions.is_some_and(|extensions| extensions.get(EXTENSION).is_some())
}

fn undeclared() -> Fault {
    let needed = json!({"requiredCapabilities": {"extensions": {EXTENSION: {}}}});
    Fault::new(code::MISSING_CAPABILITY, "the client did not declare tasks")
        .with_status(StatusCode::BAD_REQUEST)
        .with_data(needed)
}
