//! The tools one caller may see, by the same decision that guards the call.

use super::Gateway;
use crate::caller::Caller;
use crate::policy::Subject;
use crate::router::{Route, Snapshot, is_for};
use std::sync::Arc;

/// What one caller may see, sorted by canonical id.
pub struct Listing {
    /// The snapshot it was made from; changes when any tool does.
    pub snapshot: Arc<Snapshot>,
    /// Visible tools.
    pub tools: Vec<ListedTool>,
}

/// One visible tool.
pub struct ListedTool {
    /// Where it lives and what it is.
    pub route: Arc<Route>,
    /// A call of its worst effect asks people first.
    pub needs_approval: bool,
}

impl Gateway {
    /// Lists the tools `caller` may see. Quarantined tools are not listed.
    #[must_use]
    pub fn list(&self, caller: &Caller) -> Listing {
        let snapshot = self.router.snapshot();
        let tools = snapshot
            .routes()
            .iter()
            .filter(|route| !route.quarantined)
            .filter_map(|route| self.listed(caller, route))
            .collect();
        Listing { snapshot, tools }
    }

    fn listed(&self, caller: &Caller, route: &Arc<Route>) -> Option<ListedTool> {
        if !is_for(route.owner.as_ref(), &caller.principal.organization) {
            return None;
        }
        let subject = Subject {
            tool: &route.tool.id,
            service: &route.service,
            effect: route.tool.effect,
            per_call: route.tool.effect_per_call,
        };
        let reach = self.policy.reach(caller, subject)?;
        Some(ListedTool {
            route: Arc::clone(route),
            needs_approval: reach.asks(),
        })
    }
}
