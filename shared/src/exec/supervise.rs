//! One run from start to the end of its last process, in a task of its own: the caller may go away.

use super::capture::{self, Capture, Lines};
use super::family::{Family, Mark};
use super::{Argv, Ended, ExecError, Finished, Run};
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between the polite signal and the other one.
const GRACE: Duration = Duration::from_secs(2);

/// Everything a run needs; owned, since the caller may not wait.
pub(super) struct Job {
    pub(super) argv: Argv,
    /// Value of `PATH`.
    pub(super) path: String,
    pub(super) run: Run,
    /// The caller does not wait any more.
    pub(super) given_up: CancellationToken,
    /// This process is stopping.
    pub(super) stopping: CancellationToken,
}

pub(super) async fn supervise(job: Job) -> Result<Finished, ExecError> {
    let started = Instant::now();
    let mark = Mark::random();
    let mut child = spawn(&job, mark).map_err(ExecError::Spawn)?;
    let family = Family::of(child.id(), mark);
    let lines = Lines::new(&job.run.progress);
    let limit = job.run.output_limit;
    let stdout = Capture::start(child.stdout().take(), limit, lines.clone());
    let stderr = Capture::start(child.stderr().take(), limit, lines);
    let input = child.stdin().take();
    let ended = tokio::select! {
        ended = talk(&mut *child, input, &job.run.input) => ended.map_err(ExecError::Spawn)?,
        () = tokio::time::sleep(job.run.timeout) => Ended::TimedOut,
        () = job.given_up.cancelled() => Ended::Stopped,
        () = job.stopping.cancelled() => Ended::Stopped,
    };
    if matches!(ended, Ended::TimedOut | Ended::Stopped) {
        family.ask();
        // Whatever comes of it, the family is ended below.
        if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
            tracing::debug!(
                event = "exec_stubborn",
                program = job.run.program,
                "not ended by TERM"
            );
        }
    }
    let survivors = family.end().await;
    if survivors > 0 {
        tracing::error!(
            event = "exec_survivors",
            program = job.run.program,
            survivors,
            "processes could not be ended"
        );
    }
    Ok(Finished {
        ended,
        stdout: stdout.finish().await,
        stderr: stderr.finish().await,
        duration: started.elapsed(),
        survivors,
    })
}

fn spawn(job: &Job, mark: Mark) -> std::io::Result<Box<dyn ChildWrapper>> {
    let mut command = CommandWrap::with_new(&job.argv.setpriv, |command| {
        command
            .arg("--no-new-privs")
            .arg("--")
            .arg(&job.argv.prlimit)
            .args(&job.argv.limits)
            .arg(mark.argument())
            .arg("--")
            .arg(&job.argv.program)
            .args(&job.run.arguments)
            .env_clear()
            .env("PATH", &job.path)
            .env("HOME", "/")
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb")
            .envs(
                job.run
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(job.run.directory.as_deref().unwrap_or("/".as_ref()))
            .stdin(if job.run.input.is_empty() {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
    });
    // The wrapper's own waiting is for the whole group; ours is for the program, then the family.
    Ok(command.wrap(ProcessSession).spawn()?.into_inner())
}

/// Feeds the program and waits for its end.
async fn talk(
    child: &mut dyn ChildWrapper,
    input: Option<tokio::process::ChildStdin>,
    bytes: &[u8],
) -> std::io::Result<Ended> {
    let feeding = capture::feed(input, bytes);
    tokio::pin!(feeding);
    let mut fed = false;
    let waiting = child.wait();
    tokio::pin!(waiting);
    loop {
        tokio::select! {
            status = &mut waiting => return Ok(ended(status?)),
            () = &mut feeding, if !fed => fed = true,
        }
    }
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited(code),
        (None, signal) => Ended::Signalled(signal.unwrap_or_default()),
    }
}
