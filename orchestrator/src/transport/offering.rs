//! Lists of resources, templates and prompts: what the servers wrote, under the names hosts know.
//!
//! A cursor is a position; the order is that of the services and of each server, so it is the same on
//! every hub while nothing changes.

use super::fault::Fault;
use super::render::server_info;
use super::revision::Revision;
use super::splice::{Members, Object};
use crate::gateway::ListedOffer;
use crate::upstream::offers::OfferKind;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proto::mcp::META_SERVER_INFO;
use serde_json::json;
use serde_json::value::RawValue;

/// Entries on one page.
const PAGE: usize = 500;
const MARK: &str = "at:";

/// Which list a method asks for.
#[must_use]
pub fn kind_of(method: &str) -> Option<OfferKind> {
    match method {
        "resources/list" => Some(OfferKind::Resource),
        "resources/templates/list" => Some(OfferKind::Template),
        "prompts/list" => Some(OfferKind::Prompt),
        _ => None,
    }
}

/// The result of a list. `raw_names` keeps the servers' own names, for an endpoint of one server.
///
/// # Errors
/// −32602 for a cursor that is none of ours.
pub fn list(
    kind: OfferKind,
    offers: &[ListedOffer],
    revision: Revision,
    cursor: Option<&RawValue>,
    raw_names: bool,
) -> Result<Vec<u8>, Fault> {
    let start = cursor.map_or(Ok(0), position)?;
    let rest = offers.get(start..).unwrap_or_default();
    let shown = rest.get(..PAGE).unwrap_or(rest);
    let mut entries = vec![b'['];
    for (at, offer) in shown.iter().enumerate() {
        if at > 0 {
            entries.push(b',');
        }
        entries.extend_from_slice(&entry(kind, offer, raw_names));
    }
    entries.push(b']');
    let entries = String::from_utf8(entries).ok();
    let entries = entries.and_then(|text| RawValue::from_string(text).ok());
    let mut result = Object::default().with(word(kind), &entries);
    if rest.len() > shown.len() {
        let next = format!("{MARK}{}", start + shown.len());
        result.put("nextCursor", &BASE64_URL_SAFE_NO_PAD.encode(next));
    }
    if revision.is_modern() {
        result.put("ttlMs", &0);
        result.put("cacheScope", "private");
        result.put("resultType", "complete");
        result.put("_meta", &json!({ META_SERVER_INFO: server_info() }));
    }
    Ok(result.json())
}

const fn word(kind: OfferKind) -> &'static str {
    match kind {
        OfferKind::Resource => "resources",
        OfferKind::Template => "resourceTemplates",
        OfferKind::Prompt => "prompts",
    }
}

const fn key(kind: OfferKind) -> &'static str {
    match kind {
        OfferKind::Resource => "uri",
        OfferKind::Template => "uriTemplate",
        OfferKind::Prompt => "name",
    }
}

fn entry(kind: OfferKind, listed: &ListedOffer, raw_names: bool) -> Vec<u8> {
    let definition = &listed.offer.definition;
    let unchanged = || definition.get().as_bytes().to_vec();
    if raw_names || *listed.name == *listed.offer.key {
        return unchanged();
    }
    let Some(members) = Members::of(definition) else {
        return unchanged();
    };
    let mut entry = Object::default();
    for (name, value) in members.iter() {
        if name == key(kind) {
            entry.put(name, &*listed.name);
        } else {
            entry.put(name, value);
        }
    }
    entry.json()
}

fn position(cursor: &RawValue) -> Result<usize, Fault> {
    let text: Option<String> = serde_json::from_str(cursor.get()).ok();
    let bytes = text.and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let at = text.and_then(|text| text.strip_prefix(MARK)?.parse().ok());
    at.ok_or_else(|| Fault::invalid_params("cursor is not one of this server"))
}
