//! One supervised child process: started again with growing pauses when it ends, stopped by SIGTERM.

use rustix::process::{Pid, Signal, kill_process};
use shared::config::Environment;
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What to run.
pub(super) struct Program {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
    /// The whole environment of the child.
    pub(super) environment: Environment,
}

/// A program that is kept running.
pub(super) struct Child {
    name: String,
    stop: CancellationToken,
    supervisor: JoinHandle<()>,
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(12);
/// A child that ran this long starts over with the first pause.
const STEADY: Duration = Duration::from_secs(60);

impl Child {
    /// Starts the program and keeps it running. At most 5 starts a minute once the pauses are grown.
    pub(super) fn supervise(program: Program) -> Self {
        let stop = CancellationToken::new();
        let name = program.name.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "the supervisor is awaited in `stop`"
        )]
        let supervisor = tokio::spawn(keep_running(program, stop.clone()));
        Self {
            name,
            stop,
            supervisor,
        }
    }

    /// Sends SIGTERM and waits; after `within` the process is killed.
    pub(super) async fn stop(mut self, within: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(within, &mut self.supervisor)
            .await
            .is_err()
        {
            tracing::warn!(
                event = "child_killed",
                child = self.name,
                "a child did not stop in time"
            );
            self.supervisor.abort();
        }
    }
}

async fn keep_running(program: Program, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let started = tokio::time::Instant::now();
        run_once(&program, &stop).await;
        if stop.is_cancelled() {
            return;
        }
        pause = if started.elapsed() > STEADY {
            FIRST_PAUSE
        } else {
            (pause * 2).min(LONGEST_PAUSE)
        };
        tracing::warn!(
            event = "child_ended",
            child = program.name,
            ?pause,
            "a child ended; starting it again"
        );
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn run_once(program: &Program, stop: &CancellationToken) {
    #[expect(
        clippy::disallowed_methods,
        reason = "long-lived children, not commands of a tool call"
    )]
    let mut command = Command::new(&program.path);
    command
        .args(&program.arguments)
        .env_clear()
        .envs(program.environment.iter())
        .stdin(std::process::Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            tracing::error!(event = "child_failed", child = program.name, %error, "a child could not be started");
            return;
        }
    };
    tokio::select! {
        status = child.wait() => {
            tracing::info!(event = "child_exited", child = program.name, ?status, "a child exited");
        }
        () = stop.cancelled() => {
            let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
            if let Some(pid) = pid
                && kill_process(pid, Signal::TERM).is_err()
            {
                tracing::debug!(child = program.name, "the child had ended already");
            }
            drop(child.wait().await);
        }
    }
}
