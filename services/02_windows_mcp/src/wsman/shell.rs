//! One program in a shell of its own: started, fed, listened to, ended.

use super::WsmanError;
use super::answer::Answer;
use super::envelope::{Writer, identify};
use super::wire::{Endpoint, Wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared::exec::{Captured, Ended, Finished};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Input of one message, in bytes: encoded it stays below the smallest envelope hosts take.
const PART: usize = 96 * 1024;
/// For taking a program back.
const GRACE: Duration = Duration::from_secs(5);

/// What is run.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Name of the program.
    pub(crate) program: &'static str,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Its input.
    pub(crate) stdin: Vec<u8>,
    /// Output kept of each stream, in bytes.
    pub(crate) limit: usize,
}

/// What went wrong, and whether the program may have begun then.
pub(crate) type Failure = (WsmanError, bool);

/// Runs a job until it ends, the time is over, or `stop` does. The shell is closed in the end, and
/// with it the program.
///
/// # Errors
/// [`Failure`].
pub(crate) async fn run(
    endpoint: &Endpoint,
    job: &Job,
    patience: Duration,
    stop: impl Future<Output = ()>,
) -> Result<Finished, Failure> {
    let started = Instant::now();
    let mut shell = timeout(patience, Shell::open(endpoint.clone()))
        .await
        .unwrap_or(Err(WsmanError::Silent))
        .map_err(|error| (error, false))?;
    let mut said = Said::default();
    let ended = tokio::select! {
        ended = shell.follow(job, &mut said) => ended.map(Ended::Exited),
        () = tokio::time::sleep(patience.saturating_sub(started.elapsed())) => Ok(Ended::TimedOut),
        () = stop => Ok(Ended::Stopped),
    };
    let begun = shell.command.is_some() || shell.asked;
    shell.close(matches!(ended, Ok(Ended::Exited(_)))).await;
    let ended = ended.map_err(|error| (error, begun))?;
    Ok(Finished {
        ended,
        stdout: said.stdout,
        stderr: said.stderr,
        duration: started.elapsed(),
        survivors: 0,
    })
}

struct Shell {
    endpoint: Endpoint,
    wire: Wire,
    writer: Writer,
    id: String,
    command: Option<String>,
    /// Whether a program was asked for.
    asked: bool,
}

impl Shell {
    /// Makes sure the host is a Windows and opens a shell.
    async fn open(endpoint: Endpoint) -> Result<Self, WsmanError> {
        let mut wire = Wire::open(endpoint.clone()).await?;
        check_system(&Answer::read(&wire.ask(identify()).await?)?)?;
        let writer = Writer::new(endpoint.url());
        let answer = Answer::read(&wire.ask(writer.create()).await?)?;
        let mut selectors = answer.all("Selector");
        let selector = selectors.find(|it| it.attribute("Name") == Some("ShellId"));
        let id = answer.text("ShellId").or(selector.map(|it| it.text.trim()));
        let id = id.ok_or(WsmanError::Odd("no shell"))?.to_owned();
        Ok(Self {
            endpoint,
            wire,
            writer,
            id,
            command: None,
            asked: false,
        })
    }

    /// Starts the program and listens until it ends; gives its exit code.
    async fn follow(&mut self, job: &Job, said: &mut Said) -> Result<i32, WsmanError> {
        let message = self.writer.command(&self.id, job.program, &job.arguments);
        self.asked = true;
        let answer = Answer::read(&self.wire.ask(message).await?)?;
        let command = answer
            .text("CommandId")
            .ok_or(WsmanError::Odd("no command"))?;
        let command = command.to_owned();
        self.command = Some(command.clone());
        self.feed(&command, &job.stdin).await?;
        loop {
            let message = self.writer.receive(&self.id, &command);
            let bytes = self.wire.ask(message).await?;
            let answer = match Answer::read(&bytes) {
                Err(WsmanError::Fault(fault)) if fault.is_wait() => continue,
                answer => answer?,
            };
            said.take(&answer, job.limit)?;
            let mut states = answer.all("CommandState");
            let done = states.any(|it| {
                it.attribute("State")
                    .is_some_and(|it| it.ends_with("/Done"))
            });
            if done {
                let code = answer.text("ExitCode").unwrap_or("0");
                // Codes are 32 bits without sign; people know the negative ones.
                let code = code.parse::<u32>().map_or(-1, u32::cast_signed);
                return Ok(code);
            }
        }
    }

    async fn feed(&mut self, command: &str, stdin: &[u8]) -> Result<(), WsmanError> {
        let mut parts = stdin.chunks(PART).peekable();
        loop {
            let part = parts.next().unwrap_or_default();
            let last = parts.peek().is_none();
            let message = self.writer.send(&self.id, command, part, last);
            Answer::read(&self.wire.ask(message).await?)?;
            if last {
                return Ok(());
            }
        }
    }

    /// Ends the program, on a connection that is free.
    async fn terminate(&mut self) -> Result<(), WsmanError> {
        self.wire = Wire::open(self.endpoint.clone()).await?;
        if let Some(command) = &self.command {
            let message = self.writer.terminate(&self.id, command);
            Answer::read(&self.wire.ask(message).await?)?;
        }
        Ok(())
    }

    /// Ends what still runs and closes the shell; on another connection when the first may still wait
    /// for an answer.
    async fn close(mut self, idle: bool) {
        let closing = async {
            if !idle {
                self.terminate().await?;
            }
            Answer::read(&self.wire.ask(self.writer.delete(&self.id)).await?)
        };
        match timeout(GRACE, closing).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(event = "winrm_shell_left", %error, "a shell was not closed");
            }
            Err(_elapsed) => tracing::warn!(event = "winrm_shell_left", "a shell was not closed"),
        }
    }
}

/// What the program said so far.
#[derive(Default)]
struct Said {
    stdout: Captured,
    stderr: Captured,
}

impl Said {
    fn take(&mut self, answer: &Answer, limit: usize) -> Result<(), WsmanError> {
        for stream in answer.all("Stream") {
            let captured = match stream.attribute("Name") {
                Some("stdout") => &mut self.stdout,
                Some("stderr") => &mut self.stderr,
                _ => continue,
            };
            let data = STANDARD.decode(stream.text.trim()).map_err(|error| {
                tracing::warn!(event = "winrm_stream", %error, "output cannot be read");
                WsmanError::Odd("output that is not base64")
            })?;
            let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
            captured.total = captured.total.saturating_add(length);
            let room = limit.saturating_sub(captured.bytes.len()).min(data.len());
            captured
                .bytes
                .extend_from_slice(data.get(..room).unwrap_or_default());
        }
        Ok(())
    }
}

/// Windows names itself `OS: 10.0.20348 SP: 0.0 Stack: 3.0`, others with their product.
fn check_system(answer: &Answer) -> Result<(), WsmanError> {
    let version = answer.text("ProductVersion").unwrap_or_default();
    let vendor = answer.text("ProductVendor").unwrap_or_default();
    if version.starts_with("OS: ") && vendor.starts_with("Microsoft") {
        return Ok(());
    }
    let name = shared::command::shown(&format!("{vendor} {version}"));
    Err(WsmanError::System(name.trim().chars().take(100).collect()))
}
