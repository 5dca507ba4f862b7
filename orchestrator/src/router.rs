//! Tool name → route, on an immutable snapshot. Pure: the registry replaces the snapshot, a call in
//! flight keeps the one it started with.

use crate::upstream::offers::Offers;
use crate::upstream::{ToolFacts, Upstream};
use arc_swap::ArcSwap;
use shared::arguments::ArgumentSchema;
use shared::id::ToolId;
use std::collections::HashMap;
use std::sync::Arc;

/// Where one tool lives.
pub struct Route {
    /// What the hub knows of the tool.
    pub tool: Arc<ToolFacts>,
    /// The client-safe name it is listed under.
    pub alias: Arc<str>,
    /// Folder name of the service.
    pub service: Arc<str>,
    /// Checks and completes arguments; `None` when the upstream's schema cannot be compiled.
    pub schema: Option<Arc<ArgumentSchema>>,
    /// The organisation whose server this is; `None` means everybody's.
    pub owner: Option<Arc<str>>,
    /// The guarded upstream.
    pub upstream: Arc<dyn Upstream>,
    /// The pinned definition differs from the one served now.
    pub quarantined: bool,
}

/// Everything callable at one moment.
#[derive(Default)]
pub struct Snapshot {
    /// Sorted by canonical id.
    routes: Vec<Arc<Route>>,
    by_name: HashMap<String, usize>,
    /// Dotted prefixes with the service that answers for them, longest first.
    namespaces: Vec<(String, Arc<str>)>,
    /// Sorted by service.
    sources: Vec<Arc<Source>>,
}

/// A service that offers more than tools.
pub struct Source {
    /// Its name among the services.
    pub service: Arc<str>,
    /// The dotted prefix of its tools, under which policy judges what else it offers.
    pub namespace: Arc<str>,
    /// The organisation whose server this is; `None` means everybody's.
    pub owner: Option<Arc<str>>,
    /// What it offers.
    pub offers: Arc<dyn Offers>,
}

/// Whether a principal of `organization` may know of what belongs to `owner`.
#[must_use]
pub fn is_for(owner: Option<&Arc<str>>, organization: &str) -> bool {
    owner.is_none_or(|owner| **owner == *organization)
}

/// Why a name leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRoute {
    /// No service answers for its prefix.
    UnknownNamespace(String),
    /// This service answers for its prefix, and has no such tool now.
    UnknownTool {
        /// Folder name of the service.
        service: Arc<str>,
    },
}

impl Snapshot {
    /// Builds a snapshot. Ids win over aliases; the first of two equal names is kept.
    #[must_use]
    pub fn new(mut routes: Vec<Arc<Route>>, mut namespaces: Vec<(String, Arc<str>)>) -> Self {
        routes.sort_by(|a, b| a.tool.id.cmp(&b.tool.id));
        namespaces.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
        let mut by_name = HashMap::with_capacity(routes.len() * 2);
        for (at, route) in routes.iter().enumerate() {
            by_name.insert(route.tool.id.as_str().to_owned(), at);
        }
        for (at, route) in routes.iter().enumerate() {
            let others = route.tool.aliases.iter().cloned();
            for name in others.chain([route.alias.as_ref().to_owned()]) {
                by_name.entry(name).or_insert(at);
            }
        }
        Self {
            routes,
            by_name,
            namespaces,
            sources: Vec::new(),
        }
    }

    /// Adds the services that offer more than tools.
    #[must_use]
    pub fn with_sources(mut self, mut sources: Vec<Arc<Source>>) -> Self {
        sources.sort_by(|a, b| a.service.cmp(&b.service));
        self.sources = sources;
        self
    }

    /// The services that offer more than tools, sorted by name.
    #[must_use]
    pub fn sources(&self) -> &[Arc<Source>] {
        &self.sources
    }

    /// Finds a tool by canonical id, wire alias or other id.
    ///
    /// # Errors
    /// [`NoRoute`] says whether the namespace or the tool is unknown.
    pub fn resolve(&self, name: &str) -> Result<&Arc<Route>, NoRoute> {
        let route = self.by_name.get(name).and_then(|at| self.routes.get(*at));
        route.ok_or_else(|| match self.service_for(name) {
            Some(service) => NoRoute::UnknownTool {
                service: Arc::clone(service),
            },
            None => NoRoute::UnknownNamespace(name.split('.').next().unwrap_or(name).to_owned()),
        })
    }

    /// The service that answers for the longest prefix of `name`.
    #[must_use]
    pub fn service_for(&self, name: &str) -> Option<&Arc<str>> {
        let fits = |prefix: &str| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.namespaces
            .iter()
            .find(|(prefix, _)| fits(prefix))
            .map(|(_, service)| service)
    }

    /// Every route, sorted by canonical id.
    #[must_use]
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Every dotted prefix with its service, longest first.
    #[must_use]
    pub fn namespaces(&self) -> &[(String, Arc<str>)] {
        &self.namespaces
    }

    /// A route by canonical id only.
    #[must_use]
    pub fn by_id(&self, id: &ToolId) -> Option<&Arc<Route>> {
        self.routes
            .binary_search_by(|route| route.tool.id.cmp(id))
            .ok()
            .and_then(|at| self.routes.get(at))
    }
}

/// The current snapshot. Cheap to clone; readers never wait.
#[derive(Clone, Default)]
pub struct Router(Arc<ArcSwap<Snapshot>>);

impl Router {
    /// The snapshot of this moment.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Replaces the snapshot.
    pub fn publish(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}
