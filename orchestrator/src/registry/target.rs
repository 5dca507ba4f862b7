//! One service with what is known of it.

use super::view::{ServiceStatus, ServiceView};
use super::{SpokeConfig, ThirdParty};
use crate::resilience::Guarded;
use crate::router::{Route, Source};
use crate::upstream::{Description, Health, Upstream};
use jiff::Timestamp;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(super) struct Target {
    pub(super) number: u8,
    pub(super) service: Arc<str>,
    pub(super) url: String,
    pub(super) namespaces: Vec<String>,
    pub(super) long_running: Vec<String>,
    pub(super) upstream: Arc<dyn Upstream>,
    /// `None` for the hub's own tools.
    pub(super) guarded: Option<Arc<Guarded>>,
    pub(super) restarted: Arc<Notify>,
    more: Option<ThirdParty>,
    /// Fires when it is taken out.
    pub(super) removed: CancellationToken,
    known: Mutex<Known>,
    /// Held while a description becomes routes: pins and aliases are read and written in between.
    pub(super) integrating: tokio::sync::Mutex<()>,
}

/// What was last seen.
#[derive(Default)]
struct Known {
    description: Option<Description>,
    /// The description has not become routes yet.
    stale: bool,
    routes: Vec<Arc<Route>>,
    status: ServiceStatus,
    failures: u32,
    last_seen: Option<Timestamp>,
    fault: Option<String>,
}

impl Target {
    pub(super) fn spoke(spoke: SpokeConfig, guarded: Arc<Guarded>, restarted: Arc<Notify>) -> Self {
        Self {
            number: spoke.number,
            service: spoke.service,
            url: spoke.url,
            namespaces: spoke.namespaces,
            long_running: spoke.long_running,
            upstream: Arc::clone(&guarded) as Arc<dyn Upstream>,
            guarded: Some(guarded),
            restarted,
            more: None,
            removed: CancellationToken::new(),
            known: Mutex::default(),
            integrating: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn third_party(mut self, more: ThirdParty) -> Self {
        self.more = Some(more);
        self
    }

    pub(super) const fn is_third_party(&self) -> bool {
        self.more.is_some()
    }

    /// The organisation that may use it; `None` means all.
    pub(super) fn owner(&self) -> Option<Arc<str>> {
        self.more.as_ref()?.owner.clone()
    }

    /// What it offers beside tools, when it has more.
    pub(super) fn source(&self) -> Option<Arc<Source>> {
        let namespace = self.namespaces.first()?;
        Some(Arc::new(Source {
            service: Arc::clone(&self.service),
            namespace: namespace.as_str().into(),
            owner: self.owner(),
            offers: Arc::clone(&self.more.as_ref()?.offers),
        }))
    }

    pub(super) fn own(description: &Description, upstream: Arc<dyn Upstream>) -> Self {
        let known = Known {
            status: ServiceStatus::Healthy,
            ..Known::default()
        };
        Self {
            number: 0,
            service: Arc::clone(&description.service),
            url: String::new(),
            namespaces: description.namespaces.clone(),
            long_running: Vec::new(),
            upstream,
            guarded: None,
            restarted: Arc::default(),
            more: None,
            removed: CancellationToken::new(),
            known: Mutex::new(known),
            integrating: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn routes(&self) -> Vec<Arc<Route>> {
        self.known.lock().routes.clone()
    }

    pub(super) fn description(&self) -> Option<Description> {
        self.known.lock().description.clone()
    }

    /// Keeps a description; `true` when the routes may have to change.
    pub(super) fn keep(&self, description: Description) -> bool {
        let mut known = self.known.lock();
        known.stale |= known.description.as_ref() != Some(&description);
        known.description = Some(description);
        known.stale || known.routes.iter().any(|route| route.quarantined)
    }

    /// The routes are those of the last description.
    pub(super) fn settled(&self) {
        self.known.lock().stale = false;
    }

    /// Replaces the routes; `true` when they differ in what callers can see.
    pub(super) fn offer(&self, routes: Vec<Arc<Route>>) -> bool {
        let mut known = self.known.lock();
        let old = std::mem::replace(&mut known.routes, routes);
        let same = |(a, b): (&Arc<Route>, &Arc<Route>)| {
            a.tool == b.tool && a.alias == b.alias && a.quarantined == b.quarantined
        };
        old.len() != known.routes.len() || !old.iter().zip(&known.routes).all(same)
    }

    /// It answered.
    pub(super) fn seen(&self, health: Health, now: Timestamp) {
        let mut known = self.known.lock();
        known.failures = 0;
        known.fault = None;
        known.last_seen = Some(now);
        let status = match health {
            Health::Healthy => ServiceStatus::Healthy,
            Health::Degraded => ServiceStatus::Degraded,
            Health::Unhealthy => ServiceStatus::Unhealthy,
        };
        self.become_status(&mut known, status);
    }

    /// It did not answer, or not well. One that worked is given some more looks.
    pub(super) fn missed(&self, status: ServiceStatus, fault: String, unhealthy_after: u32) {
        let mut known = self.known.lock();
        known.failures = known.failures.saturating_add(1);
        known.fault = Some(fault);
        let worked = matches!(
            known.status,
            ServiceStatus::Healthy | ServiceStatus::Degraded
        );
        if !worked || known.failures >= unhealthy_after {
            self.become_status(&mut known, status);
        }
    }

    fn become_status(&self, known: &mut Known, status: ServiceStatus) {
        if known.status == status {
            return;
        }
        known.status = status;
        tracing::info!(
            event = "service_status",
            of_service = %self.service,
            status = status.as_str(),
            reason = known.fault.as_deref().unwrap_or_default(),
            "the status of a service changed"
        );
    }

    pub(super) fn status(&self) -> ServiceStatus {
        self.known.lock().status
    }

    pub(super) fn view(&self) -> ServiceView {
        let known = self.known.lock();
        let description = known.description.as_ref();
        ServiceView {
            number: self.number,
            service: Arc::clone(&self.service),
            namespaces: self.namespaces.clone(),
            url: self.url.clone(),
            own: self.guarded.is_none(),
            status: known.status,
            version: description.map(|description| description.version.clone()),
            tool_count: known.routes.len(),
            quarantined: known
                .routes
                .iter()
                .filter(|route| route.quarantined)
                .count(),
            last_seen: known.last_seen,
            fault: known.fault.clone(),
            breakers: self.guarded.as_ref().map(|guarded| guarded.breakers()),
        }
    }
}
