//! Tools that do as a test says and count how often their bodies ran.

use crate::error::Code;
use crate::spoke::Health;
use crate::tool::{Assessment, Call, Check, Effect, Spec, Tool, ToolError, TypedTool, boxed};
use async_trait::async_trait;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;

/// The common handle of all scripted tools. Clones share everything.
///
/// `test.echo` (read) gives `text` back `times` times; `test.slow` (read) reports progress and waits
/// for [`Script::release`]; `test.fail` (read) fails with `code`; `test.panic` (read) panics;
/// `test.lie` (read) breaks its own output schema; `test.note` changes the spoke's own store;
/// `test.add` (mutate, not idempotent) and `test.set` (mutate, idempotent) change a total, and wait
/// for [`Script::release`] when `wait` is true; `test.judge` is judged by `change`; `test.destroy`
/// (critical) is ready when [`Script::set_ready`] says so.
#[derive(Clone)]
pub struct Script(Arc<Inner>);

struct Inner {
    runs: Mutex<BTreeMap<&'static str, u64>>,
    total: Mutex<i64>,
    gate: Semaphore,
    ready: AtomicBool,
    health: Mutex<Health>,
    started: Semaphore,
    dropped: Semaphore,
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Script {
    /// Nothing ran, the gate is closed, critical work is ready, health is good.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            runs: Mutex::default(),
            total: Mutex::new(0),
            gate: Semaphore::new(0),
            ready: AtomicBool::new(true),
            health: Mutex::new(Health::Healthy),
            started: Semaphore::new(0),
            dropped: Semaphore::new(0),
        }))
    }

    /// The tools.
    #[must_use]
    pub fn tools(&self) -> Vec<Arc<dyn Tool>> {
        KINDS
            .iter()
            .map(|kind| {
                boxed(Scripted {
                    kind: *kind,
                    script: self.clone(),
                })
                .expect("the ids are canonical")
            })
            .collect()
    }

    /// A read of this id that says nothing.
    #[must_use]
    pub fn read_named(id: &'static str) -> Arc<dyn Tool> {
        boxed(Named(id)).expect("the id is canonical")
    }

    /// How often the body of a tool began.
    #[must_use]
    pub fn runs(&self, tool: &str) -> u64 {
        self.0.runs.lock().get(tool).copied().unwrap_or_default()
    }

    /// How often any body began.
    #[must_use]
    pub fn all_runs(&self) -> u64 {
        self.0.runs.lock().values().sum()
    }

    /// What `test.add` and `test.set` left.
    #[must_use]
    pub fn total(&self) -> i64 {
        *self.0.total.lock()
    }

    /// Lets one waiting body go on.
    pub fn release(&self) {
        self.0.gate.add_permits(1);
    }

    /// Waits until a body waits for [`Script::release`].
    pub async fn waiting(&self) {
        let permit = self.0.started.acquire().await;
        permit.expect("never closed").forget();
    }

    /// Waits until a waiting body was dropped instead of released.
    pub async fn dropped(&self) {
        let permit = self.0.dropped.acquire().await;
        permit.expect("never closed").forget();
    }

    /// Whether the readiness check of `test.destroy` holds.
    pub fn set_ready(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Release);
    }

    /// What the spoke's health check says from now on.
    pub fn set_health(&self, health: Health) {
        *self.0.health.lock() = health;
    }

    pub(super) fn health(&self) -> Health {
        self.0.health.lock().clone()
    }

    fn ran(&self, tool: &'static str) {
        *self.0.runs.lock().entry(tool).or_default() += 1;
    }

    async fn gate(&self) {
        let mut waiting = Waiting {
            script: self,
            released: false,
        };
        self.0.started.add_permits(1);
        self.0.gate.acquire().await.expect("never closed").forget();
        waiting.released = true;
    }
}

/// Notices that a body was dropped while it waited.
struct Waiting<'a> {
    script: &'a Script,
    released: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.released {
            self.script.0.dropped.add_permits(1);
        }
    }
}

