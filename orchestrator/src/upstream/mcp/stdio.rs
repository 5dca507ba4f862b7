//! A server as a child process: one message a line on its pipes.
//!
//! Lines that are no JSON are skipped; some servers greet on standard output. What it writes to
//! standard error goes to the log. It runs in a session of its own and is ended with everything it
//! started.

use super::carrier::{Carrier, Frame};
use super::inbox::{Asked, Inbox};
use crate::upstream::UpstreamError;
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use shared::exec::{Executor, Run, ServedHandle};
use shared::tasks::Tasks;
use std::sync::Arc;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc;

/// Longest line, in bytes.
const MAX_LINE: usize = 32 * 1024 * 1024;
/// Longest line of standard error that is logged, in bytes.
const MAX_ERROR_LINE: usize = 4096;
/// Messages that wait to be written.
const QUEUE: usize = 64;

/// The pipes of a child.
pub(super) struct Stdio {
    lines: Mutex<Option<mpsc::Sender<Bytes>>>,
    handle: Mutex<Option<ServedHandle>>,
}

impl Stdio {
    /// Starts the child.
    pub(super) fn start(
        executor: &Executor,
        run: &Run,
        inbox: &Arc<Inbox>,
        tasks: &Tasks,
        server: &Arc<str>,
    ) -> Result<Self, UpstreamError> {
        let served = executor
            .serve(run)
            .map_err(|error| UpstreamError::Unreachable(error.to_string()))?;
        let (lines, queue) = mpsc::channel(QUEUE);
        let closed = inbox.closed();
        tasks.spawn("write to a server", async move {
            tokio::select! {
                () = write(served.stdin, queue) => {}
                () = closed.cancelled() => {}
            }
        });
        let reading = Reading {
            inbox: Arc::clone(inbox),
            answers: lines.downgrade(),
            tasks: tasks.clone(),
        };
        tasks.spawn("read from a server", reading.run(served.stdout));
        let name = Arc::clone(server);
        tasks.spawn("read the errors of a server", log(served.stderr, name));
        Ok(Self {
            lines: Mutex::new(Some(lines)),
            handle: Mutex::new(Some(served.handle)),
        })
    }
}

#[async_trait]
impl Carrier for Stdio {
    async fn send(&self, frame: Frame) -> Result<(), UpstreamError> {
        let lines = self.lines.lock().clone();
        let gone = || UpstreamError::Unreachable("the server has ended".into());
        let lines = lines.ok_or_else(gone)?;
        lines.send(frame.json).await.or(Err(gone()))
    }

    fn agreed(&self, _version: &str) {}

    fn drop_cancels(&self) -> bool {
        false
    }

    async fn listen(&self) {}

    async fn close(&self) {
        // The writer ends with its last sender, and closes the child's input.
        drop(self.lines.lock().take());
        let handle = self.handle.lock().take();
        if let Some(handle) = handle {
            let code = handle.stop().await;
            tracing::debug!(event = "server_ended", code, "a server process has ended");
        }
    }
}

async fn write(mut pipe: ChildStdin, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(line) = queue.recv().await {
        let written = async {
            pipe.write_all(&line).await?;
            pipe.write_all(b"\n").await?;
            pipe.flush().await
        };
        if let Err(error) = written.await {
            tracing::debug!(event = "server_pipe_broken", %error, "a server reads no more");
            return;
        }
    }
}

struct Reading {
    inbox: Arc<Inbox>,
    answers: mpsc::WeakSender<Bytes>,
    tasks: Tasks,
}

impl Reading {
    async fn run(self, pipe: ChildStdout) {
        let mut pipe = BufReader::with_capacity(64 * 1024, pipe);
        let mut line = Vec::new();
        let closed = self.inbox.closed();
        loop {
            let more = tokio::select! {
                more = read_line(&mut pipe, &mut line, MAX_LINE) => more,
                () = closed.cancelled() => false,
            };
            if !more {
                break;
            }
            self.take(line.trim_ascii());
        }
        self.inbox
            .close(&UpstreamError::Lost("the server has ended".into()));
    }

    fn take(&self, text: &[u8]) {
        if !text.starts_with(b"{") {
            tracing::debug!(
                event = "server_noise",
                bytes = text.len(),
                "a line that is no message"
            );
            return;
        }
        match self.inbox.take(text, None) {
            Ok(None) => {}
            Ok(Some(asked)) => self.reply(asked),
            Err(error) => {
                tracing::debug!(event = "server_noise", %error, "a line that is no message");
            }
        }
    }

    fn reply(&self, asked: Asked) {
        let (answers, closed) = (self.answers.clone(), self.inbox.closed());
        self.tasks.spawn("answer a server", async move {
            let answer = tokio::select! {
                answer = asked.answer() => answer,
                () = closed.cancelled() => return,
            };
            if let Some(lines) = answers.upgrade()
                && lines.send(answer.into()).await.is_err()
            {
                tracing::debug!(
                    event = "server_gone",
                    "a server ended before it was answered"
                );
            }
        });
    }
}

async fn log(pipe: impl AsyncRead + Unpin, server: Arc<str>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while read_line(&mut pipe, &mut line, MAX_ERROR_LINE).await {
        let text = String::from_utf8_lossy(line.trim_ascii_end());
        if !text.is_empty() {
            tracing::info!(event = "server_stderr", server = &*server, text = %text, "a server says");
        }
    }
}

/// One line into `line`; what is longer than `most` is dropped. `false` at the end.
async fn read_line(
    pipe: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
    most: usize,
) -> bool {
    line.clear();
    let mut dropped = false;
    loop {
        let Ok(bytes) = pipe.fill_buf().await else {
            return false;
        };
        if bytes.is_empty() {
            return !line.is_empty();
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |at| at + 1);
        if line.len() + taken <= most {
            line.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        } else {
            dropped = true;
        }
        pipe.consume(taken);
        if end.is_some() {
            if dropped {
                tracing::warn!(
                    event = "line_too_long",
                    most,
                    "a line of a server was dropped"
                );
                line.clear();
            }
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_that_are_too_long_are_dropped_and_the_next_is_read() {
        let text = format!("{}\nshort\nlast", "x".repeat(100));
        let mut pipe = BufReader::with_capacity(8, text.as_bytes());
        let mut line = Vec::new();
        let mut seen = Vec::new();
        while read_line(&mut pipe, &mut line, 20).await {
            seen.push(String::from_utf8(line.clone()).unwrap());
        }
        assert_eq!(seen, ["", "short\n", "last"]);
    }
}
