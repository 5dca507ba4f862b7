//! Which part of the hub an endpoint shows: all of it, one server under its own names, or all of it by
//! search.

use super::lists::Item;
use crate::gateway::ListedTool;
use crate::router::{Route, Router};
use std::sync::Arc;

/// What an endpoint shows.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// One service, whose tools have their own names; `None` for everything under client-safe names.
    pub only: Option<Arc<str>>,
    /// Three tools to find, look at and call the others, in the place of them all.
    pub search: bool,
}

impl Scope {
    /// One service.
    #[must_use]
    pub const fn of(service: Arc<str>) -> Self {
        Self {
            only: Some(service),
            search: false,
        }
    }

    /// Everything, by search.
    #[must_use]
    pub const fn searched() -> Self {
        Self {
            only: None,
            search: true,
        }
    }

    /// The tools it shows, under the names it shows them by; `answers` says of a service whether it
    /// answers now.
    #[must_use]
    pub fn items(&self, tools: Vec<ListedTool>, answers: impl Fn(&Arc<str>) -> bool) -> Vec<Item> {
        let shown = tools.into_iter().filter(|tool| self.shows(&tool.route));
        let items = shown.map(|tool| Item {
            name: self.name(&tool.route),
            needs_approval: tool.needs_approval,
            available: answers(&tool.route.service),
            route: tool.route,
        });
        items.collect()
    }

    /// The canonical id behind a name of this endpoint; a name it does not know stays as it is, and
    /// one of another service leads nowhere.
    #[must_use]
    pub fn resolved(&self, router: &Router, name: String) -> String {
        let Some(only) = &self.only else {
            return name;
        };
        let snapshot = router.snapshot();
        let mut routes = snapshot.routes().iter().filter(|route| self.shows(route));
        if let Some(route) = routes.find(|route| *self.name(route) == *name) {
            return route.tool.id.to_string();
        }
        match snapshot.resolve(&name) {
            Ok(route) if self.shows(route) => name,
            _ => format!("{only}/{name}"),
        }
    }

    fn shows(&self, route: &Route) -> bool {
        self.only.as_ref().is_none_or(|only| *only == route.service)
    }

    /// The server's own name of a tool; of a spoke's tool, which has none, the client-safe one.
    fn name(&self, route: &Route) -> Arc<str> {
        match (&self.only, &route.tool.wire) {
            (Some(_), Some(wire)) => Arc::clone(&wire.name),
            _ => Arc::clone(&route.alias),
        }
    }
}
