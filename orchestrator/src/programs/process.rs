//! A process that stays: lines go in, lines come out and are kept, the last of them.

use super::{Command, Owner, ProgramError};
use jiff::Timestamp;
use parking_lot::Mutex;
use shared::exec::{Served, ServedHandle};
use shared::tasks::Tasks;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Lines that are kept.
const MAX_LINES: usize = 1000;
/// Longest line, in bytes; a longer one is cut into several.
const MAX_LINE: usize = 64 * 1024;
/// Bytes that are kept.
const MAX_BYTES: usize = 1024 * 1024;
/// A pause this long ends an answer.
const QUIET: Duration = Duration::from_millis(100);
/// How long the input may take to be taken.
const TAKEN: Duration = Duration::from_secs(5);

/// A process.
pub struct Process {
    /// `proc_…`.
    pub id: String,
    /// Who started it.
    pub owner: Owner,
    /// What was started.
    pub command: Command,
    /// The first process.
    pub pid: u32,
    /// When.
    pub started_at: Timestamp,
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
    handle: Mutex<Option<ServedHandle>>,
    ended: CancellationToken,
    ended_at: Arc<Mutex<Option<Instant>>>,
    lines: watch::Sender<Lines>,
}

/// What a process said, from the oldest line that is kept.
#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    bytes: usize,
    /// Lines in all.
    total: u64,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Lines that came after it, standard error's among them.
    pub output: Vec<String>,
    /// The process still runs.
    pub running: bool,
}

/// A process as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// It has not ended.
    pub running: bool,
    /// The last lines, up to the number asked for.
    pub output: Vec<String>,
    /// Lines in all.
    pub total_lines: u64,
}

impl Process {
    pub(super) fn new(
        owner: Owner,
        command: Command,
        served: Served,
        now: Timestamp,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let ended = served.handle.ended();
        let process = Arc::new(Self {
            id: format!("proc_{}", hex::encode(rand::random::<[u8; 12]>())),
            owner,
            command,
            pid: served.handle.pid,
            started_at: now,
            stdin: tokio::sync::Mutex::new(Some(served.stdin)),
            handle: Mutex::new(Some(served.handle)),
            ended: ended.clone(),
            ended_at: Arc::default(),
            lines: watch::Sender::new(Lines::default()),
        });
        let lines = process.lines.clone();
        let more = process.lines.clone();
        let ended_at = Arc::clone(&process.ended_at);
        tasks.spawn("process output", async move {
            let reading = async {
                tokio::join!(follow(served.stdout, &lines), follow(served.stderr, &more));
            };
            tokio::join!(reading, ended.cancelled());
            *ended_at.lock() = Some(Instant::now());
            // Wakes who waits for a line that will not come.
            lines.send_modify(|_| {});
        });
        process
    }

    /// Whether it ended at least this long ago.
    #[must_use]
    pub fn ended_for(&self, long: Duration) -> bool {
        self.ended_at.lock().is_some_and(|at| at.elapsed() >= long)
    }

    /// How it is, with up to `lines` of its last lines.
    #[must_use]
    pub fn view(&self, lines: usize) -> View {
        let said = self.lines.borrow();
        let skip = said.kept.len().saturating_sub(lines);
        View {
            running: !self.ended.is_cancelled(),
            output: said.kept.iter().skip(skip).cloned().collect(),
            total_lines: said.total,
        }
    }

    /// Sends a line and takes what comes back: the lines up to a pause, waited for at most `wait`.
    ///
    /// # Errors
    /// [`ProgramError::Ended`] when it has ended or does not take its input.
    pub async fn send(&self, message: &str, wait: Duration) -> Result<Sent, ProgramError> {
        let mut stdin = self.stdin.lock().await;
        let pipe = stdin.as_mut().ok_or(ProgramError::Ended)?;
        let mut seen = self.lines.subscribe();
        let before = seen.borrow_and_update().total;
        let writing = async {
            pipe.write_all(message.as_bytes()).await?;
            pipe.write_all(b"\n").await?;
            pipe.flush().await
        };
        match tokio::time::timeout(TAKEN, writing).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(ProgramError::Ended),
        }
        drop(stdin);
        self.answer(&mut seen, before, Instant::now() + wait).await;
        let said = self.lines.borrow();
        let new = usize::try_from(said.total.saturating_sub(before)).unwrap_or(usize::MAX);
        let skip = said.kept.len().saturating_sub(new);
        Ok(Sent {
            output: said.kept.iter().skip(skip).cloned().collect(),
            running: !self.ended.is_cancelled(),
        })
    }

    /// Ends it: its input is closed, then it is asked, then it is killed with everything it started.
    /// Its exit code; `None` when it ended by a signal, or was ended before.
    pub async fn stop(&self) -> Option<i32> {
        drop(self.stdin.lock().await.take());
        let handle = self.handle.lock().take();
        match handle {
            Some(handle) => handle.stop().await,
            None => None,
        }
    }

    /// Waits for the first line after `before`, then until a pause.
    async fn answer(&self, seen: &mut watch::Receiver<Lines>, before: u64, deadline: Instant) {
        let first =
            async { while seen.borrow_and_update().total == before && self.more(seen).await {} };
        if tokio::time::timeout_at(deadline, first).await.is_err() {
            return;
        }
        // Answers of several lines come together.
        while Instant::now() < deadline
            && tokio::time::timeout(QUIET, self.more(seen)).await == Ok(true)
        {}
    }

    /// Waits for a change of the lines; `false` when none will come.
    async fn more(&self, seen: &mut watch::Receiver<Lines>) -> bool {
        tokio::select! {
            changed = seen.changed() => changed.is_ok(),
            () = self.ended.cancelled() => false,
        }
    }
}

impl Lines {
    fn push(&mut self, line: String) {
        self.bytes = self.bytes.saturating_add(line.len());
        self.total = self.total.saturating_add(1);
        self.kept.push_back(line);
        while self.kept.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.kept.pop_front() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
    }
}

/// Reads lines until the pipe ends.
async fn follow(mut pipe: impl AsyncRead + Unpin, lines: &watch::Sender<Lines>) {
    let mut buffer = vec![0; 16 * 1024];
    let mut line: Vec<u8> = Vec::new();
    loop {
        let count = match pipe.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        for byte in buffer.iter().take(count) {
            if *byte != b'\n' {
                line.push(*byte);
            }
            if *byte == b'\n' || line.len() >= MAX_LINE {
                take(&mut line, lines);
            }
        }
    }
    if !line.is_empty() {
        take(&mut line, lines);
    }
}

fn take(line: &mut Vec<u8>, lines: &watch::Sender<Lines>) {
    let text = String::from_utf8_lossy(line)
        .trim_end_matches('\r')
        .to_owned();
    line.clear();
    lines.send_modify(|said| said.push(text));
}
