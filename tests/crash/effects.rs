//! A spoke that writes down on disk every effect it is asked for, before it answers.
//!
//! Two of its tools are reads to the harness, so that no ledger on the way hides an effect that comes
//! twice; the workflow says what they mean. It keeps no state but that file.

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::config::Environment;
use shared::spoke::{BuildError, BuildInput, Parts, Running, Service, StartOptions, start};
use shared::tool::{Call, Effect, Spec, Tool, ToolError, TypedTool, boxed};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How long an effect takes after it was written down: most kills fall into some.
const WORK: Duration = Duration::from_millis(15);

/// The spoke.
pub(crate) static SERVICE: Service = Service {
    name: "98_crash_mcp",
    number: 98,
    version: "1.0.0",
    namespaces: &["crash"],
    canary: "crash.beat",
    defaults: "",
    variables: &[],
    build,
};

/// Never asked: the tools are given.
fn build(_: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    async { Ok(Parts::default()) }.boxed()
}

/// Every effect there was, on disk. Clones share the file.
#[derive(Clone)]
pub(crate) struct Effects {
    path: PathBuf,
    file: Arc<Mutex<File>>,
    seen: Arc<Mutex<HashMap<(String, String), u64>>>,
}

impl Effects {
    fn at(path: PathBuf) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Self {
            path,
            file: Arc::new(Mutex::new(file.unwrap())),
            seen: Arc::default(),
        }
    }

    /// Durable when it returns.
    fn note(&self, tool: &str, asked: &Asked, key: Option<&str>) {
        let line = json!({"tool": tool, "run": asked.run, "step": asked.step, "key": key});
        let mut file = self.file.lock();
        writeln!(file, "{line}").unwrap();
        file.sync_data().unwrap();
        let place = (asked.run.clone(), asked.step.clone());
        *self.seen.lock().entry(place).or_default() += 1;
    }

    /// How often a step of a run had its effect.
    pub(crate) fn times(&self, run: &str, step: &str) -> u64 {
        let place = (run.to_owned(), step.to_owned());
        self.seen.lock().get(&place).copied().unwrap_or_default()
    }

    /// Everything the file holds, in order.
    pub(crate) fn read(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.path).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The running spoke.
pub(crate) struct Spoke {
    /// What it did.
    pub(crate) effects: Effects,
    running: Running,
    _folder: TempDir,
}

impl Spoke {
    /// Starts it for a hub with these settings.
    pub(crate) async fn start(hub: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let effects = Effects::at(folder.path().join("effects.jsonl"));
        let mut environment = Environment::default();
        for name in ["WAYGATE_SPOKE_TOKEN_PATH", "WAYGATE_CALL_PUBLIC_KEY_PATH"] {
            let found = hub.iter().find(|(own, _)| own == name);
            environment.set(name, &found.unwrap().1);
        }
        environment.set("WAYGATE_DATA_DIR", data(folder.path()));
        let mut options = StartOptions::new(environment);
        options.listen = Some(([127, 0, 0, 1], 0).into());
        options.parts = Some(Parts {
            tools: tools(&effects),
            checks: Vec::new(),
        });
        Self {
            running: start(&SERVICE, options).await.unwrap(),
            effects,
            _folder: folder,
        }
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }
}

fn data(folder: &Path) -> String {
    folder.join("data").display().to_string()
}

fn tools(effects: &Effects) -> Vec<Arc<dyn Tool>> {
    let made = |spec: Spec| {
        boxed(Doing {
            spec,
            effects: effects.clone(),
        })
        .unwrap()
    };
    vec![
        boxed(Beat).unwrap(),
        boxed(Ran(effects.clone())).unwrap(),
        made(Spec::new("crash.bare", Effect::Read, "Have an effect nobody guards.").live()),
        made(Spec::new("crash.look", Effect::Read, "Look at something.").live()),
        made(Spec::new(
            "crash.change",
            Effect::MutateOwn,
            "Change something.",
        )),
        made(Spec::new("crash.put", Effect::MutateOwn, "Set something.").idempotent()),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Which run.
    run: String,
    /// Which step of it.
    step: String,
}

#[derive(Serialize, JsonSchema)]
struct Said {
    /// It has taken place.
    ran: bool,
}

struct Beat;

#[async_trait]
impl TypedTool for Beat {
    type Arguments = Nothing;
    type Output = Said;

    fn spec(&self) -> Spec {
        Spec::new("crash.beat", Effect::Read, "Say that it is there.")
    }

    async fn run(&self, _: Nothing, _: &Call) -> Result<Said, ToolError> {
        Ok(Said { ran: true })
    }
}

/// Tells whether an effect took place.
struct Ran(Effects);

#[async_trait]
impl TypedTool for Ran {
    type Arguments = Asked;
    type Output = Said;

    fn spec(&self) -> Spec {
        Spec::new(
            "crash.ran",
            Effect::Read,
            "Say whether a step had its effect.",
        )
        .live()
    }

    async fn run(&self, asked: Asked, _: &Call) -> Result<Said, ToolError> {
        let times = self.0.times(&asked.run, &asked.step);
        Ok(Said { ran: times > 0 })
    }
}

struct Doing {
    spec: Spec,
    effects: Effects,
}

#[async_trait]
impl TypedTool for Doing {
    type Arguments = Asked;
    type Output = Said;

    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn run(&self, asked: Asked, call: &Call) -> Result<Said, ToolError> {
        let key = call.idempotency_key.as_deref();
        tokio::task::block_in_place(|| self.effects.note(self.spec.id, &asked, key));
        tokio::time::sleep(WORK).await;
        Ok(Said { ran: true })
    }
}
