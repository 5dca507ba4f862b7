//! What a host wants to hear of, and the next thing it has to hear.
//!
//! Nothing is lost and nothing piles up for a slow reader: of each kind one change waits at most,
//! since only the latest state matters. One that fell behind hears that everything changed.

use super::frame;
use crate::registry::Registry;
use crate::upstream::offers::{Change, Watch};
use bytes::Bytes;
use parking_lot::Mutex;
use proto::mcp::Id;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// Resources one listener may watch.
const MAX_WATCHED: usize = 256;

/// What a listener wants to hear of.
#[derive(Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one wish each, independent of the others"
)]
pub struct Wishes {
    /// Tools came, went or changed.
    pub tools: bool,
    /// Prompts did.
    pub prompts: bool,
    /// Resources or templates did.
    pub resources: bool,
    /// Single resources.
    pub watched: Watched,
    /// Of this service only; `None` means all.
    pub only: Option<Arc<str>>,
}

/// The resources a listener watches. Clones share them.
#[derive(Clone, Default)]
pub struct Watched(Arc<Mutex<Vec<One>>>);

struct One {
    /// The URI the host knows it by.
    uri: String,
    service: Arc<str>,
    own: Arc<str>,
    _watch: Watch,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The tools changed; their version.
    Tools(u64),
    /// The prompts changed.
    Prompts,
    /// The resources or templates changed.
    Resources,
    /// One resource changed.
    Resource(String),
}

/// Listens for one host.
pub struct Ear {
    wishes: Wishes,
    version: watch::Receiver<u64>,
    bus: Receiver<Change>,
    due: BTreeSet<Due>,
}

impl Watched {
    /// Adds a resource; `false` when too many are watched. A URI that is watched already stays so.
    #[must_use]
    pub fn add(&self, uri: &str, service: Arc<str>, own: Arc<str>, watch: Watch) -> bool {
        let mut all = self.0.lock();
        if all.iter().any(|one| one.uri == uri) {
            return true;
        }
        if all.len() >= MAX_WATCHED {
            return false;
        }
        all.push(One {
            uri: uri.to_owned(),
            service,
            own,
            _watch: watch,
        });
        true
    }

    /// Watches a resource no longer.
    pub fn remove(&self, uri: &str) {
        self.0.lock().retain(|one| one.uri != uri);
    }

    /// The URIs, as the host knows them.
    #[must_use]
    pub fn uris(&self) -> Vec<String> {
        self.0.lock().iter().map(|one| one.uri.clone()).collect()
    }

    fn known_as(&self, service: &str, own: &str) -> Vec<String> {
        let all = self.0.lock();
        let fitting = all
            .iter()
            .filter(|one| *one.service == *service && *one.own == *own);
        fitting.map(|one| one.uri.clone()).collect()
    }
}

impl Wishes {
    /// Everything a legacy host is told of without asking, and what it watches.
    #[must_use]
    pub fn everything(watched: Watched, only: Option<Arc<str>>) -> Self {
        Self {
            tools: true,
            prompts: true,
            resources: true,
            watched,
            only,
        }
    }

    /// The `notifications` member of an acknowledgement.
    #[must_use]
    pub fn accepted(&self) -> Value {
        let mut accepted = Map::new();
        let flags = [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ];
        for (name, wanted) in flags {
            if wanted {
                accepted.insert(name.to_owned(), true.into());
            }
        }
        let uris = self.watched.uris();
        if !uris.is_empty() {
            accepted.insert("resourceSubscriptions".to_owned(), uris.into());
        }
        accepted.into()
    }
}

impl Ear {
    /// Hears everything from now on.
    #[must_use]
    pub fn new(registry: &Registry, wishes: Wishes) -> Self {
        let mut version = registry.version();
        version.mark_unchanged();
        Self {
            wishes,
            version,
            bus: registry.changes().listen(),
            due: BTreeSet::new(),
        }
    }

