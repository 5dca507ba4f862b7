//! Who offers which tools now: asks every spoke, watches its health, publishes snapshots to the router.
//!
//! A spoke that is down costs its own tools only, and is found again within two seconds of coming
//! back. A spoke may offer only tools of the namespaces configured for it. A definition is pinned when
//! first seen; a changed one is quarantined until an operator accepts it. How calls are made is
//! `upstream`'s matter.

mod aliases;
mod catalogue;
mod follow;
mod pins;
mod target;
mod third_party;
mod view;

pub use pins::{Pin, PinError};
pub use third_party::ThirdParty;
pub use view::{ServiceStatus, ServiceView};

use crate::audit::Audit;
use crate::caller::Caller;
use crate::metrics::Metrics;
use crate::resilience::{BreakerView, Guarded};
use crate::router::{Router, Snapshot};
use crate::store::{Store, StoreError};
use crate::upstream::offers::Changes;
use crate::upstream::{Upstream, UpstreamError};
use parking_lot::{Mutex, RwLock};
use shared::clock::SharedClock;
use shared::id::ToolId;
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;
use target::Target;
use tokio::sync::{Notify, watch};

/// One spoke, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokeConfig {
    /// The number in front of its folder name.
    pub number: u8,
    /// Folder name, such as `12_cmdb_mcp`.
    pub service: Arc<str>,
    /// `http://host:port`.
    pub url: String,
    /// Dotted prefixes it may answer for.
    pub namespaces: Vec<String>,
    /// Canonical ids of tools that get the long time, beyond those that say so themselves.
    pub long_running: Vec<String>,
}

/// How spokes are watched.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// Between two looks at a healthy spoke.
    pub health_interval: Duration,
    /// How long one look may take.
    pub health_timeout: Duration,
    /// Failed looks in a row after which a spoke is unhealthy.
    pub unhealthy_after: u32,
    /// First wait before a spoke that is down is looked at again; doubles.
    pub first_reconnect: Duration,
    /// Longest such wait.
    pub longest_reconnect: Duration,
    /// How long the start waits for spokes that do not answer.
    pub start_wait: Duration,
    /// How long changes are collected before listeners are told.
    pub announce_after: Duration,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self {
            health_interval: Duration::from_secs(30),
            health_timeout: Duration::from_secs(5),
            unhealthy_after: 3,
            first_reconnect: Duration::from_millis(100),
            longest_reconnect: Duration::from_secs(1),
            start_wait: Duration::from_millis(500),
            announce_after: Duration::from_millis(200),
        }
    }
}

/// What the registry works with.
pub struct RegistryParts {
    /// How spokes are watched.
    pub config: RegistryConfig,
    /// Keeps pins and aliases.
    pub store: Store,
    /// Gets the snapshots.
    pub router: Router,
    /// Gets what is pinned, quarantined and accepted.
    pub audit: Arc<Audit>,
    /// Gets health.
    pub metrics: Arc<Metrics>,
    /// Dates.
    pub clock: SharedClock,
    /// Runs the watching.
    pub tasks: Tasks,
}

/// The registry; share it in an `Arc`.
pub struct Registry {
    parts: RegistryParts,
    targets: RwLock<Vec<Arc<Target>>>,
    /// Held while routes are collected and published, so that an older set never follows a newer one.
    publishing: Mutex<()>,
    changed: Notify,
    version: watch::Sender<u64>,
    changes: Changes,
}

