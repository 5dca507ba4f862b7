//! Reading a pipe to its end while keeping only its beginning.

use super::Captured;
use crate::tool::Progress;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::task::JoinHandle;

/// Of a reported line, in bytes.
const MAX_LINE: usize = 500;
/// How long a pipe is waited for after the last process is gone.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A pipe that is being read. What was read survives when the reading is given up.
pub(super) struct Capture {
    kept: Arc<Mutex<Captured>>,
    reading: JoinHandle<()>,
}

impl Capture {
    /// Starts reading; no pipe reads as empty.
    #[expect(
        clippy::disallowed_methods,
        reason = "owned by the supervised run, which waits for it or aborts it"
    )]
    pub(super) fn start(
        pipe: Option<impl AsyncRead + Unpin + Send + 'static>,
        limit: usize,
        lines: Lines,
    ) -> Self {
        let kept = Arc::<Mutex<Captured>>::default();
        let sink = Arc::clone(&kept);
        let reading = tokio::spawn(async move {
            if let Some(pipe) = pipe {
                read(pipe, &sink, limit, lines).await;
            }
        });
        Self { kept, reading }
    }

    /// What was read, once the pipe ends or is given up.
    pub(super) async fn finish(mut self) -> Captured {
        let ended = tokio::time::timeout(LAST_WORDS, &mut self.reading).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!(event = "exec_pipe_held", "a pipe stayed open after the run");
        }
        std::mem::take(&mut *self.kept.lock())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Reports the lines of pipes, numbered together.
#[derive(Clone)]
pub(super) struct Lines {
    progress: Progress,
    written: Arc<Mutex<f64>>,
    begun: Vec<u8>,
}

impl Lines {
    pub(super) fn new(progress: &Progress) -> Self {
        Self {
            progress: progress.clone(),
            written: Arc::default(),
            begun: Vec::new(),
        }
    }

    /// Takes what was written; what is no whole line yet waits, and is cut when it is long.
    fn take(&mut self, bytes: &[u8]) {
        if !self.progress.is_wanted() {
            return;
        }
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.report(),
                _ if self.begun.len() < MAX_LINE => self.begun.push(*byte),
                _ => {}
            }
        }
    }

    fn report(&mut self) {
        let line = String::from_utf8_lossy(&self.begun);
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        self.begun.clear();
        if line.trim().is_empty() {
            return;
        }
        let mut written = self.written.lock();
        *written += 1.0;
        self.progress.report(*written, None, line);
    }
}

async fn read(
    mut pipe: impl AsyncRead + Unpin,
    sink: &Mutex<Captured>,
    limit: usize,
    mut lines: Lines,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = match pipe.read(&mut buffer).await {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) => {
                tracing::debug!(event = "exec_pipe_broken", %error, "a pipe broke");
                return;
            }
        };
        lines.take(buffer.get(..count).unwrap_or_default());
        let mut sink = sink.lock();
        sink.total = sink
            .total
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        let room = limit.saturating_sub(sink.bytes.len()).min(count);
        sink.bytes
            .extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
}

/// Writes all of `input`, then closes. A program that does not read its input is not an error.
pub(super) async fn feed(pipe: Option<ChildStdin>, input: &[u8]) {
    let Some(mut pipe) = pipe else { return };
    if let Err(error) = pipe.write_all(input).await {
        tracing::debug!(event = "exec_input_unread", %error, "a program left its input unread");
    }
}
