//! Third-party servers come and go while the hub runs.

use super::target::Target;
use super::{Registry, RegistryError, SpokeConfig};
use crate::resilience::Guarded;
use crate::router::Source;
use crate::upstream::offers::Offers;
use std::sync::Arc;
use tokio::sync::Notify;

/// What a third-party server has that a spoke has not.
pub struct ThirdParty {
    /// What it offers beside tools.
    pub offers: Arc<dyn Offers>,
    /// The organisation that may use it; `None` means all.
    pub owner: Option<Arc<str>>,
}

impl Registry {
    /// Adds a third-party server, which is looked at from [`Registry::start`] on, or with
    /// [`Registry::follow_server`].
    ///
    /// # Errors
    /// [`RegistryError`] when its name or its namespace is taken.
    pub fn add_server(
        &self,
        server: SpokeConfig,
        upstream: Arc<Guarded>,
        more: ThirdParty,
        restarted: Arc<Notify>,
    ) -> Result<(), RegistryError> {
        let first = |name: &str| name.split('.').next().map(str::to_owned);
        for (namespace, owner) in self.namespaces() {
            // A server that could answer for a part of another's names could stand in for it.
            if server
                .namespaces
                .iter()
                .any(|own| first(own) == first(&namespace))
            {
                return Err(RegistryError::NamespaceTwice {
                    namespace,
                    first: owner,
                    second: Arc::clone(&server.service),
                });
            }
        }
        let target = Target::spoke(server, upstream, restarted).third_party(more);
        self.add(target).map(drop)
    }

    /// Watches a server that was added after the start; ends with the first look.
    pub async fn follow_server(self: &Arc<Self>, service: &str) {
        let looked = self.target(service).and_then(|target| self.follow(target));
        if let Some(looked) = looked {
            looked.await;
        }
    }

    /// Takes a server out. Its pins and aliases stay, so that another one of its name cannot change
    /// what was accepted. `false` when there is no such server.
    pub fn remove_server(&self, service: &str) -> bool {
        let removed = {
            let mut targets = self.targets.write();
            let at = targets
                .iter()
                .position(|target| &*target.service == service && target.is_third_party());
            at.map(|at| targets.remove(at))
        };
        let Some(target) = removed else {
            return false;
        };
        target.removed.cancel();
        self.publish();
        true
    }

    pub(super) fn sources(&self) -> Vec<Arc<Source>> {
        let targets = self.targets.read();
        targets
            .iter()
            .filter_map(|target| target.source())
            .collect()
    }
}
