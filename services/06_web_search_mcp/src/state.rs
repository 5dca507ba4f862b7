//! How the spoke is: its health check, its engines, its figures.

use crate::engine::{Engines, Name, State};
use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use shared::id::InvalidId;
use shared::spoke::{Health, HealthCheck, Meter};
use shared::tool::{Call, Effect, Spec, Tool, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether the engines that were set up answered last. Nobody is asked: searches cost.
pub(crate) struct EnginesCheck(pub(crate) Arc<Engines>);

#[async_trait]
impl HealthCheck for EnginesCheck {
    fn name(&self) -> &str {
        "engines"
    }

    async fn check(&self) -> Health {
        let troubles: Vec<String> = self
            .0
            .all()
            .filter_map(|(_, state)| trouble(state))
            .collect();
        match troubles.is_empty() {
            true => Health::Healthy,
            false => Health::Degraded(troubles.join("; ")),
        }
    }
}

/// Not to use an engine is a choice; to have begun and not finished is not.
fn trouble(state: &State) -> Option<String> {
    match state {
        State::Ready(engine) => engine.remote().trouble(),
        State::Missing { setting, begun } => begun.then(|| unset(setting)),
    }
}

fn unset(setting: &str) -> String {
    format!("not configured: set {setting}")
}

/// `web.search.listEngines`.
pub(crate) struct ListEngines(pub(crate) Arc<Engines>);

/// A tool without parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoArguments {}

/// Result of `web.search.listEngines`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EngineList {
    /// Every engine, by name.
    engines: BTreeMap<&'static str, EngineEntry>,
    /// The engine of a call that names none.
    default: Name,
}

/// One engine.
#[derive(Debug, Serialize, JsonSchema)]
struct EngineEntry {
    /// Whether it can be asked.
    available: bool,
    /// What it is.
    description: &'static str,
    /// `ready`, what is missing, or what was wrong last.
    status: String,
}

#[async_trait]
impl TypedTool for ListEngines {
    type Arguments = NoArguments;
    type Output = EngineList;

    fn spec(&self) -> Spec {
        Spec::new(
            "web.search.listEngines",
            Effect::Read,
            "Tell which search engines can be asked here, and what is missing for the others.",
        )
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<EngineList, ToolError> {
        let entry = |(name, state): (Name, &State)| {
            let status = match state {
                State::Ready(engine) => engine.remote().trouble().unwrap_or_else(|| "ready".into()),
                State::Missing { setting, .. } => unset(setting),
            };
            let entry = EngineEntry {
                available: matches!(state, State::Ready(_)),
                description: description(name),
                status,
            };
            (name.as_str(), entry)
        };
        Ok(EngineList {
            engines: self.0.all().map(entry).collect(),
            default: Name::default(),
        })
    }
}

const fn description(name: Name) -> &'static str {
    match name {
        Name::DuckDuckGo => "DuckDuckGo's page without scripts; no key",
        Name::Google => "Google Custom Search JSON API",
        Name::Bing => "Bing Web Search version 7, where a gateway still offers it",
        Name::Exa => "Exa, search by meaning",
        Name::Brave => "Brave, an index of its own",
        Name::Tavily => "Tavily, made for models",
        Name::SearXng => "a SearXNG of one's own, which asks others",
    }
}

/// What was done since the start.
#[derive(Debug, Default)]
pub(crate) struct Figures(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_engine: BTreeMap<&'static str, u64>,
    errors: u64,
    last: Option<Timestamp>,
}

impl Figures {
    /// One search more.
    pub(crate) fn count(&self, name: Name, failed: bool, now: Timestamp) {
        let mut counts = self.0.lock();
        *counts.by_engine.entry(name.as_str()).or_default() += 1;
        counts.errors += u64::from(failed);
        counts.last = Some(now);
    }
}

/// `web.search.getMetrics`.
pub(crate) fn metrics_tool(
    meter: &Meter,
    figures: Arc<Figures>,
) -> Result<Arc<dyn Tool>, InvalidId> {
    let extra = move || shown(&figures);
    shared::spoke::metrics_tool(meter, "web.search.getMetrics", Arc::new(extra))
}

fn shown(figures: &Figures) -> Vec<(&'static str, Value)> {
    let counts = figures.0.lock();
    let searches: u64 = counts.by_engine.values().sum();
    vec![
        ("searches_performed", json!(searches)),
        ("searches_by_engine", json!(counts.by_engine)),
        ("errors", json!(counts.errors)),
        (
            "last_search_time",
            json!(counts.last.map(|time| time.to_string())),
        ),
    ]
}
