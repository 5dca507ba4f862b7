//! Background tasks that shutdown can wait for.
//!
//! Every task starts here, under a name, so that a stop can be asked for once, waited for with a
//! deadline, and what did not stop can be named. Tasks are asked, never killed.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Starts tasks and stops them all. Cheap to clone; clones share everything.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
    running: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

/// What was still running when the deadline of a shutdown passed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leftover {
    /// Name and number of tasks, in the order of names.
    pub tasks: Vec<(&'static str, usize)>,
}

impl Leftover {
    /// Whether everything ended in time.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. It should end soon after [`Tasks::cancelled`]; a panic in it is logged.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let running = Running::enter(&self.running, name);
        self.tracker.spawn(async move {
            let _running = running;
            future.await
        })
    }

    /// Ends when a stop is asked for. Safe to drop and await again.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The signal itself, for `select!` and for children of it.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Asks every task to stop and waits until all ended, at most `deadline`.
    pub async fn shutdown(&self, deadline: Duration) -> Leftover {
        self.token.cancel();
        self.tracker.close();
        match tokio::time::timeout(deadline, self.tracker.wait()).await {
            Ok(()) => Leftover::default(),
            Err(_elapsed) => Leftover {
                tasks: self.running.lock().iter().map(|(k, v)| (*k, *v)).collect(),
            },
        }
    }
}

/// Ends when this process is asked to stop, by SIGTERM or SIGINT. A handler that cannot be installed
/// is logged; then only the other signal ends the wait.
pub async fn until_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = |kind: SignalKind, name: &'static str| async move {
        match signal(kind) {
            Ok(mut stream) => {
                stream.recv().await;
                tracing::info!(event = "stop_requested", signal = name, "asked to stop");
            }
            Err(error) => {
                tracing::error!(event = "signal_failed", signal = name, %error, "no signal handler");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate(), "SIGTERM") => {}
        () = wait(SignalKind::interrupt(), "SIGINT") => {}
    }
}

/// Counts one task by name while it lives.
struct Running {
    all: Arc<Mutex<BTreeMap<&'static str, usize>>>,
    name: &'static str,
}

impl Running {
    fn enter(all: &Arc<Mutex<BTreeMap<&'static str, usize>>>, name: &'static str) -> Self {
        *all.lock().entry(name).or_default() += 1;
        Self {
            all: Arc::clone(all),
            name,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(event = "task_panicked", task = self.name, "a task panicked");
        }
        let mut all = self.all.lock();
        if let Some(count) = all.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                all.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shutdown_asks_and_waits() {
        let tasks = Tasks::new();
        let inner = tasks.clone();
        let handle = tasks.spawn("polite", async move {
            inner.cancelled().await;
            7
        });
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
        assert_eq!(handle.await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_stop_is_named() {
        let tasks = Tasks::new();
        tasks.spawn("stubborn", std::future::pending::<()>());
        tasks.spawn("stubborn", std::future::pending::<()>());
        tasks.spawn("quick", std::future::ready(()));
        let leftover = tasks.shutdown(Duration::from_secs(1)).await;
        assert_eq!(leftover.tasks, [("stubborn", 2)]);
    }

    #[tokio::test]
    async fn a_panic_is_not_counted_as_running() {
        let tasks = Tasks::new();
        let handle = tasks.spawn("clumsy", async { panic!("on purpose") });
        assert!(handle.await.is_err());
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
    }
}
