//! Watching one spoke: look, wait, look again.

use super::target::Target;
use super::{Registry, RegistryError, ServiceStatus};
use crate::resilience::Guarded;
use crate::upstream::{Description, Health, UpstreamError};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Between two looks at a spoke that answers while one of its breakers is not closed.
const WHILE_OPEN: Duration = Duration::from_secs(1);

impl Registry {
    /// Watches a spoke until the hub stops. The future ends with the first look; `None` for the hub's
    /// own tools.
    pub(super) fn follow(
        self: &Arc<Self>,
        target: Arc<Target>,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let guarded = Arc::clone(target.guarded.as_ref()?);
        let (looked, first) = oneshot::channel();
        let registry = Arc::clone(self);
        let tasks = self.parts.tasks.clone();
        self.parts.tasks.spawn("watch a spoke", async move {
            let watching = registry.watch(&target, &guarded, looked);
            tokio::select! {
                () = tasks.cancelled() => {}
                () = target.removed.cancelled() => {}
                () = watching => {}
            }
        });
        Some(async move {
            let _hub_stops = first.await;
        })
    }

    async fn watch(&self, target: &Target, guarded: &Guarded, looked: oneshot::Sender<()>) {
        let config = &self.parts.config;
        let mut looked = Some(looked);
        let mut reconnect = config.first_reconnect;
        loop {
            let up = self.look(target).await;
            if let Some(looked) = looked.take() {
                let _start_stopped_waiting = looked.send(());
            }
            let wait = if up {
                reconnect = config.first_reconnect;
                guarded.note_probe_ok();
                self.until_next_look(guarded)
            } else {
                let wait = reconnect;
                reconnect = (reconnect * 2).min(config.longest_reconnect);
                wait
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = target.restarted.notified() => {}
                () = guarded.opened() => {}
            }
        }
    }

    fn until_next_look(&self, guarded: &Guarded) -> Duration {
        let interval = self.parts.config.health_interval;
        if guarded.wants_probe() {
            WHILE_OPEN.min(interval)
        } else {
            interval
        }
    }

    /// One look; `true` when the spoke answered and works.
    pub(super) async fn look(&self, target: &Target) -> bool {
        let config = &self.parts.config;
        let before = target.status().is_available();
        let seen = timeout(config.health_timeout, ask(target)).await;
        let up = match seen.unwrap_or(Err(UpstreamError::Timeout)) {
            Ok((health, description)) => {
                target.seen(health, self.parts.clock.now());
                if let Err(error) = self.take_in(target, description).await {
                    tracing::error!(event = "tools_not_kept", of_service = %target.service,
                        error = %error, cause = ?std::error::Error::source(&error),
                        "the tools of a spoke could not be taken in");
                }
                health != Health::Unhealthy
            }
            Err(error) => {
                let status = match error {
                    UpstreamError::Unreachable(_) | UpstreamError::Timeout => {
                        ServiceStatus::Unreachable
                    }
                    _ => ServiceStatus::Unhealthy,
                };
                target.missed(status, error.to_string(), config.unhealthy_after);
                false
            }
        };
        let healthy = target.status().is_available();
        if healthy != before {
            // Lists say which tools can be called now.
            self.changed.notify_one();
        }
        self.parts.metrics.service_health(&target.service, healthy);
        self.parts.metrics.server_up(&target.service, healthy);
        up
    }

    /// Keeps a description and offers its tools, when anything about them may have changed.
    pub(super) async fn take_in(
        &self,
        target: &Target,
        description: Description,
    ) -> Result<(), RegistryError> {
        if target.keep(description) {
            self.integrate(target).await?;
        }
        Ok(())
    }
}

async fn ask(target: &Target) -> Result<(Health, Description), UpstreamError> {
    let health = target.upstream.probe().await?;
    Ok((health, target.upstream.describe().await?))
}