/// A spoke that cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Two services have one name.
    #[error("the service {0} is configured twice")]
    ServiceTwice(Arc<str>),
    /// Two services answer for one namespace.
    #[error("the namespace {namespace} belongs to {first} and to {second}")]
    NamespaceTwice {
        /// The dotted prefix.
        namespace: String,
        /// Configured first.
        first: Arc<str>,
        /// Configured later.
        second: Arc<str>,
    },
    /// The hub's own tools could not be listed.
    #[error("the hub's own tools cannot be offered")]
    Own(#[source] UpstreamError),
    /// Pins or aliases could not be kept.
    #[error("the tools of a service could not be kept in the store")]
    Store(#[from] StoreError),
}

impl Registry {
    /// A registry without services.
    #[must_use]
    pub fn new(parts: RegistryParts) -> Arc<Self> {
        Arc::new(Self {
            parts,
            targets: RwLock::default(),
            publishing: Mutex::default(),
            changed: Notify::new(),
            version: watch::Sender::new(0),
            changes: Changes::default(),
        })
    }

    /// The bus on which changes of resources and prompts are told.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Adds a spoke, which is looked at from [`Registry::start`] on. `restarted` is told by the client
    /// when a call finds the spoke restarted.
    ///
    /// # Errors
    /// [`RegistryError`] when its name or one of its namespaces is taken.
    pub fn add_spoke(
        &self,
        spoke: SpokeConfig,
        upstream: Arc<Guarded>,
        restarted: Arc<Notify>,
    ) -> Result<(), RegistryError> {
        self.add(Target::spoke(spoke, upstream, restarted))
            .map(drop)
    }

    /// Offers the hub's own tools at once. They are neither pinned nor watched: they change with the
    /// hub.
    ///
    /// # Errors
    /// [`RegistryError`] when its name or one of its namespaces is taken, or an alias cannot be kept.
    pub async fn add_own(&self, upstream: Arc<dyn Upstream>) -> Result<(), RegistryError> {
        let description = upstream.describe().await.map_err(RegistryError::Own)?;
        let target = self.add(Target::own(&description, upstream))?;
        self.take_in(&target, description).await?;
        Ok(())
    }

    fn add(&self, target: Target) -> Result<Arc<Target>, RegistryError> {
        let mut targets = self.targets.write();
        for other in targets.iter() {
            if other.service == target.service {
                return Err(RegistryError::ServiceTwice(Arc::clone(&target.service)));
            }
            let shared = other
                .namespaces
                .iter()
                .find(|name| target.namespaces.contains(name));
            if let Some(namespace) = shared {
                return Err(RegistryError::NamespaceTwice {
                    namespace: namespace.clone(),
                    first: Arc::clone(&other.service),
                    second: Arc::clone(&target.service),
                });
            }
        }
        let target = Arc::new(target);
        targets.push(Arc::clone(&target));
        Ok(target)
    }

    /// Starts watching every spoke; returns when all have answered, or after a short wait. Tools of
    /// spokes that do not answer are known from their pins.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the pins cannot be read.
    pub async fn start(self: &Arc<Self>) -> Result<(), RegistryError> {
        self.restore().await?;
        self.publish();
        let first_looks: Vec<_> = self
            .targets()
            .into_iter()
            .filter_map(|target| self.follow(target))
            .collect();
        let all = futures::future::join_all(first_looks);
        if tokio::time::timeout(self.parts.config.start_wait, all)
            .await
            .is_err()
        {
            tracing::warn!(
                event = "start_without_spokes",
                "some spokes do not answer yet"
            );
        }
        let registry = Arc::clone(self);
        self.parts
            .tasks
            .spawn("announce tools", async move { registry.announce().await });
        Ok(())
    }

    /// Every service, by number.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceView> {
        let mut services: Vec<_> = self.targets().iter().map(|target| target.view()).collect();
        services.sort_by_key(|service| service.number);
        services
    }

    /// Services that do not answer, or say that they do not work.
    #[must_use]
    pub fn down(&self) -> Vec<Arc<str>> {
        let targets = self.targets.read();
        let down = targets
            .iter()
            .filter(|target| !target.status().is_available());
        down.map(|target| Arc::clone(&target.service)).collect()
    }

    /// Every breaker: of each spoke, reads and changes.
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerView> {
        let targets = self.targets();
        targets
            .iter()
            .filter_map(|target| target.guarded.as_ref())
            .flat_map(|guarded| guarded.breakers())
            .collect()
    }

    /// Closes the breakers of one service; `false` when there is no such service.
    pub fn reset_breakers(&self, service: &str) -> bool {
        let targets = self.targets();
        let guarded = targets
            .iter()
            .find(|target| &*target.service == service)
            .and_then(|target| target.guarded.as_ref());
        guarded.inspect(|guarded| guarded.reset()).is_some()
    }

    /// Grows when the set of tools has changed, once for many changes in a short while.
    #[must_use]
    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Every pin, by tool.
    ///
    /// # Errors
    /// [`PinError::Store`].
    pub async fn pins(&self) -> Result<Vec<Pin>, PinError> {
        Ok(pins::all(&self.parts.store).await?)
    }

    /// Accepts the changed definition of a tool, as `by` decides. `seen_digest` is the one they were
    /// shown. That `by` may decide this is the caller's matter.
    ///
    /// # Errors
    /// [`PinError::NotWaiting`] when no change of this digest waits for the tool.
    pub async fn accept(
        &self,
        tool: &ToolId,
        seen_digest: &str,
        by: &Caller,
    ) -> Result<Pin, PinError> {
        let accepted = pins::accept(&self.parts, tool, seen_digest, by).await?;
        if let Some(target) = self.target(&accepted.service) {
            self.integrate(&target).await?;
        }
        Ok(accepted)
    }

    fn targets(&self) -> Vec<Arc<Target>> {
        self.targets.read().clone()
    }

    fn target(&self, service: &str) -> Option<Arc<Target>> {
        let targets = self.targets.read();
        targets
            .iter()
            .find(|target| &*target.service == service)
            .map(Arc::clone)
    }

    /// Every configured namespace with its service.
    fn namespaces(&self) -> Vec<(String, Arc<str>)> {
        let of = |target: &Arc<Target>| {
            let service = Arc::clone(&target.service);
            let names = target.namespaces.clone().into_iter();
            names.map(move |name| (name, Arc::clone(&service)))
        };
        self.targets.read().iter().flat_map(of).collect()
    }

    /// Publishes what all targets offer now.
    fn publish(&self) {
        let _one_at_a_time = self.publishing.lock();
        let routes = self
            .targets()
            .iter()
            .flat_map(|target| target.routes())
            .collect();
        self.parts
            .router
            .publish(Snapshot::new(routes, self.namespaces()).with_sources(self.sources()));
        self.changed.notify_one();
    }

    async fn announce(&self) {
        loop {
            tokio::select! {
                () = self.parts.tasks.cancelled() => return,
                () = self.changed.notified() => {}
            }
            tokio::time::sleep(self.parts.config.announce_after).await;
            self.version.send_modify(|version| *version += 1);
        }
    }
}

#[cfg(test)]
mod tests;