    /// The version of the tools.
    #[must_use]
    pub fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// The next thing to tell; `None` when the hub stops. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Due> {
        loop {
            if let Some(due) = self.due.pop_first() {
                return Some(due);
            }
            tokio::select! {
                changed = self.version.changed() => {
                    changed.ok()?;
                    let version = *self.version.borrow_and_update();
                    if self.wishes.tools {
                        self.due.insert(Due::Tools(version));
                    }
                }
                heard = self.bus.recv() => match heard {
                    Ok(change) => self.heard(&change),
                    Err(RecvError::Lagged(_)) => self.missed(),
                    Err(RecvError::Closed) => return None,
                },
            }
            while let Ok(change) = self.bus.try_recv() {
                self.heard(&change);
            }
        }
    }

    fn heard(&mut self, change: &Change) {
        let wishes = &self.wishes;
        let here = |server: &Arc<str>| wishes.only.as_ref().is_none_or(|only| only == server);
        match change {
            Change::Prompts { server } if wishes.prompts && here(server) => {
                self.due.insert(Due::Prompts);
            }
            Change::Resources { server } if wishes.resources && here(server) => {
                self.due.insert(Due::Resources);
            }
            Change::Resource { server, uri } => {
                let known = wishes.watched.known_as(server, uri);
                self.due.extend(known.into_iter().map(Due::Resource));
            }
            Change::Prompts { .. } | Change::Resources { .. } => {}
        }
    }

    /// Some changes were missed, so all of them count as happened.
    fn missed(&mut self) {
        if self.wishes.prompts {
            self.due.insert(Due::Prompts);
        }
        if self.wishes.resources {
            self.due.insert(Due::Resources);
        }
        let uris = self.wishes.watched.uris();
        self.due.extend(uris.into_iter().map(Due::Resource));
    }
}

impl Due {
    /// As a frame, of the subscription `id` or of a legacy stream.
    #[must_use]
    pub fn frame(&self, subscription: Option<&Id>) -> Bytes {
        let mut params = Map::new();
        if let Self::Resource(uri) = self {
            params.insert("uri".to_owned(), uri.as_str().into());
        }
        if let Some(id) = subscription {
            params.insert("_meta".to_owned(), json!({ SUBSCRIPTION_ID: id }));
        }
        let method = match self {
            Self::Tools(_) => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources => "notifications/resources/list_changed",
            Self::Resource(_) => "notifications/resources/updated",
        };
        frame::notification(method, params.into())
    }
}

/// The first notification of a subscription: what it will hear of.
#[must_use]
pub fn acknowledged(id: &Id, wishes: &Wishes) -> Bytes {
    let params = json!({"notifications": wishes.accepted(), "_meta": { SUBSCRIPTION_ID: id }});
    frame::notification("notifications/subscriptions/acknowledged", params)
}

/// The result that ends a subscription.
#[must_use]
pub fn ended(id: &Id) -> Bytes {
    let info = super::render::server_info();
    let meta = json!({ SUBSCRIPTION_ID: id, proto::mcp::META_SERVER_INFO: info });
    let result = frame::encode(&json!({"resultType": "complete", "_meta": meta}));
    frame::success(id, &result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes() -> Wishes {
        let wishes = Wishes::everything(Watched::default(), None);
        let watch = Watch::ending(|| {});
        assert!(
            wishes
                .watched
                .add("waygate://b/x", "b".into(), "x".into(), watch)
        );
        wishes
    }

    fn check(change: Change) -> Vec<Due> {
        let (_keep, version) = watch::channel(1);
        let (_bus, bus) = tokio::sync::broadcast::channel(4);
        let mut ear = Ear {
            wishes: wishes(),
            version,
            bus,
            due: BTreeSet::new(),
        };
        ear.heard(&change);
        ear.heard(&change);
        ear.due.into_iter().collect()
    }

    #[test]
    fn a_watched_resource_is_told_by_the_name_its_host_knows() {
        let resource = |server: &str| Change::Resource {
            server: server.into(),
            uri: "x".into(),
        };
        assert_eq!(
            check(resource("b")),
            [Due::Resource("waygate://b/x".into())]
        );
        assert!(check(resource("a")).is_empty());
    }

    #[test]
    fn of_each_kind_one_change_waits() {
        let prompts = Change::Prompts { server: "a".into() };
        assert_eq!(check(prompts), [Due::Prompts]);
    }

    #[test]
    fn an_acknowledgement_names_what_was_accepted() {
        let accepted = wishes().accepted();
        assert_eq!(accepted["resourceSubscriptions"][0], "waygate://b/x");
        assert_eq!(accepted["promptsListChanged"], true);
        assert_eq!(Wishes::default().accepted(), json!({}));
    }
}
