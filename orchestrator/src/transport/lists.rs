//! `tools/list`: pages of what one caller may see, made once per visible set.
//!
//! Definitions are copied from what the upstreams wrote, byte for byte. The cursor holds where the
//! last page ended and nothing else, so any hub can go on from it, also after a change.

use super::fault::Fault;
use super::frame;
use super::render::server_info;
use super::revision::Revision;
use super::splice::{Members, Object};
use crate::router::Route;
use crate::upstream::ToolFacts;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared::tool::Effect;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

/// Tools on one page.
const PAGE: usize = 500;
/// How long a client may go on with a list, in milliseconds; a change is announced anyway.
const TTL_MS: u64 = 60_000;
/// Visible sets whose pages are kept.
const MAX_SETS: usize = 64;
/// Longest cursor accepted, in bytes.
const MAX_CURSOR: usize = 512;
const CURSOR_MARK: &str = "after:";

/// One visible tool.
#[derive(Clone)]
pub struct Item {
    /// Where it lives and what it is.
    pub route: Arc<Route>,
    /// The name it is listed under.
    pub name: Arc<str>,
    /// What is said of it; `None` where the tool speaks for itself.
    pub description: Option<Arc<str>>,
    /// A call of its worst effect asks people first.
    pub needs_approval: bool,
    /// Its service answers now; otherwise the definition is the last one known.
    pub available: bool,
}

/// The pages made so far.
pub struct Lists {
    hasher: RandomState,
    made: Mutex<HashMap<(u64, Flavour), Arc<Pages>>>,
}

/// What differs between revisions in the definition of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Flavour {
    /// No titles, no output schemas.
    Plain,
    /// Output schemas of objects.
    Structured,
    /// Everything, and the envelope of 2026-07-28.
    Modern,
}

/// Results, one a page, and the canonical id each page ends with.
struct Pages(Vec<(String, Bytes)>);

impl Default for Lists {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            made: Mutex::default(),
        }
    }
}

impl Lists {
    /// The result of `tools/list` over `items`, which are sorted by canonical id.
    ///
    /// # Errors
    /// −32602 for a cursor that is none of ours.
    pub fn result(
        &self,
        items: &[Item],
        revision: Revision,
        cursor: Option<&RawValue>,
    ) -> Result<Bytes, Fault> {
        let after = cursor.map(read_cursor).transpose()?;
        let flavour = flavour(revision);
        let pages = self.pages(items, flavour);
        let Some(after) = after else {
            return Ok(pages
                .0
                .first()
                .map_or_else(|| page(&[], None, flavour), |it| it.1.clone()));
        };
        let aligned = pages.0.iter().position(|(last, _)| *last == after);
        if let Some((_, result)) = aligned.and_then(|at| pages.0.get(at + 1)) {
            return Ok(result.clone());
        }
        let rest = items.partition_point(|item| item.route.tool.id.as_str() <= after.as_str());
        let rest = items.get(rest..).unwrap_or_default();
        let shown = rest.get(..PAGE).unwrap_or(rest);
        Ok(page(shown, next(rest, shown), flavour))
    }

    fn pages(&self, items: &[Item], flavour: Flavour) -> Arc<Pages> {
        let key = (self.fingerprint(items), flavour);
        if let Some(pages) = self.made.lock().get(&key) {
            return Arc::clone(pages);
        }
        let pages = Arc::new(make(items, flavour));
        let mut made = self.made.lock();
        if made.len() >= MAX_SETS {
            made.clear();
        }
        made.insert(key, Arc::clone(&pages));
        pages
    }

    fn fingerprint(&self, items: &[Item]) -> u64 {
        let mut state = self.hasher.build_hasher();
        for item in items {
            (&item.name, &item.description).hash(&mut state);
            item.route.tool.digest.hash(&mut state);
            (item.needs_approval, item.available).hash(&mut state);
        }
        items.len().hash(&mut state);
        state.finish()
    }
}

/// The definition of one tool, as its list has it.
///
/// # Panics
/// Never: what is put together of JSON values is JSON.
#[must_use]
pub fn one(item: &Item, revision: Revision) -> Box<RawValue> {
    let mut json = Vec::new();
    definition(&mut json, item, flavour(revision));
    let text = String::from_utf8(json).ok();
    let raw = text.and_then(|text| RawValue::from_string(text).ok());
    raw.expect("a definition that was put together of JSON values is JSON")
}

fn flavour(revision: Revision) -> Flavour {
    if revision.is_modern() {
        Flavour::Modern
    } else if revision.has_structured_results() {
        Flavour::Structured
    } else {
        Flavour::Plain
    }
}

fn make(items: &[Item], flavour: Flavour) -> Pages {
    let mut pages = Vec::new();
    let mut rest = items;
    while let Some(last) = rest.get(..PAGE).unwrap_or(rest).last() {
        let shown = rest.get(..PAGE).unwrap_or(rest);
        let result = page(shown, next(rest, shown), flavour);
        pages.push((last.route.tool.id.to_string(), result));
        rest = rest.get(shown.len()..).unwrap_or_default();
    }
    Pages(pages)
}

