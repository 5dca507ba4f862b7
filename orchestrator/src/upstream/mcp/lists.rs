//! The lists of a server, page by page, and when they have to be asked for again.

use super::connection::{Connection, Request};
use super::inbox::Heard;
use super::object::Object;
use crate::upstream::UpstreamError;
use crate::upstream::offers::{Change, Offer, OfferKind, Offered};
use parking_lot::Mutex;
use serde_json::value::RawValue;
use std::sync::{Arc, Weak};

/// Pages of one list.
const MAX_PAGES: usize = 200;
/// Entries of one list.
const MAX_ENTRIES: usize = 5000;

/// What has to be asked for again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks, not states"
)]
pub(super) struct Stale {
    pub(super) tools: bool,
    pub(super) resources: bool,
    pub(super) prompts: bool,
}

impl Stale {
    const ALL: Self = Self {
        tools: true,
        resources: true,
        prompts: true,
    };
}

/// Knows what is fresh. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Fresh(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    heard: Stale,
    /// The connection the lists came from.
    from: Weak<super::inbox::Inbox>,
}

impl Fresh {
    pub(super) fn heard(&self, what: &Heard) {
        let mut state = self.0.lock();
        match what {
            Heard::Tools => state.heard.tools = true,
            Heard::Prompts => state.heard.prompts = true,
            Heard::Resources => state.heard.resources = true,
            Heard::Resource(_) => {}
        }
    }

    /// A list is fresh while its connection stands and the server, which promised to say so, has not
    /// said that it changed.
    pub(super) fn stale(&self, connection: &Connection) -> Stale {
        let mut state = self.0.lock();
        let same = state
            .from
            .upgrade()
            .is_some_and(|from| Arc::ptr_eq(&from, &connection.inbox));
        let heard = std::mem::take(&mut state.heard);
        if !same {
            return Stale::ALL;
        }
        let silent = |capability| !connection.offers_member(capability, "listChanged");
        Stale {
            tools: heard.tools || silent("tools"),
            resources: heard.resources || (connection.offers("resources") && silent("resources")),
            prompts: heard.prompts || (connection.offers("prompts") && silent("prompts")),
        }
    }

    pub(super) fn fetched(&self, connection: &Connection) {
        self.0.lock().from = Arc::downgrade(&connection.inbox);
    }

    /// What was stale could not be fetched.
    pub(super) fn again(&self, stale: Stale) {
        let heard = &mut self.0.lock().heard;
        heard.tools |= stale.tools;
        heard.resources |= stale.resources;
        heard.prompts |= stale.prompts;
    }
}

/// A whole list.
pub(super) async fn all(
    connection: &Connection,
    method: &'static str,
    member: &str,
) -> Result<Vec<Box<RawValue>>, UpstreamError> {
    let mut entries = Vec::new();
    let mut cursor: Option<Box<RawValue>> = None;
    for _ in 0..MAX_PAGES {
        let mut params = Object::default();
        if let Some(cursor) = cursor.take() {
            params.set("cursor", cursor);
        }
        let page = connection.request(Request::new(method, params)).await?;
        let page = Object::read(&page, method)?;
        let more = page.list(member).ok_or_else(|| {
            UpstreamError::BadAnswer(format!("{method}: an answer without {member}"))
        })?;
        entries.extend(more);
        if entries.len() > MAX_ENTRIES {
            return Err(UpstreamError::BadAnswer(format!(
                "{method}: too many entries"
            )));
        }
        let next = page.get("nextCursor").filter(|next| next.get() != "null");
        match next {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(entries),
        }
    }
    Err(UpstreamError::BadAnswer(format!(
        "{method}: too many pages"
    )))
}

/// Resources, templates and prompts; what is fresh is taken over from `before`.
pub(super) async fn offered(
    connection: &Connection,
    stale: Stale,
    before: &Offered,
) -> Result<Offered, UpstreamError> {
    let mut offered = Offered {
        completions: connection.offers("completions"),
        subscriptions: connection.offers_member("resources", "subscribe"),
        stale: false,
        ..before.clone()
    };
    if stale.resources {
        let has = connection.offers("resources");
        let fetch = |method, member| optional(connection, has, method, member);
        let resources = fetch("resources/list", "resources").await?;
        let templates = fetch("resources/templates/list", "resourceTemplates").await?;
        offered.resources = offers(OfferKind::Resource, "uri", resources);
        offered.templates = offers(OfferKind::Template, "uriTemplate", templates);
    }
    if stale.prompts {
        let has = connection.offers("prompts");
        let prompts = optional(connection, has, "prompts/list", "prompts").await?;
        offered.prompts = offers(OfferKind::Prompt, "name", prompts);
    }
    Ok(offered)
}

/// A list of a server that may not know it, though it has the capability.
async fn optional(
    connection: &Connection,
    has: bool,
    method: &'static str,
    member: &str,
) -> Result<Vec<Box<RawValue>>, UpstreamError> {
    if !has {
        return Ok(Vec::new());
    }
    match all(connection, method, member).await {
        Err(UpstreamError::Peer(error)) => {
            tracing::debug!(event = "list_refused", method, %error, "a server refused a list");
            Ok(Vec::new())
        }
        other => other,
    }
}

fn offers(kind: OfferKind, member: &str, entries: Vec<Box<RawValue>>) -> Vec<Arc<Offer>> {
    let offer = |definition: Box<RawValue>| {
        let key = Object::read(&definition, member).ok()?.text(member)?;
        Some(Arc::new(Offer {
            kind,
            key: key.into(),
            definition,
        }))
    };
    entries.into_iter().filter_map(offer).collect()
}

/// What to tell of a change between two states.
pub(super) fn differ(server: &Arc<str>, before: &Offered, after: &Offered) -> Vec<Change> {
    let same = |kind| {
        let (before, after) = (before.of(kind), after.of(kind));
        let mut pairs = before.iter().zip(after);
        before.len() == after.len() && pairs.all(|(a, b)| a.definition.get() == b.definition.get())
    };
    let server = || Arc::clone(server);
    let resources = !(same(OfferKind::Resource) && same(OfferKind::Template));
    let resources = resources.then(|| Change::Resources { server: server() });
    let prompts = (!same(OfferKind::Prompt)).then(|| Change::Prompts { server: server() });
    resources.into_iter().chain(prompts).collect()
}
