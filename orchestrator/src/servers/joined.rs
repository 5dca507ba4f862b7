//! A registration becomes a server of the registry, and stops being one.

use super::oauth::OAuth;
use super::{NUMBER, PROBE, Registered, ServerError, Servers, Specification};
use crate::registry::{RegistryError, SpokeConfig, ThirdParty};
use crate::resilience::{Guarded, GuardedOffers};
use crate::upstream::mcp::McpServer;
use crate::upstream::offers::Offers;
use crate::upstream::{Description, Upstream, UpstreamError};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::timeout;

/// A client of one server.
struct Made {
    server: Arc<McpServer>,
    /// Told when the server says that its tools changed.
    changed: Arc<Notify>,
    oauth: Option<Arc<OAuth>>,
}

impl Servers {
    pub(super) fn free(&self, name: &str) -> Result<(), ServerError> {
        let services = self.parts.registry.services();
        let taken = services.iter().any(|service| {
            let words = service
                .namespaces
                .iter()
                .filter_map(|it| it.split('.').next());
            &*service.service == name || words.into_iter().any(|word| word == name)
        });
        match taken {
            true => Err(ServerError::Taken(name.to_owned())),
            false => Ok(()),
        }
    }

    /// Asks over a connection of its own, which is ended.
    pub(super) async fn probe(
        &self,
        specification: &Specification,
    ) -> Result<Description, ServerError> {
        let server = self.client(specification, false)?.server;
        let described = timeout(PROBE, server.describe()).await;
        server.close().await;
        described
            .unwrap_or(Err(UpstreamError::Timeout))
            .map_err(ServerError::Probe)
    }

    fn client(&self, specification: &Specification, trusted: bool) -> Result<Made, ServerError> {
        let (config, oauth) = specification.client(&self.parts, trusted)?;
        let changed = Arc::new(Notify::new());
        let server = McpServer::new(
            config,
            self.parts.registry.changes(),
            Arc::clone(&changed),
            self.parts.tasks.clone(),
        );
        Ok(Made {
            server,
            changed,
            oauth,
        })
    }

    pub(super) fn join_or_log(&self, registered: &Registered, trusted: bool) {
        if let Err(error) = self.join(registered, trusted) {
            tracing::error!(event = "server_left_out", server = registered.specification.name, %error,
                cause = ?std::error::Error::source(&error), "a third-party server could not be added");
        }
    }

    pub(super) fn join(&self, registered: &Registered, trusted: bool) -> Result<(), ServerError> {
        let specification = &registered.specification;
        let Made {
            server,
            changed,
            oauth,
        } = self.client(specification, trusted)?;
        let name: Arc<str> = specification.name.as_str().into();
        let mut resilience = self.parts.config.resilience.clone();
        resilience.retry.attempts = specification.max_retries.saturating_add(1);
        let guarded = Guarded::new(
            Arc::clone(&name),
            Arc::clone(&server) as Arc<dyn Upstream>,
            &resilience,
            Arc::clone(&self.parts.metrics),
        );
        let known = SpokeConfig {
            number: NUMBER,
            service: Arc::clone(&name),
            url: specification.url.clone().unwrap_or_default(),
            namespaces: vec![specification.name.clone()],
            long_running: Vec::new(),
        };
        let guarded = Arc::new(guarded);
        let offers = Arc::clone(&server) as Arc<dyn Offers>;
        let more = ThirdParty {
            offers: Arc::new(GuardedOffers::new(Arc::clone(&guarded), offers)),
            owner: registered.organization.as_deref().map(Arc::from),
        };
        let added = self
            .parts
            .registry
            .add_server(known, guarded, more, changed);
        added.map_err(|error| match error {
            RegistryError::ServiceTwice(_) | RegistryError::NamespaceTwice { .. } => {
                ServerError::Taken(specification.name.clone())
            }
            other => ServerError::Registry(other),
        })?;
        if let Some(oauth) = oauth {
            self.oauth.lock().insert(Arc::clone(&name), oauth);
        }
        self.running.lock().insert(name, server);
        Ok(())
    }

    pub(super) async fn part(&self, name: &str) {
        self.parts.registry.remove_server(name);
        self.oauth.lock().remove(name);
        let server = self.running.lock().remove(name);
        if let Some(server) = server {
            server.close().await;
        }
    }
}
