//! Results too large for a host: kept as artefacts, their beginning shown in their place.
//!
//! Pictures and sounds do not count and stay. What is shown fits the tool's output schema, or the
//! result is left as it is; so is one that holds secrets, one the caller could not read in parts, and
//! every result on the endpoint of a single server, which shows that server as it is.

mod preview;

use super::Hub;
use super::scope::Scope;
use super::splice::{Members, Object};
use crate::artefacts::{Artefacts, Kept, Owner, laid_out};
use crate::auth::Principal;
use crate::caller::Caller;
use crate::gateway::Answer;
use crate::master::READ_ARTEFACT;
use crate::policy::Subject;
use crate::router::Route;
use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use shared::arguments::ArgumentSchema;
use shared::tool::{Content, ContentKind, Output, WireResult};
use std::sync::Arc;

/// First word of the tools that read artefacts, whose own results are never kept.
const OWN: &str = "artefacts.";
/// Longest block of another kind than text, picture and sound that stays.
const SMALL_BLOCK: usize = 4096;
/// Blocks that stay.
const MAX_BLOCKS: usize = 64;

/// Shortens the result of one call.
pub(super) struct Shortening {
    artefacts: Arc<Artefacts>,
    principal: Arc<Principal>,
    route: Arc<Route>,
    /// Name of the tool that reads, as hosts know it.
    reader: Arc<str>,
}

impl Shortening {
    /// For a call of the tool `name`; `None` when its result is not shortened, whatever it is.
    #[must_use]
    pub(super) fn of(hub: &Hub, scope: &Scope, caller: &Caller, name: &str) -> Option<Self> {
        let artefacts = hub.artefacts.as_ref()?;
        if scope.only.is_some() {
            return None;
        }
        let snapshot = hub.gateway.router.snapshot();
        let route = snapshot.resolve(name).ok()?;
        if route.tool.sensitive || route.tool.id.as_str().starts_with(OWN) {
            return None;
        }
        let reader = snapshot.resolve(READ_ARTEFACT).ok()?;
        let subject = Subject {
            tool: &reader.tool.id,
            service: &reader.service,
            effect: reader.tool.effect,
            per_call: false,
        };
        hub.gateway.policy.reach(caller, subject)?;
        Some(Self {
            artefacts: Arc::clone(artefacts),
            principal: Arc::clone(&caller.principal),
            route: Arc::clone(route),
            reader: Arc::clone(&reader.alias),
        })
    }

    /// The answer, shortened where it is too large.
    pub(super) async fn of_answer(self, answer: Answer) -> Answer {
        let output = &answer.output;
        let text = text(output);
        if output.sensitive || !self.artefacts.is_large(text.len()) {
            return answer;
        }
        let Some(shown) = self.shown(output) else {
            tracing::info!(event = "result_left_large", tool = %self.route.tool.id, bytes = text.len(),
                "no part of a large result fits the schema of its tool");
            return answer;
        };
        let owner = Owner {
            principal: &self.principal.id,
            organization: &self.principal.organization,
        };
        let tool = self.route.tool.id.as_str();
        match self.artefacts.keep(owner, tool, &text).await {
            Ok(kept) => Answer {
                output: Arc::new(shortened(output, shown, &self.note(&kept))),
                cached: answer.cached,
            },
            Err(error) => {
                tracing::warn!(event = "result_not_kept", %error, tool, "a large result is sent whole");
                answer
            }
        }
    }

    /// What is shown of the structured value: `Some(None)` where there is none, `None` where nothing
    /// fits.
    fn shown(&self, output: &Output) -> Option<Option<Value>> {
        let structured = match &output.wire {
            None => Some(&*output.structured),
            Some(wire) => Members::of(&wire.json)?.get("structuredContent"),
        };
        let Some(structured) = structured else {
            return Some(None);
        };
        let value: Value = serde_json::from_str(structured.get()).ok()?;
        let schema = self.route.tool.output_schema.as_ref();
        let schema: Option<Value> = schema.and_then(|raw| serde_json::from_str(raw.get()).ok());
        // One that cannot be compiled here cannot be by hosts.
        let schema = schema.and_then(|schema| ArgumentSchema::compile(schema).ok());
        let fits = |value: &Value| {
            schema
                .as_ref()
                .is_none_or(|schema| schema.check(value).is_ok())
        };
        preview::of(&value, self.artefacts.shown_bytes(), fits).map(Some)
    }