struct Named(&'static str);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Empty {}

#[async_trait]
impl TypedTool for Named {
    type Arguments = Nothing;
    type Output = Empty;

    fn spec(&self) -> Spec {
        Spec::new(self.0, Effect::Read, "Say nothing.")
    }

    async fn run(&self, _: Nothing, _: &Call) -> Result<Empty, ToolError> {
        Ok(Empty {})
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Echo,
    Slow,
    Fail,
    Panic,
    Lie,
    Note,
    Add,
    Set,
    Judge,
    Destroy,
}

const KINDS: &[Kind] = &[
    Kind::Echo,
    Kind::Slow,
    Kind::Fail,
    Kind::Panic,
    Kind::Lie,
    Kind::Note,
    Kind::Add,
    Kind::Set,
    Kind::Judge,
    Kind::Destroy,
];

struct Scripted {
    kind: Kind,
    script: Script,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Any text.
    #[serde(default)]
    text: String,
    /// How often to repeat the text.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    times: usize,
    /// How much to add or set.
    #[serde(default)]
    amount: i64,
    /// Whether the call changes something.
    #[serde(default)]
    change: bool,
    /// Whether to wait for the test.
    #[serde(default)]
    wait: bool,
    /// The code to fail with.
    #[serde(default)]
    code: String,
    /// What nobody is shown.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    #[expect(dead_code, reason = "it stands in the schema")]
    entry: String,
    /// The token of the approved request.
    #[expect(dead_code, reason = "it stands in the schema")]
    approval_token: Option<String>,
}

const fn one() -> usize {
    1
}

/// The result of every scripted tool.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Said {
    /// The text.
    text: String,
    /// The total of `test.add` and `test.set`.
    total: i64,
    /// Only `test.lie` says this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    lie: Option<bool>,
}

#[async_trait]
impl TypedTool for Scripted {
    type Arguments = Arguments;
    type Output = Said;

    fn spec(&self) -> Spec {
        match self.kind {
            Kind::Echo => {
                Spec::new("test.echo", Effect::Read, "Say it back.").aliases(&["test.parrot"])
            }
            Kind::Slow => Spec::new("test.slow", Effect::Read, "Wait.").long_running(),
            Kind::Fail => Spec::new("test.fail", Effect::Read, "Fail."),
            Kind::Panic => Spec::new("test.panic", Effect::Read, "Panic."),
            Kind::Lie => Spec::new("test.lie", Effect::Read, "Break the output schema."),
            Kind::Note => Spec::new("test.note", Effect::MutateOwn, "Change the own store."),
            Kind::Add => Spec::new("test.add", Effect::Mutate, "Add to the total."),
            Kind::Set => Spec::new("test.set", Effect::Mutate, "Set the total.").idempotent(),
            Kind::Judge => Spec::new("test.judge", Effect::Mutate, "Read or change.").per_call(),
            Kind::Destroy => Spec::new("test.destroy", Effect::Critical, "Destroy the total."),
        }
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        let spec = self.spec();
        let effect = match self.kind {
            Kind::Judge if !arguments.change => Effect::Read,
            _ => spec.effect,
        };
        let mut assessment = Assessment::of(effect, format!("{} {}", spec.id, arguments.amount));
        if self.kind == Kind::Destroy {
            assessment.checks.push(Check {
                name: "script".into(),
                ok: self.script.0.ready.load(Ordering::Acquire),
                detail: "as the test says".into(),
            });
        }
        Ok(assessment)
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Said, ToolError> {
        self.script.ran(self.spec().id);
        match self.kind {
            Kind::Slow => {
                call.progress.report(1.0, Some(2.0), "half");
                self.script.gate().await;
            }
            Kind::Fail => {
                let code = Code::parse(&arguments.code).unwrap_or(Code::BadGateway);
                return Err(ToolError::new(code, "as the test says"));
            }
            #[expect(clippy::panic, reason = "that is the script")]
            Kind::Panic => panic!("the secret of the panic"),
            _ if arguments.wait => self.script.gate().await,
            _ => {}
        }
        let mut total = self.script.0.total.lock();
        match self.kind {
            Kind::Add => *total += arguments.amount,
            Kind::Set => *total = arguments.amount,
            Kind::Destroy => *total = 0,
            _ => {}
        }
        Ok(Said {
            text: arguments.text.repeat(arguments.times),
            total: *total,
            lie: (self.kind == Kind::Lie).then_some(true),
        })
    }
}
