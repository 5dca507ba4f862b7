//! What a run is told at its start and keeps for its life, so that a hub with other settings goes on
//! with it the same way.

use super::path::TaskPath;
use crate::dsl::model::Effect;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a run is told at its start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// Who started it; may not approve its own steps unless the author allows it.
    pub starter: String,
    /// How deep it is below the run that began it all, which has 0.
    #[serde(default)]
    pub depth: u32,
    /// Effects of tools where policy knows better than the definition's pins.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        with = "super::stored::effects"
    )]
    pub effects: BTreeMap<String, Effect>,
    /// Outputs of an earlier run.
    #[serde(default, skip_serializing_if = "Reuse::is_empty")]
    pub reuse: Reuse,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
}

/// Outputs of an earlier run, for a rerun from a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reuse {
    /// Raw outputs of calls, child runs, waits and `listen`s by path. Each is used once.
    pub outputs: BTreeMap<TaskPath, Arc<Value>>,
    /// Where the rerun begins: when this step is reached, what is left of `outputs` is forgotten.
    /// `None` uses all of them, as a retry of the failed items of a loop does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TaskPath>,
}

impl Reuse {
    fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }
}

/// Limits of a run. [`Default`] gives the product's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Lines of history at which it is told about. 10,000.
    pub events_warn: u64,
    /// Lines of history at which the run fails. 50,000.
    pub events: u64,
    /// Bytes of one output. 32 MiB.
    pub payload: usize,
    /// Items of a loop, events of a `listen`, and children of a run. 10,000.
    pub children: u32,
    /// Deepest child. 8.
    pub depth: u32,
    /// Deepest task in tasks. 64.
    pub nesting: u32,
    /// Pure steps in one transition, after which the run yields. 1,000.
    pub pure_steps: u32,
    /// Life of a run, waits for people not counted. 24 h.
    #[serde(with = "super::stored::millis")]
    pub run: Duration,
    /// Before a call is sent. 5 min.
    #[serde(with = "super::stored::millis")]
    pub queue: Duration,
    /// From sending to the answer. 5 min.
    #[serde(with = "super::stored::millis")]
    pub call: Duration,
    /// Silence of a call that reports progress. 60 s.
    #[serde(with = "super::stored::millis")]
    pub heartbeat: Duration,
    /// Time to decide. 24 h.
    #[serde(with = "super::stored::millis")]
    pub approval: Duration,
    /// Time that cancelled attempts have to answer. 30 s.
    #[serde(with = "super::stored::millis")]
    pub grace: Duration,
    /// Time for all compensation of a run. 15 min.
    #[serde(with = "super::stored::millis")]
    pub compensation: Duration,
    /// How often a parked step looks by itself. 60 s.
    #[serde(with = "super::stored::millis")]
    pub probe: Duration,
    /// How transient failures are tried again by themselves.
    pub retry: RetryLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events_warn: 10_000,
            events: 50_000,
            payload: 32 << 20,
            children: 10_000,
            depth: 8,
            nesting: 64,
            pure_steps: 1_000,
            run: Duration::from_hours(24),
            queue: Duration::from_mins(5),
            call: Duration::from_mins(5),
            heartbeat: Duration::from_secs(60),
            approval: Duration::from_hours(24),
            grace: Duration::from_secs(30),
            compensation: Duration::from_mins(15),
            probe: Duration::from_secs(60),
            retry: RetryLimits::default(),
        }
    }
}

/// How transient failures are tried again by themselves, when no `catch` of the author takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryLimits {
    /// Attempts in all. 5.
    pub attempts: u32,
    /// First wait; each further one is twice as long, and a random part of it is taken. 1 s.
    #[serde(with = "super::stored::millis")]
    pub first: Duration,
    /// Longest wait. 100 s.
    #[serde(with = "super::stored::millis")]
    pub longest: Duration,
    /// Time for all attempts. 10 min.
    #[serde(with = "super::stored::millis")]
    pub total: Duration,
}

impl Default for RetryLimits {
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(100),
            total: Duration::from_mins(10),
        }
    }
}
