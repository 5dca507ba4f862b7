//! What can be seen of a run from outside. Whether it can ever go on is [`stuck`]'s.

mod stuck;

pub use stuck::Stuck;

use super::Run;
use super::command::{Ending, Suspended};
use super::event::{Reason, TimerKind};
use super::path::TaskPath;
use super::problem::Problem;
use super::state::{Frame, Phase as CallPhase, State, Step};
use jiff::Timestamp;

/// The standard's phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not begun.
    Pending,
    /// Something is in flight.
    Running,
    /// For a timer, an event, people, a lock, a child or a breaker.
    Waiting,
    /// Paused, or standing on an operator.
    Suspended,
    /// Ended by an operator.
    Cancelled,
    /// Ended by an error.
    Faulted,
    /// Ended well.
    Completed,
}

impl Phase {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Suspended => "suspended",
            Self::Cancelled => "cancelled",
            Self::Faulted => "faulted",
            Self::Completed => "completed",
        }
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Faulted | Self::Completed)
    }
}

/// A run at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Where it is.
    pub phase: Phase,
    /// When it began; `None` before.
    pub started: Option<Timestamp>,
    /// When it ended; `None` before.
    pub ended: Option<Timestamp>,
    /// How it ended; `None` before.
    pub ending: Option<Ending>,
    /// What it is about to end as while it winds up; `None` otherwise.
    pub winding: Option<Ending>,
    /// Who paused it and why; `None` when it is not paused.
    pub paused: Option<Reason>,
    /// Attempts that may still answer. A paused run at 0 has drained.
    pub in_flight: usize,
    /// Lines of history.
    pub events: u64,
    /// The first leaf that is under way.
    pub current: Option<TaskPath>,
}

/// Something a run waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// Which step.
    pub path: TaskPath,
    /// Since when.
    pub since: Timestamp,
    /// For what.
    pub on: WaitOn,
}

/// For what a run waits.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitOn {
    /// A moment.
    Timer {
        /// Why.
        timer: TimerKind,
        /// When.
        at: Timestamp,
    },
    /// The answer to a call.
    Answer {
        /// The attempt.
        attempt: u32,
        /// Whether nobody needs it any more but the books.
        cancelled: bool,
    },
    /// People.
    Approval {
        /// The request.
        attempt: u32,
        /// What votes are bound to.
        digest: String,
        /// No decision by then is a refusal.
        expires: Timestamp,
    },
    /// Locks.
    Lock {
        /// The keys.
        keys: Vec<String>,
    },
    /// The end of a child.
    Child {
        /// Its key.
        key: String,
    },
    /// An event.
    Event,
    /// A breaker to close; a timer looks, too.
    Breaker,
    /// An operator.
    Operator {
        /// Why.
        why: Suspended,
        /// What went wrong; `None` for an outcome nobody knows.
        problem: Option<Problem>,
        /// Key of the attempt in question, to look it up where it was sent; `None` for a `try`.
        key: Option<String>,
    },
    /// The end of a pause.
    Resume,
}

/// A task that is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct StepView {
    /// Where.
    pub path: TaskPath,
    /// Since when.
    pub since: Timestamp,
    /// The present attempt; 0 for what is no call.
    pub attempt: u32,
    /// Its input.
    pub input: std::sync::Arc<serde_json::Value>,
}

impl Run {
    /// The run at a glance.
    #[must_use]
    pub fn status(&self) -> Status {
        let state = &self.state;
        Status {
            phase: phase(state),
            started: state.started,
            ended: state.ended,
            ending: state.ending.clone(),
            winding: state.winding.as_ref().map(|winding| winding.ending.clone()),
            paused: state.paused.clone(),
            in_flight: flying(state),
            events: state.events,
            current: leaves(state).next().map(|(path, _)| path.clone()),
        }
    }

    /// Everything the run waits for, since when.
    #[must_use]
    pub fn waits(&self) -> Vec<Wait> {
        let state = &self.state;
        let mut waits = Vec::new();
        if state.ending.is_some() {
            return waits;
        }
        let run = TaskPath::run();
        let since = state.started.unwrap_or(state.now);
        if state.paused.is_some() {
            waits.push(Wait {
                path: run.clone(),
                since,
                on: WaitOn::Resume,
            });
        }
        for (timer, at) in &state.timers {
            let on = WaitOn::Timer {
                timer: *timer,
                at: *at,
            };
            waits.push(Wait {
                path: run.clone(),
                since,
                on,
            });
        }
        if !state.locked && !state.locks.is_empty() {
            let on = WaitOn::Lock {
                keys: state.locks.clone(),
            };
            waits.push(Wait {
                path: run,
                since,
                on,
            });
        }
        state
            .frames
            .iter()
            .for_each(|(path, frame)| add_frame(state, (path, frame), &mut waits));
        for drain in &state.draining {
            let on = if drain.held {
                WaitOn::Operator {
                    why: Suspended::Unknown,
                    problem: None,
                    key: Some(drain.key.clone()),
                }
            } else {
                WaitOn::Answer {
                    attempt: drain.attempt,
                    cancelled: true,
                }
            };
            waits.push(Wait {
                path: drain.path.clone(),
                since: drain.since,
                on,
            });
        }
        waits
    }

