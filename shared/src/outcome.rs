//! What tools that act on a host give back: the named results of the catalogue, as they are sent.
//!
//! Here: a command that ended ([`Cmd`]) with the record of it, its time limit and its progress; files
//! read, written and listed ([`Text`], [`Written`], [`Listing`]). How hosts are reached is not here:
//! that is [`crate::exec`], [`crate::files`] and the clients of other hosts.

mod file;

pub use file::{Encoding, Entry, Listing, Text, Written};

use crate::error::Code;
use crate::exec::{Captured, Ended, Finished, MIN_TIMEOUT};
use crate::tool::{Call, ToolError};
use schemars::JsonSchema;
use serde::Serialize;
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// Text of a result, in bytes.
const MAX_TEXT: usize = 1024 * 1024;
/// The same as JSON: two of them fit into a result.
const MAX_ENCODED: usize = 1_400_000;
/// Of each stream, for the log.
const MAX_LOGGED: usize = 16 * 1024;
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// The result of a command.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Cmd {
    /// Standard output; what is not UTF-8 is replaced.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit code; 128 + number for a signal.
    pub exit_code: i32,
    /// From start to end.
    pub duration_ms: u64,
    /// Whether output was dropped at 1 MiB.
    pub truncated: bool,
    /// Where it ran.
    pub host: String,
    /// Whether it was judged to only read.
    pub read_only: bool,
}

/// What ran, for the result and the record.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The command, as one line.
    pub command: &'a str,
    /// Where.
    pub host: &'a str,
    /// Whether it was judged to only read.
    pub read_only: bool,
}

impl Cmd {
    /// The result of a run, recorded.
    ///
    /// # Errors
    /// [`Code::Timeout`] with what was written until then.
    pub fn of(finished: &Finished, about: About<'_>, call: &Call) -> Result<Self, ToolError> {
        record(finished, about, call);
        let (stdout, cut_stdout) = text(&finished.stdout);
        let (stderr, cut_stderr) = text(&finished.stderr);
        let cmd = Self {
            stdout,
            stderr,
            exit_code: finished.exit_code(),
            duration_ms: u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX),
            truncated: cut_stdout || cut_stderr,
            host: about.host.to_owned(),
            read_only: about.read_only,
        };
        match finished.ended {
            Ended::Exited(_) | Ended::Signalled(_) => Ok(cmd),
            Ended::TimedOut => Err(cmd.failed(Code::Timeout, "the command did not end in time")),
            Ended::Stopped => Err(cmd.failed(Code::ServiceUnavailable, "the command was stopped")),
        }
    }

    fn failed(self, code: Code, message: &str) -> ToolError {
        ToolError::new(code, message).with_details(serde_json::json!({
            "stdout": self.stdout,
            "stderr": self.stderr,
            "duration_ms": self.duration_ms,
        }))
    }
}

/// Text of a stream as it fits into a result, and whether something is missing.
fn text(stream: &Captured) -> (String, bool) {
    let whole = stream.text();
    let (text, cut) = bounded(&whole);
    (text.to_owned(), cut || stream.truncated())
}

/// The beginning of a text that fits into a result, and whether something is missing.
#[must_use]
pub fn bounded(text: &str) -> (&str, bool) {
    let mut encoded: usize = 0;
    for (at, c) in text.char_indices() {
        encoded = encoded.saturating_add(match c {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            c if c.is_control() => 6,
            c => c.len_utf8(),
        });
        if encoded > MAX_ENCODED || at.saturating_add(c.len_utf8()) > MAX_TEXT {
            return (text.get(..at).unwrap_or_default(), true);
        }
    }
    (text, false)
}

/// One line about the run, one with its output. The log layer redacts both.
fn record(finished: &Finished, about: About<'_>, call: &Call) {
    let start = |stream: &Captured| {
        let text = stream.text();
        let end = text.floor_char_boundary(MAX_LOGGED);
        text.get(..end).unwrap_or_default().to_owned()
    };
    tracing::info!(
        event = "command_run",
        principal = call.principal,
        host = about.host,
        command = about.command,
        read_only = about.read_only,
        exit_code = finished.exit_code(),
        stdout_bytes = finished.stdout.total,
        stderr_bytes = finished.stderr.total,
        "a command was run"
    );
    tracing::info!(
        event = "command_output",
        stdout = start(&finished.stdout),
        stderr = start(&finished.stderr),
        "what a command wrote"
    );
}

/// Waits for work and tells the caller every five seconds that it goes on.
pub async fn watched<T>(call: &Call, timeout: Duration, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    let started = Instant::now();
    let mut ticks = tokio::time::interval(PROGRESS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => {
                let seconds = started.elapsed().as_secs_f64();
                call.progress.report(seconds, Some(timeout.as_secs_f64()), "running");
            }
        }
    }
}

/// The time limit of a run: what was asked for, at most what the caller still waits.
///
/// # Errors
/// [`Code::Timeout`] when less than a second is left.
pub fn time_limit(seconds: u64, call: &Call) -> Result<Duration, ToolError> {
    let limit = Duration::from_secs(seconds).min(call.remaining());
    if limit < MIN_TIMEOUT {
        return Err(ToolError::refused(
            Code::Timeout,
            "no time is left for this call",
        ));
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_so_that_two_fit_into_a_result() {
        assert_eq!(bounded("short"), ("short", false));
        let plain = "é".repeat(MAX_TEXT);
        let (text, cut) = bounded(&plain);
        assert_eq!((text.len(), cut), (MAX_TEXT, true));
        let escaped = "\u{1}".repeat(MAX_TEXT);
        let (text, cut) = bounded(&escaped);
        assert!(cut && serde_json::to_string(text).unwrap().len() <= MAX_ENCODED + 2);
    }
}
