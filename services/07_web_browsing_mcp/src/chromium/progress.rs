//! How far the document of a page is, from the events the browser sends about it. No I/O.

use super::wire::{field, text};
use crate::browser::Milestone;
use crate::guard::{FAILED, REFUSED};
use serde_json::Value;
use std::collections::VecDeque;

/// Documents of the past that are remembered.
const MAX_LOADERS: usize = 8;

/// What the events said so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// The main frame; others are not looked at.
    frame: String,
    /// The last documents that began to load; the current one is last.
    loaders: VecDeque<String>,
    /// How far the current one is.
    reached: Option<Milestone>,
    /// The last answer to a request for a document.
    response: Option<Response>,
    /// Whether the frame is loading.
    is_loading: bool,
    /// Navigations begun so far.
    pub(super) begun: u64,
    /// The page crashed or was closed.
    pub(super) is_gone: bool,
}

/// The answer to a request for a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    loader: String,
    pub(super) status: u16,
    /// The guard answered in the host's place.
    pub(super) by_guard: Option<ByGuard>,
}

/// What the guard said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByGuard {
    Refused,
    Unreachable,
}

impl Progress {
    /// Nothing is known yet of this frame.
    pub(super) fn of(frame: &str) -> Self {
        Self {
            frame: frame.to_owned(),
            ..Self::default()
        }
    }

    /// Takes one event in; `false` when it says nothing new.
    pub(super) fn apply(&mut self, method: &str, event: &Value) -> bool {
        if method == "Inspector.targetCrashed" {
            self.is_gone = true;
            return true;
        }
        if text(event.get("frameId")) != self.frame {
            return false;
        }
        match method {
            "Page.frameStartedLoading" => {
                self.is_loading = true;
                self.begun += 1;
            }
            "Page.frameRequestedNavigation" => {
                self.is_loading |= *field(event, "/disposition") == "currentTab";
                self.begun += 1;
            }
            "Page.frameStoppedLoading" | "Page.navigatedWithinDocument" => self.is_loading = false,
            "Page.lifecycleEvent" => self.live(event),
            "Network.responseReceived" => self.respond(event),
            _ => return false,
        }
        true
    }

    /// Whether the document `loader`, or one that came after it, is loaded as far as `wanted`.
    pub(super) fn has_reached(&self, loader: &str, wanted: Milestone) -> bool {
        let began = self.loaders.iter().any(|known| known == loader);
        began && self.reached >= Some(wanted)
    }

    /// Whether nothing is being loaded.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_loading && self.reached >= Some(Milestone::Whole)
    }

    /// The answer to the request for `loader`, or for what came after it.
    pub(super) fn response_to(&self, loader: &str) -> Option<&Response> {
        let response = self.response.as_ref()?;
        let place = |wanted: &str| self.loaders.iter().position(|known| known == wanted);
        let is_newer = place(loader).is_some_and(|at| place(&response.loader) >= Some(at));
        (response.loader == loader || is_newer).then_some(response)
    }

    fn live(&mut self, event: &Value) {
        let loader = text(event.get("loaderId"));
        if self.loaders.back() != Some(&loader) {
            if self.loaders.len() == MAX_LOADERS {
                self.loaders.pop_front();
            }
            self.loaders.push_back(loader);
            self.reached = None;
        }
        let milestone = match event.get("name").and_then(Value::as_str) {
            Some("DOMContentLoaded") => Milestone::Text,
            Some("load") => Milestone::Whole,
            Some("networkIdle") => Milestone::Quiet,
            _ => return,
        };
        self.reached = self.reached.max(Some(milestone));
    }

    fn respond(&mut self, event: &Value) {
        let loader = text(event.get("loaderId"));
        if text(event.get("requestId")) != loader {
            return;
        }
        let response = event.get("response");
        let status = response.and_then(|it| it.get("status")?.as_u64());
        let headers = response.and_then(|it| it.get("headers")?.as_object());
        let has = |name: &str| {
            headers.is_some_and(|all| all.keys().any(|key| key.eq_ignore_ascii_case(name)))
        };
        let by_guard = match (has(REFUSED), has(FAILED)) {
            (true, _) => Some(ByGuard::Refused),
            (_, true) => Some(ByGuard::Unreachable),
            _ => None,
        };
        self.response = Some(Response {
            loader,
            status: status.and_then(|it| u16::try_from(it).ok()).unwrap_or(0),
            by_guard,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn after(events: &[(&str, Value)]) -> Progress {
        let mut progress = Progress::of("F");
        for (method, event) in events {
            progress.apply(method, event);
        }
        progress
    }

    fn life(frame: &str, loader: &str, name: &str) -> (&'static str, Value) {
        let event = json!({"frameId": frame, "loaderId": loader, "name": name});
        ("Page.lifecycleEvent", event)
    }

    fn answer(loader: &str, headers: Value) -> (&'static str, Value) {
        let response = json!({"status": 403, "headers": headers});
        let event =
            json!({"frameId": "F", "loaderId": loader, "requestId": loader, "response": response});
        ("Network.responseReceived", event)
    }

    #[test]
    fn a_document_that_replaces_another_counts_for_it() {
        let progress = after(&[life("F", "a", "init"), life("F", "a", "load")]);
        assert!(progress.has_reached("a", Milestone::Whole));
        assert!(!progress.has_reached("b", Milestone::Text));
        let progress = after(&[
            life("F", "a", "load"),
            life("F", "b", "init"),
            life("F", "b", "DOMContentLoaded"),
        ]);
        assert!(!progress.has_reached("a", Milestone::Whole));
        assert!(progress.has_reached("a", Milestone::Text));
    }

    #[test]
    fn a_page_that_was_asked_to_go_elsewhere_is_not_settled() {
        let mut progress = after(&[life("F", "a", "load")]);
        assert!(progress.is_settled());
        let mut to = |method: &str, disposition: &str| {
            progress.apply(method, &json!({"frameId": "F", "disposition": disposition}));
            progress.is_settled()
        };
        assert!(to("Page.frameRequestedNavigation", "newTab"));
        assert!(!to("Page.frameRequestedNavigation", "currentTab"));
        assert!(to("Page.navigatedWithinDocument", ""));
        assert!(!to("Page.frameStartedLoading", ""));
        assert!(to("Page.frameStoppedLoading", ""));
    }

    #[test]
    fn frames_within_the_page_do_not_count() {
        let progress = after(&[life("F", "a", "init"), life("inner", "a", "load")]);
        assert!(!progress.has_reached("a", Milestone::Text));
    }

    #[test]
    fn refusals_of_the_guard_are_known_by_their_header() {
        let refused = after(&[
            life("F", "a", "init"),
            answer("a", json!({"X-Waygate-Refused": "1"})),
        ]);
        let found = refused.response_to("a").unwrap();
        assert_eq!(found.by_guard, Some(ByGuard::Refused));
        let own = after(&[life("F", "a", "init"), answer("a", json!({"server": "x"}))]);
        assert_eq!(own.response_to("a").unwrap().by_guard, None);
        assert_eq!(own.response_to("b"), None, "of a document that never began");
    }
}
