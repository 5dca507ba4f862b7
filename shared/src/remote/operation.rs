//! Work a remote system does by itself after it has been asked: how it is told, and how it is waited for.

use crate::tool::Call;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;
use tokio::time::sleep;

/// First and longest pause between two looks, when the remote does not say.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Longest pause that is believed.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Kept back of a call's time for its answer.
const RESERVE: Duration = Duration::from_secs(2);

/// Work of a remote system. Source: `catalogue.md` 1, type `Op`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Operation {
    /// How the remote calls it; empty when it does not say.
    pub operation_id: String,
    /// What is worked on.
    pub target: String,
    /// What is done to it.
    pub action: String,
    /// How far it is.
    pub status: State,
    /// When it was asked for, RFC 3339.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// When it was seen to have ended; null before.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished_at: Option<Timestamp>,
    /// How much is done, 0 to 100; null when the remote does not say.
    pub percent: Option<u8>,
    /// Why it failed, in the remote's words; null unless it did.
    pub error: Option<String>,
}

/// States of an [`Operation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on, whether or not somebody waits.
    InProgress,
    /// It is done.
    Succeeded,
    /// It was given up.
    Failed,
}

/// The pauses between looks at something that takes its time; they grow.
#[derive(Debug)]
pub struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(PAUSES.0)
    }
}

impl Operation {
    /// An operation that was just asked for.
    #[must_use]
    pub fn begun(action: &str, target: &str, now: Timestamp) -> Self {
        Self {
            operation_id: String::new(),
            target: target.to_owned(),
            action: action.to_owned(),
            status: State::InProgress,
            started_at: now,
            finished_at: None,
            percent: None,
            error: None,
        }
    }

    /// Notes its end; `error` when it failed.
    pub fn end(&mut self, now: Timestamp, error: Option<String>) {
        self.status = match error {
            None => State::Succeeded,
            Some(_) => State::Failed,
        };
        self.percent = error.is_none().then_some(100).or(self.percent);
        self.finished_at = Some(now);
        self.error = error;
    }

    /// Tells the caller how far it is.
    pub fn report(&self, call: &Call) {
        let message = format!("{} {}", self.action, self.target);
        let done = f64::from(self.percent.unwrap_or_default());
        call.progress.report(done, Some(100.0), message);
    }
}

impl Pauses {
    /// Waits until the next look; `told` is what the remote asks for. `false`, without a wait, when the
    /// call's time would be over by then.
    pub async fn wait(&mut self, told: Option<Duration>, call: &Call) -> bool {
        let pause = told.filter(|told| !told.is_zero()).unwrap_or(self.0);
        let pause = pause.min(MAX_PAUSE);
        self.0 = (self.0 * 2).min(PAUSES.1);
        if call.remaining() < pause + RESERVE {
            return false;
        }
        sleep(pause).await;
        true
    }
}
