//! Runs a definition: events in, commands out, calls made, time that passes at once.

use crate::stand_in::StandIn;
use jiff::Timestamp;
use orchestrator::calls::Calls;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use workflow::core::{Command, Ending, Entry, Event, Run, RunSettings, Stamped, What};
use workflow::dsl::NoCatalogue;
use workflow::dsl::model::Definition;
use workflow::expression::Expressions;

/// Longest time of one call.
const LONGEST: Duration = Duration::from_secs(10);
/// Most transitions of one run.
const MOST: usize = 1000;

/// Runs definitions.
pub(crate) struct Driver {
    calls: Calls,
    expressions: Arc<Expressions>,
}

/// A run that ended.
pub(crate) struct Finished {
    /// How.
    pub(crate) ending: Ending,
    /// Its history.
    history: Vec<Entry>,
}

impl Finished {
    /// Names of the tasks in the order they began.
    pub(crate) fn began(&self) -> Vec<String> {
        let started = |it: &&Entry| matches!(it.what, What::Started { .. });
        self.history
            .iter()
            .filter(started)
            .map(|it| it.path.name())
            .collect()
    }
}

impl Driver {
    pub(crate) fn new(stand_in: &StandIn) -> Self {
        Self {
            calls: Calls::new(stand_in.web()),
            expressions: Arc::default(),
        }
    }

    /// Runs a definition to its end.
    pub(crate) async fn run(&self, text: &str, input: Value) -> Result<Finished, String> {
        let definition = Definition::read(text, &NoCatalogue)
            .map_err(|complaints| format!("refused: {complaints:?}"))?;
        let mut run = Run::new(
            "run",
            Arc::new(definition),
            Arc::clone(&self.expressions),
            input,
            RunSettings::default(),
        );
        let mut at: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let mut going = Going {
            events: VecDeque::from([Event::Started]),
            timers: Vec::new(),
            history: Vec::new(),
            ending: None,
        };
        for _ in 0..MOST {
            let event = match going.events.pop_front() {
                Some(event) => event,
                None => {
                    next_timer(&mut going.timers, &mut at).ok_or("the run waits for nothing")?
                }
            };
            for command in run.advance(Stamped { at, event }) {
                self.act(command, &mut going).await?;
            }
            if let Some(ending) = going.ending {
                let history = going.history;
                return Ok(Finished { ending, history });
            }
        }
        Err("the run does not end".to_owned())
    }

    async fn act(&self, command: Command, going: &mut Going) -> Result<(), String> {
        match command {
            Command::Invoke(invoke) => {
                let outcome = self.calls.perform(&invoke.call, &invoke.key, LONGEST).await;
                going.events.push_back(Event::Outcome {
                    path: invoke.path,
                    attempt: invoke.attempt,
                    outcome,
                });
            }
            Command::Timer { path, timer, at } => going.timers.push((at, path, timer)),
            Command::StopTimer { path, timer } => {
                going
                    .timers
                    .retain(|(_, of, kind)| (of, kind) != (&path, &timer));
            }
            Command::Journal(entry) => going.history.push(entry),
            Command::Finish(ending) => going.ending = Some(ending),
            Command::Notify { why, problem, .. } => {
                return Err(format!("suspended, {why:?}: {problem:?}"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// A run under way.
struct Going {
    events: VecDeque<Event>,
    timers: Timers,
    history: Vec<Entry>,
    ending: Option<Ending>,
}

type Timers = Vec<(
    Timestamp,
    workflow::core::TaskPath,
    workflow::core::TimerKind,
)>;

/// The timer that is due first; moves the time there.
fn next_timer(timers: &mut Timers, at: &mut Timestamp) -> Option<Event> {
    let first = timers.iter().enumerate().min_by_key(|(_, (at, ..))| *at)?.0;
    let (due, path, timer) = timers.swap_remove(first);
    *at = due.max(*at);
    Some(Event::Fired { path, timer })
}
