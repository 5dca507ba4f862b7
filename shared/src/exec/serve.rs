//! A program that stays: its pipes are the caller's, its end is ours.
//!
//! The same walls as for a run, without its time and processor limits. It is ended politely: its input
//! is closed, then it is asked, then it and everything it started is killed. Dropping a [`Served`]
//! does the same in the background.

use super::family::{Family, Mark};
use super::{ExecError, Executor, Limits, Run, check_directory};
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Between closing the input and asking, and between asking and killing.
const GRACE: Duration = Duration::from_secs(2);
/// Open files of a process.
const OPEN_FILES: u32 = 1024;
/// Largest file that may be written, in bytes.
const FILE_BYTES: u64 = 1 << 30;

/// A running program.
#[derive(Debug)]
pub struct Served {
    /// Closed when the program is stopped; dropping it tells most programs to end.
    pub stdin: ChildStdin,
    /// Has to be read, or the program waits.
    pub stdout: ChildStdout,
    /// Has to be read, or the program waits.
    pub stderr: ChildStderr,
    /// Ends it.
    pub handle: ServedHandle,
}

/// Ends a running program.
#[derive(Debug)]
pub struct ServedHandle {
    /// The first process.
    pub pid: u32,
    stop: CancellationToken,
    ended: CancellationToken,
    watching: Option<JoinHandle<Option<i32>>>,
}

impl ServedHandle {
    /// Ends the program and everything it started. Close its input first, or it is not given the time
    /// to end by itself. Its exit code; `None` when it ended by a signal.
    pub async fn stop(mut self) -> Option<i32> {
        self.stop.cancel();
        match self.watching.take() {
            None => None,
            Some(watching) => watching.await.ok().flatten(),
        }
    }

    /// Fires when the program, and everything it started, has ended.
    #[must_use]
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }
}

impl Drop for ServedHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Executor {
    /// Starts a program that stays. Unlike that of [`Executor::run`] it may be named by an absolute
    /// path, under the same rules about who can write it. Input, time limit and output limit of `run`
    /// do not count.
    ///
    /// # Errors
    /// [`ExecError`]; nothing was started.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn serve(&self, run: &Run) -> Result<Served, ExecError> {
        run.check()?;
        let program = self.program(&run.program)?;
        if let Some(directory) = &run.directory {
            check_directory(directory)?;
        }
        let mark = Mark::random();
        let mut child = self.spawn(run, &program, mark).map_err(ExecError::Spawn)?;
        let family = Family::of(child.id(), mark);
        let pid = child.id().unwrap_or_default();
        let pipes = (
            child.stdin().take(),
            child.stdout().take(),
            child.stderr().take(),
        );
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(ExecError::Spawn(std::io::Error::other("no pipes")));
        };
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let signals = (stop.clone(), self.tasks.token());
        let over = ended.clone().drop_guard();
        let watching = self.tasks.spawn("served program", async move {
            let _over = over;
            watch(child, family, signals).await
        });
        let handle = ServedHandle {
            pid,
            stop,
            ended,
            watching: Some(watching),
        };
        Ok(Served {
            stdin,
            stdout,
            stderr,
            handle,
        })
    }

    fn program(&self, name: &str) -> Result<PathBuf, ExecError> {
        let path = Path::new(name);
        if !path.is_absolute() {
            return self.path.find(name);
        }
        let unnamed = || ExecError::Name(name.to_owned());
        let file = path.file_name().and_then(|file| file.to_str());
        let folder = path.parent().ok_or_else(unnamed)?;
        super::SearchPath::of([folder]).find(file.ok_or_else(unnamed)?)
    }

    fn spawn(
        &self,
        run: &Run,
        program: &Path,
        mark: Mark,
    ) -> std::io::Result<Box<dyn ChildWrapper>> {
        let command = CommandWrap::with_new(&self.walls.setpriv, |command| {
            command
                .arg("--no-new-privs")
                .arg("--")
                .arg(&self.walls.prlimit)
                .args(limits(&run.limits))
                .arg(mark.argument())
                .arg("--")
                .arg(program)
                .args(&run.arguments)
                .env_clear()
                .env("PATH", self.path.joined())
                .env("HOME", "/")
                .env("LANG", "C.UTF-8")
                .env("TERM", "dumb")
                .envs(run.environment.iter().map(|(name, value)| (name, value)))
                .current_dir(run.directory.as_deref().unwrap_or("/".as_ref()))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true);
        });
        let mut command = command;
        Ok(command.wrap(ProcessSession).spawn()?.into_inner())
    }
}

/// The limits of a run with more room for files, and none on processor time and memory, which a
/// program that stays would outgrow.
fn limits(of: &Limits) -> Vec<String> {
    let limits = Limits {
        memory_bytes: None,
        file_bytes: of.file_bytes.max(FILE_BYTES),
        open_files: of.open_files.max(OPEN_FILES),
        processes: of.processes,
    };
    let mut arguments = limits.arguments(Duration::ZERO);
    arguments.retain(|argument| !argument.starts_with("--cpu="));
    arguments
}

async fn watch(
    mut child: Box<dyn ChildWrapper>,
    family: Family,
    (stop, stopping): (CancellationToken, CancellationToken),
) -> Option<i32> {
    let mut status = tokio::select! {
        status = child.wait() => status.ok(),
        () = stop.cancelled() => None,
        () = stopping.cancelled() => None,
    };
    if status.is_none() {
        // Its input is closed by now; many programs need no more than that.
        status = tokio::time::timeout(GRACE, child.wait())
            .await
            .ok()
            .and_then(Result::ok);
    }
    if status.is_none() {
        family.ask();
        status = tokio::time::timeout(GRACE, child.wait())
            .await
            .ok()
            .and_then(Result::ok);
    }
    let survivors = family.end().await;
    if survivors > 0 {
        tracing::error!(
            event = "exec_survivors",
            survivors,
            "processes could not be ended"
        );
    }
    status.and_then(|status| status.code())
}

#[cfg(test)]
mod tests {
    use super::super::SearchPath;
    use super::*;
    use crate::tasks::Tasks;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    fn executor() -> Executor {
        Executor::new(SearchPath::system(), Tasks::new()).unwrap()
    }

    fn alive(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn a_program_that_stays_is_talked_to_and_ends_with_its_input() {
        let mut served = executor().serve(&Run::new("cat", [""; 0])).unwrap();
        served.stdin.write_all(b"hello\n").await.unwrap();
        let mut lines = BufReader::new(served.stdout).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "hello");
        drop(served.stdin);
        assert_eq!(served.handle.stop().await, Some(0));
    }

    #[tokio::test]
    async fn a_stubborn_program_and_what_it_started_are_gone_after_the_stop() {
        let script =
            "trap '' TERM; setsid sleep 31601 >/dev/null 2>&1 & echo $!; while :; do sleep 1; done";
        let served = executor().serve(&Run::new("sh", ["-c", script])).unwrap();
        let mut lines = BufReader::new(served.stdout).lines();
        let child = lines.next_line().await.unwrap().unwrap();
        assert!(alive(&child));
        drop(served.stdin);
        let ended = served.handle.ended();
        served.handle.stop().await;
        assert!(ended.is_cancelled());
        assert!(!alive(&child));
    }

    #[tokio::test]
    async fn only_trusted_programs_are_started_by_path() {
        let executor = executor();
        assert!(executor.serve(&Run::new("/usr/bin/true", [""; 0])).is_ok());
        let odd = executor.serve(&Run::new("/tmp/../usr/bin/nothing", [""; 0]));
        assert!(matches!(odd, Err(ExecError::NotFound(_))));
    }
}