/// The cursor behind `shown`, when `rest` goes on after it.
fn next(rest: &[Item], shown: &[Item]) -> Option<String> {
    let last = shown.last().filter(|_| rest.len() > shown.len())?;
    let text = format!("{CURSOR_MARK}{}", last.route.tool.id);
    Some(BASE64_URL_SAFE_NO_PAD.encode(text))
}

fn read_cursor(raw: &RawValue) -> Result<String, Fault> {
    let invalid = || Fault::invalid_params("cursor is not one of this server");
    if raw.get().len() > MAX_CURSOR {
        return Err(invalid());
    }
    let text: Option<String> = serde_json::from_str(raw.get()).ok();
    let bytes = text.and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let after = text
        .as_deref()
        .and_then(|text| text.strip_prefix(CURSOR_MARK));
    after.map(str::to_owned).ok_or_else(invalid)
}

fn page(items: &[Item], cursor: Option<String>, flavour: Flavour) -> Bytes {
    let mut json = Vec::with_capacity(items.len() * 1024 + 256);
    json.extend_from_slice(br#"{"tools":["#);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        definition(&mut json, item, flavour);
    }
    json.push(b']');
    if let Some(cursor) = cursor {
        member(&mut json, "nextCursor", &cursor);
    }
    if flavour == Flavour::Modern {
        member(&mut json, "ttlMs", &TTL_MS);
        member(&mut json, "cacheScope", &"private");
        member(&mut json, "resultType", &"complete");
        member(
            &mut json,
            "_meta",
            &json!({ proto::mcp::META_SERVER_INFO: server_info() }),
        );
    }
    json.push(b'}');
    Bytes::from(json)
}

fn definition(json: &mut Vec<u8>, item: &Item, flavour: Flavour) {
    let tool = &item.route.tool;
    if let Some(members) = tool
        .wire
        .as_ref()
        .and_then(|it| Members::of(&it.definition))
    {
        return json.extend_from_slice(&written(&members, item, flavour));
    }
    json.extend_from_slice(br#"{"name":"#);
    json.extend_from_slice(&frame::encode(&*item.name));
    if flavour != Flavour::Plain {
        member(json, "title", &tool.title);
    }
    let said = item.description.as_deref().unwrap_or(&tool.description);
    member(json, "description", said);
    member(json, "inputSchema", &tool.input_schema);
    let output = tool
        .output_schema
        .as_ref()
        .filter(|schema| shows(schema, flavour));
    if let Some(schema) = output {
        member(json, "outputSchema", schema);
    }
    member(json, "annotations", &annotations(tool));
    member(json, "_meta", &meta(item));
    json.push(b'}');
}

/// A definition as an MCP server wrote it, with the name of this list, and `_meta` added to.
fn written(members: &Members<'_>, item: &Item, flavour: Flavour) -> Vec<u8> {
    let mut object = Object::default();
    let mut own = Members::default();
    for (name, value) in members.iter() {
        match name {
            "name" => object.put(name, &*item.name),
            "description" if item.description.is_some() => {}
            "outputSchema" if !shows(value, flavour) => {}
            "_meta" => own = Members::of(value).unwrap_or_default(),
            _ => object.put(name, value),
        }
    }
    if let Some(said) = &item.description {
        object.put("description", &**said);
    }
    let hub = meta(item);
    let mut merged = own.copy();
    for (name, value) in hub.as_object().into_iter().flatten() {
        merged.put(name, value);
    }
    object.with("_meta", &merged.raw()).json()
}

fn member(json: &mut Vec<u8>, name: &str, value: &(impl serde::Serialize + ?Sized)) {
    json.push(b',');
    json.extend_from_slice(&frame::encode(name));
    json.push(b':');
    json.extend_from_slice(&frame::encode(value));
}

/// The legacy revisions know output schemas of objects only.
fn shows(schema: &RawValue, flavour: Flavour) -> bool {
    match flavour {
        Flavour::Plain => false,
        Flavour::Modern => true,
        Flavour::Structured => serde_json::from_str::<Value>(schema.get())
            .is_ok_and(|schema| schema.get("type").is_some_and(|kind| kind == "object")),
    }
}

fn annotations(tool: &ToolFacts) -> Value {
    json!({
        "title": tool.title,
        "readOnlyHint": tool.effect == Effect::Read,
        "destructiveHint": tool.destructive,
        "idempotentHint": tool.idempotent,
        "openWorldHint": tool.open_world,
    })
}

fn meta(item: &Item) -> Value {
    let tool = &item.route.tool;
    let approval = match (item.needs_approval, tool.effect_per_call) {
        (false, _) => "none",
        (true, true) => "per_call",
        (true, false) => "required",
    };
    json!({
        "waygate/id": tool.id.as_str(),
        "waygate/effect": tool.effect.as_str(),
        "waygate/approval": approval,
        "waygate/aliases": tool.aliases,
        "waygate/available": item.available,
    })
}

#[cfg(test)]
mod tests;
