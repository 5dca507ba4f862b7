//! Reading a pipe to its end while keeping only its beginning.

use super::Captured;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::task::JoinHandle;

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
    ) -> Self {
        let kept = Arc::<Mutex<Captured>>::default();
        let sink = Arc::clone(&kept);
        let reading = tokio::spawn(async move {
            if let Some(pipe) = pipe {
                read(pipe, &sink, limit).await;
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

async fn read(mut pipe: impl AsyncRead + Unpin, sink: &Mutex<Captured>, limit: usize) {
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
