//! Which part of the hub an endpoint shows: all of it, one server under its own names, a view, or all
//! of it by search.

use super::lists::Item;
use super::views::View;
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
    /// What is left out, and what has another name; `None` means nothing.
    pub view: Option<Arc<View>>,
}

impl Scope {
    /// One service.
    #[must_use]
    pub const fn of(service: Arc<str>) -> Self {
        Self {
            only: Some(service),
            search: false,
            view: None,
        }
    }

    /// Everything a view shows.
    #[must_use]
    pub const fn viewed(view: Arc<View>) -> Self {
        Self {
            only: None,
            search: false,
            view: Some(view),
        }
    }

    /// The same, by search.
    #[must_use]
    pub fn searched(self) -> Self {
        Self {
            search: true,
            ..self
        }
    }

    /// The tools it shows, under the names it shows them by; `answers` says of a service whether it
    /// answers now.
    #[must_use]
    pub fn items(&self, tools: Vec<ListedTool>, answers: impl Fn(&Arc<str>) -> bool) -> Vec<Item> {
        let shown = tools.into_iter().filter(|tool| self.shows(&tool.route));
        let items = shown.map(|tool| Item {
            name: self.name(&tool.route),
            description: self.description(&tool.route),
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
        if let Some(view) = &self.view {
            return in_view(view, router, name);
        }
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

    /// Whether it shows this tool.
    #[must_use]
    pub fn shows(&self, route: &Route) -> bool {
        let view = self.view.as_ref();
        self.only.as_ref().is_none_or(|only| *only == route.service)
            && view.is_none_or(|view| in_view_shown(view, route))
    }

    /// What it says of a tool; `None` where the tool speaks for itself.
    #[must_use]
    pub fn description(&self, route: &Route) -> Option<Arc<str>> {
        let view = self.view.as_ref()?;
        view.description_of(route.tool.id.as_str()).cloned()
    }

    /// The name it gives a tool, or the server's own; of a spoke's tool, which has none, the
    /// client-safe one.
    #[must_use]
    pub fn name(&self, route: &Route) -> Arc<str> {
        let id = route.tool.id.as_str();
        if let Some(name) = self.view.as_ref().and_then(|view| view.name_of(id)) {
            return Arc::clone(name);
        }
        match (&self.only, &route.tool.wire) {
            (Some(_), Some(wire)) => Arc::clone(&wire.name),
            _ => Arc::clone(&route.alias),
        }
    }
}

/// A name a view gives hides the tool that had it, unless that has another name there too.
fn in_view_shown(view: &View, route: &Route) -> bool {
    let id = route.tool.id.as_str();
    let taken = |name: &str| view.id_of(name).is_some_and(|other| other != id);
    view.shows(id) && (view.name_of(id).is_some() || !taken(&route.alias))
}

fn in_view(view: &View, router: &Router, name: String) -> String {
    let snapshot = router.snapshot();
    let id = view.id_of(&name).map_or(name.as_str(), |id| id);
    match snapshot.resolve(id) {
        Ok(route) if in_view_shown(view, route) => route.tool.id.to_string(),
        _ => format!("view/{name}"),
    }
}