    /// The tasks that are under way, outermost first.
    #[must_use]
    pub fn steps(&self) -> Vec<StepView> {
        let tasks = self
            .state
            .frames
            .iter()
            .filter(|(_, frame)| !matches!(frame.step, Step::List { .. }));
        tasks
            .map(|(path, frame)| StepView {
                path: path.clone(),
                since: frame.since,
                attempt: match &frame.step {
                    Step::Call(calling) => calling.attempt,
                    _ => 0,
                },
                input: frame.input.clone(),
            })
            .collect()
    }
}

fn add_frame(state: &State, (path, frame): (&TaskPath, &Frame), waits: &mut Vec<Wait>) {
    let wait = |on| Wait {
        path: path.clone(),
        since: frame.since,
        on,
    };
    waits.extend(frame.timers.iter().map(|(timer, at)| {
        wait(WaitOn::Timer {
            timer: *timer,
            at: *at,
        })
    }));
    waits.extend(waits_on(state, path, frame).map(wait));
}

fn waits_on(state: &State, path: &TaskPath, frame: &Frame) -> Option<WaitOn> {
    Some(match &frame.step {
        Step::Locking => WaitOn::Lock {
            keys: frame.locks.clone(),
        },
        Step::Asking(asking) => approval(asking),
        Step::Listen(listening) if !listening.closed => WaitOn::Event,
        Step::Child { key, .. } => WaitOn::Child { key: key.clone() },
        Step::Held(problem) => WaitOn::Operator {
            why: Suspended::Exhausted,
            problem: Some(problem.clone()),
            key: None,
        },
        Step::Call(calling) => match &calling.phase {
            CallPhase::Asking(asking) => approval(asking),
            CallPhase::Flying { .. } => WaitOn::Answer {
                attempt: calling.attempt,
                cancelled: false,
            },
            CallPhase::Verifying { attempt, .. } => WaitOn::Answer {
                attempt: *attempt,
                cancelled: false,
            },
            CallPhase::Parked if frame.timers.contains_key(&TimerKind::Probe) => WaitOn::Breaker,
            CallPhase::Held { why, problem } => WaitOn::Operator {
                why: *why,
                problem: problem.clone(),
                key: state.key_of(path, calling),
            },
            CallPhase::Parked | CallPhase::Ready | CallPhase::Backoff => return None,
        },
        _ => return None,
    })
}

fn approval(asking: &super::state::Asking) -> WaitOn {
    WaitOn::Approval {
        attempt: asking.attempt,
        digest: asking.digest.clone(),
        expires: asking.expires,
    }
}

fn has_child(state: &State, path: &TaskPath) -> bool {
    let from = format!("{path}/");
    let below = (
        std::ops::Bound::Included(from.as_str()),
        std::ops::Bound::Unbounded,
    );
    let mut frames = state.frames.range::<str, _>(below);
    frames
        .next()
        .is_some_and(|(below, _)| below.as_str().starts_with(&from))
}

fn leaves(state: &State) -> impl Iterator<Item = (&TaskPath, &Frame)> {
    state
        .frames
        .iter()
        .filter(|(path, _)| !has_child(state, path))
}

fn flying(state: &State) -> usize {
    let calls = state.frames.values().filter(|frame| match &frame.step {
        Step::Call(calling) => {
            matches!(
                calling.phase,
                CallPhase::Flying { .. } | CallPhase::Verifying { .. }
            )
        }
        _ => false,
    });
    calls.count() + state.draining.iter().filter(|drain| !drain.held).count()
}

fn phase(state: &State) -> Phase {
    match &state.ending {
        Some(Ending::Completed(_)) => return Phase::Completed,
        Some(Ending::Faulted(_)) => return Phase::Faulted,
        Some(Ending::Cancelled(_) | Ending::Killed(_)) => return Phase::Cancelled,
        None => {}
    }
    let held = |frame: &Frame| match &frame.step {
        Step::Held(_) => true,
        Step::Call(calling) => matches!(calling.phase, CallPhase::Held { .. }),
        _ => false,
    };
    if state.started.is_none() {
        Phase::Pending
    } else if state.paused.is_some()
        || state.frames.values().any(held)
        || state.draining.iter().any(|drain| drain.held)
    {
        Phase::Suspended
    } else if flying(state) > 0 || !state.queue.is_empty() {
        Phase::Running
    } else {
        Phase::Waiting
    }
}
