//! Tools that remember every effect. How a call goes is written in its arguments.

use crate::core::{Failure, Fault, Invoke, Outcome, Problem, Purpose, Target, TaskPath};
use crate::dsl::model::Effect;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often what took place, without attempts: `path tool arguments` → times.
pub type Effects = BTreeMap<String, u32>;

/// All tools and their books.
///
/// A call of a tool gives `{did: arguments}`. These arguments change that:
/// `fail: n` (the first `n` keys fail for now, and nothing takes place), `error: status` (it fails for
/// good), `lose: n` (the first `n` keys take place, and the answer is lost), `park: n` (the first `n`
/// keys find the breaker open), `task: true` (it is taken on, and asked about later).
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Keys that arrived, by path, in order.
    arrived: BTreeMap<TaskPath, Vec<String>>,
    /// What took place, by key.
    done: BTreeMap<String, Arc<Value>>,
    handles: BTreeMap<String, Outcome>,
    parked: BTreeMap<TaskPath, u64>,
    effects: Effects,
    /// `once` keys that took place more than once.
    doubled: Vec<String>,
}

impl World {
    /// What took place. A `once` key that did so twice stands out as `TWICE`.
    #[must_use]
    pub fn effects(&self) -> Effects {
        let mut effects = self.effects.clone();
        for key in &self.doubled {
            effects.insert(format!("TWICE {key}"), 2);
        }
        effects
    }

    /// What the last call of a step did; `None` when it did nothing.
    pub(super) fn happened(&self, path: &TaskPath) -> Option<Arc<Value>> {
        let key = self.arrived.get(path)?.last()?;
        self.done.get(key).cloned()
    }

    /// What the call with this key did; `None` when it did nothing.
    pub(super) fn done(&self, key: Option<&str>) -> Option<Arc<Value>> {
        self.done.get(key?).cloned()
    }

    /// Nobody heard how the call with this key went, which did nothing: it does not count as a failure,
    /// or a crash would change how often a step fails.
    pub(super) fn unheard(&mut self, path: &TaskPath, key: Option<&str>) {
        let done = &self.done;
        if let Some(keys) = self.arrived.get_mut(path) {
            keys.retain(|other| done.contains_key(other) || Some(other.as_str()) != key);
        }
    }

    /// A call arrives. `Err` is the handle of one that was taken on.
    pub(super) fn call(&mut self, invoke: &Invoke) -> Result<Outcome, String> {
        if invoke.purpose == Purpose::Verify {
            let asked = TaskPath::new(invoke.path.as_str());
            let answer = self.happened(&asked);
            return Ok(Outcome::Completed(answer.unwrap_or_default()));
        }
        let with = &invoke.call.with;
        let number = |name: &str| with.get(name).and_then(Value::as_u64).unwrap_or(0);
        let parked = self.parked.entry(invoke.path.clone()).or_default();
        if *parked < number("park") {
            *parked += 1;
            return Ok(Outcome::Parked {
                detail: "simulated".into(),
            });
        }
        let keys = self.arrived.entry(invoke.path.clone()).or_default();
        let known = keys.iter().position(|key| *key == invoke.key);
        let place = known.unwrap_or(keys.len()) as u64;
        if known.is_none() {
            keys.push(invoke.key.clone());
        }
        if place < number("fail") {
            return Ok(failed(503, true));
        }
        if let Some(status) = with.get("error").and_then(Value::as_u64) {
            return Ok(failed(u16::try_from(status).unwrap_or(500), false));
        }
        let output = self.perform(invoke);
        if place < number("lose") && known.is_none() {
            return Ok(Outcome::Unknown {
                detail: "the line broke".into(),
            });
        }
        if with.get("task").is_some() {
            let handle = format!("task of {}", invoke.key);
            self.handles
                .insert(handle.clone(), Outcome::Completed(output));
            return Err(handle);
        }
        Ok(Outcome::Completed(output))
    }

    pub(super) fn poll(&self, handle: &str) -> Outcome {
        let unknown = || Outcome::Unknown {
            detail: "no such task".into(),
        };
        self.handles.get(handle).cloned().unwrap_or_else(unknown)
    }

    /// The effect takes place: of a key that is known only when nothing keeps it from doing so again.
    fn perform(&mut self, invoke: &Invoke) -> Arc<Value> {
        if let Some(output) = self.done.get(&invoke.key) {
            if invoke.effect == Effect::Once {
                self.doubled.push(invoke.key.clone());
            }
            return output.clone();
        }
        let tool = match &invoke.call.target {
            Target::Tool { id, .. } => id.as_str(),
            _ => "foreign",
        };
        let output = Arc::new(json!({"did": invoke.call.with}));
        self.done.insert(invoke.key.clone(), output.clone());
        if invoke.effect != Effect::Read {
            let line = format!("{} {tool} {}", invoke.path, invoke.call.with);
            *self.effects.entry(line).or_default() += 1;
        }
        output
    }
}

fn failed(status: u16, transient: bool) -> Outcome {
    let problem = Problem::new(Fault::Communication, "failed", "simulated").with_status(status);
    Outcome::Failed(Failure {
        problem,
        ran: !transient,
        transient,
        retry_after: None,
    })
}