    fn note(&self, kept: &Kept) -> String {
        let example = json!({"id": kept.id, "offset": 0});
        format!(
            "The result has {} bytes, too many to show; this is its beginning. The whole is kept as \
             artefact {} until {:.0}. Read parts of it with {} {example}, find places in it with the \
             tool beside that.",
            kept.bytes, kept.id, kept.expires_at, self.reader
        )
    }
}

/// What is kept of an output: its text where it is one, else its value in lines.
fn text(output: &Output) -> String {
    let Some(wire) = &output.wire else {
        return laid_out(output.structured.get());
    };
    let members = Members::of(&wire.json).unwrap_or_default();
    if let Some(structured) = members.get("structuredContent") {
        return laid_out(structured.get());
    }
    let mut whole = String::new();
    for block in blocks(&members) {
        let part = Members::of(block).unwrap_or_default();
        let inner = part.get("resource").and_then(Members::of);
        let text = part.get("text").or(inner.and_then(|it| it.get("text")));
        let text = text.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        if let Some(text) = text {
            if !whole.is_empty() {
                whole.push('\n');
            }
            whole.push_str(&text);
        }
    }
    whole
}

fn blocks<'a>(result: &Members<'a>) -> Vec<&'a RawValue> {
    let content = result.get("content");
    content
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

fn shortened(output: &Output, shown: Option<Value>, note: &str) -> Output {
    let value = shown.and_then(|value| to_raw_value(&value).ok());
    let Some(wire) = &output.wire else {
        let mut short = output.clone();
        short.structured = value.unwrap_or_else(|| output.structured.clone());
        short.content.insert(0, of_text(note));
        return short;
    };
    let members = Members::of(&wire.json).unwrap_or_default();
    let mut content = vec![block_of(note)];
    let kept = blocks(&members).into_iter().take(MAX_BLOCKS);
    content.extend(kept.filter_map(short_block));
    let mut result = members.without(&["content", "structuredContent"]).copy();
    result.put("content", &content);
    if let Some(value) = &value {
        result.put("structuredContent", value);
    }
    let json = result.raw();
    Output {
        structured: value.unwrap_or_else(|| json.clone()),
        content: Vec::new(),
        sensitive: output.sensitive,
        replayed: output.replayed,
        wire: Some(WireResult {
            json,
            is_error: wire.is_error,
        }),
    }
}

fn of_text(text: &str) -> Content {
    Content {
        kind: ContentKind::Text,
        mime_type: "text/plain".to_owned(),
        data: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn block_of(text: &str) -> Box<RawValue> {
    Object::default()
        .with("type", "text")
        .with("text", text)
        .raw()
}

/// A block of content as it is shown; `None` leaves it out.
fn short_block(block: &RawValue) -> Option<Box<RawValue>> {
    let members = Members::of(block)?;
    let kind: String = serde_json::from_str(members.get("type")?.get()).ok()?;
    match kind.as_str() {
        "image" | "audio" => Some(block.to_owned()),
        "text" => {
            let text: String = serde_json::from_str(members.get("text")?.get()).ok()?;
            let mut short = members.without(&["text"]).copy();
            short.put("text", &preview::text(&text));
            Some(short.raw())
        }
        _ => (block.get().len() <= SMALL_BLOCK).then(|| block.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(json: &str) -> Output {
        let json = RawValue::from_string(json.to_owned()).unwrap();
        let mut output = Output::structured(json.clone());
        output.wire = Some(WireResult {
            json,
            is_error: false,
        });
        output
    }

    #[test]
    fn a_servers_result_keeps_its_pictures_and_members() {
        let long = "x".repeat(9000);
        let whole = wire(&format!(
            r#"{{"content":[{{"type":"text","text":"{long}","odd":1.0}},{{"type":"image","data":"{long}"}},{{"type":"resource","resource":{{"uri":"a:b","text":"{long}"}}}}],"isError":false,"vendor":[1]}}"#
        ));
        assert_eq!(text(&whole), format!("{long}\n{long}"));
        let short = shortened(&whole, None, "note").wire.unwrap();
        let value: Value = serde_json::from_str(short.json.get()).unwrap();
        assert_eq!(value["content"][0]["text"], "note");
        assert!(value["content"][1]["text"].as_str().unwrap().len() < 3000);
        assert_eq!(value["content"][1]["odd"], 1.0);
        assert_eq!(value["content"][2]["data"], long);
        assert_eq!(value["content"].as_array().unwrap().len(), 3);
        assert_eq!(
            (&value["vendor"][0], &value["isError"]),
            (&json!(1), &json!(false))
        );
    }
}
