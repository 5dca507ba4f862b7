//! The interpreter: what happened goes in, what is to be done comes out, and nothing else.
//!
//! It has no clock, no randomness, no store and no network, so that the same run gives the same commands
//! on every engine, in a simulator and after every crash.

mod command;
mod entry;
mod event;
mod path;
mod problem;
mod settings;
mod stored;

pub use command::{
    AttemptTimeouts, Command, Ending, Granted, Invocation, Invoke, Purpose, Request, Spawn,
    Subject, Suspended, Target,
};
pub use entry::{Entry, What};
pub use event::{
    ChildOutcome, Control, Event, Failure, Outcome, Reason, Resolution, Stamped, TimerKind,
    Verdict, Vote,
};
pub use path::TaskPath;
pub use problem::{Fault, Problem};
pub use settings::{Limits, RetryLimits, Reuse, RunSettings};
