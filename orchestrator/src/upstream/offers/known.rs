//! What is known of an upstream's resources, templates and prompts, and the bus on which changes of
//! them are told.

use super::Change;
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Changes kept for a slow listener; one that falls behind further is told so by its receiver, and
/// has to assume that everything changed.
const QUEUE: usize = 256;

/// Everything one upstream offers beside tools.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks, not states"
)]
pub struct Offered {
    /// In the order of the server.
    pub resources: Vec<Arc<Offer>>,
    /// In the order of the server.
    pub templates: Vec<Arc<Offer>>,
    /// In the order of the server.
    pub prompts: Vec<Arc<Offer>>,
    /// Arguments of prompts and templates can be completed.
    pub completions: bool,
    /// Resources can be watched.
    pub subscriptions: bool,
    /// It was not reached when last asked: this is what it offered before.
    pub stale: bool,
}

impl Offered {
    /// One of the three lists.
    #[must_use]
    pub fn of(&self, kind: OfferKind) -> &[Arc<Offer>] {
        match kind {
            OfferKind::Resource => &self.resources,
            OfferKind::Template => &self.templates,
            OfferKind::Prompt => &self.prompts,
        }
    }
}

/// What an offer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OfferKind {
    /// A resource, known by its URI.
    Resource,
    /// A family of resources, known by its URI template.
    Template,
    /// A prompt, known by its name.
    Prompt,
}

/// One resource, template or prompt.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What it is.
    pub kind: OfferKind,
    /// The server's own URI, URI template or name.
    pub key: Arc<str>,
    /// Its entry in the server's list, as the server wrote it.
    pub definition: Box<RawValue>,
}

/// The bus on which changes are told. Cheap to clone.
#[derive(Clone)]
pub struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(QUEUE))
    }
}

impl Changes {
    /// Tells everybody who listens.
    pub fn tell(&self, change: Change) {
        if self.0.send(change).is_err() {
            tracing::trace!(event = "change_unheard", "nobody listens");
        }
    }

    /// Every change from now on. A receiver that lags must assume that everything changed.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes")
    }
}
