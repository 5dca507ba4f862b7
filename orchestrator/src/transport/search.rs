//! `/search/mcp`: three tools in the place of all, for hosts that cannot take a large catalogue: find
//! a tool, look at its definition, call it.
//!
//! Finding and looking show what `tools/list` shows the same caller; a call is judged, recorded and
//! made as one of the tool itself.

use super::lists::{self, Item};
use super::methods::Asked;
use super::render::server_info;
use super::revision::Revision;
use super::scope::Scope;
use super::splice::{Members, Object};
use crate::error::CallError;
use crate::gateway::{Answer, ListedTool};
use proto::mcp::META_SERVER_INFO;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared::arguments::{self, Limits, Violation};
use shared::tool::Output;
use std::cmp::Reverse;
use std::sync::Arc;

const FIND: &str = "search_tools";
const LOOK: &str = "get_tool_details";
const CALL: &str = "call_tool";
/// Tools found at once, when the caller does not say.
const FOUND: usize = 10;
/// Most tools found at once.
const MAX_FOUND: usize = 50;
/// Longest search, in bytes.
const MAX_QUERY: usize = 512;
/// Bytes of a description shown in a search.
const SHOWN: usize = 300;
/// The list does not change while the hub runs.
const TTL_MS: u64 = 300_000;

/// What a call of this endpoint's tools means.
pub(super) enum Meant<'a> {
    /// Calls a tool with these arguments.
    Call(String, Option<&'a RawValue>),
    /// Is answered.
    Told(Answer),
}

/// The result of `tools/list`.
#[must_use]
pub(super) fn list(revision: Revision) -> Vec<u8> {
    let result = Object::default().with("tools", &tools());
    if !revision.is_modern() {
        return result.json();
    }
    result
        .with("ttlMs", &TTL_MS)
        .with("cacheScope", "public")
        .with("resultType", "complete")
        .with("_meta", &json!({ META_SERVER_INFO: server_info() }))
        .json()
}

/// Understands a call of the tool `name`.
///
/// # Errors
/// [`CallError::UnknownTool`], [`CallError::Malformed`], [`CallError::Invalid`].
pub(super) fn meant<'a>(asked: &Asked<'a>, name: &str) -> Result<Meant<'a>, CallError> {
    let raw = asked.params.arguments;
    let bytes = raw.map_or("{}", RawValue::get).as_bytes();
    let given = arguments::parse_object(bytes, Limits::default()).map_err(CallError::Malformed)?;
    match name {
        FIND => {
            only(&given, &["query", "limit"])?;
            let limit = limit(&given)?;
            let found = found(asked, &text(&given, "query")?, limit);
            Ok(Meant::Told(answer(&found)))
        }
        LOOK => {
            only(&given, &["name"])?;
            look(asked, &text(&given, "name")?).map(Meant::Told)
        }
        CALL => {
            only(&given, &["name", "arguments"])?;
            let own = raw
                .and_then(Members::of)
                .and_then(|all| all.get("arguments"));
            Ok(Meant::Call(text(&given, "name")?, own))
        }
        other => Err(CallError::UnknownTool(format!(
            "{other} (this endpoint has {FIND}, {LOOK} and {CALL})"
        ))),
    }
}

fn found(asked: &Asked<'_>, query: &str, limit: usize) -> Value {
    let words: Vec<String> = words(query).collect();
    let listing = asked.hub.gateway.list(&asked.caller);
    let scope = asked.scope;
    let mut fitting: Vec<(usize, &ListedTool)> = listing
        .tools
        .iter()
        .filter(|tool| scope.shows(&tool.route))
        .map(|tool| (fit(tool, &words), tool))
        .filter(|(fit, _)| *fit > 0 || words.is_empty())
        .collect();
    // The order of the list decides between equals.
    fitting.sort_by_key(|(fit, _)| Reverse(*fit));
    let shown: Vec<Value> = fitting
        .iter()
        .take(limit)
        .map(|(_, it)| short(it, scope))
        .collect();
    json!({"tools": shown, "total": fitting.len()})
}

/// How well a tool fits: words in its names count more than words in its description.
fn fit(tool: &ListedTool, wanted: &[String]) -> usize {
    let facts = &tool.route.tool;
    let name = format!("{} {}", facts.id, facts.title).to_lowercase();
    let description = facts.description.to_lowercase();
    let of = |word: &String| {
        4 * usize::from(name.contains(word.as_str()))
            + usize::from(description.contains(word.as_str()))
    };
    wanted.iter().map(of).sum()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

fn short(tool: &ListedTool, scope: &Scope) -> Value {
    let facts = &tool.route.tool;
    let said = scope.description(&tool.route);
    let said = said.as_deref().unwrap_or(&facts.description);
    json!({
        "name": &*scope.name(&tool.route),
        "id": facts.id.as_str(),
        "description": said.get(..said.floor_char_boundary(SHOWN)),
        "effect": facts.effect.as_str(),
        "needs_approval": tool.needs_approval,
    })
}

fn look(asked: &Asked<'_>, name: &str) -> Result<Answer, CallError> {
    let listing = asked.hub.gateway.list(&asked.caller);
    let router = &asked.hub.gateway.router;
    let id = asked.scope.resolved(router, name.to_owned());
    let known = listing.snapshot.resolve(&id).ok();
    let mut tools = listing.tools.into_iter();
    let tool = known.and_then(|known| tools.find(|tool| Arc::ptr_eq(&tool.route, known)));
    let tool = tool.ok_or_else(|| CallError::UnknownTool(name.to_owned()))?;
    let down = asked.hub.registry.down();
    let item = Item {
        name: asked.scope.name(&tool.route),
        description: asked.scope.description(&tool.route),
        needs_approval: tool.needs_approval,
        available: !down.contains(&tool.route.service),
        route: tool.route,
    };
    Ok(told(lists::one(&item, asked.revision)))
}

fn answer(value: &Value) -> Answer {
    told(serde_json::value::to_raw_value(value).expect("a JSON value can be written"))
}

fn told(structured: Box<RawValue>) -> Answer {
    Answer {
        output: Arc::new(Output::structured(structured)),
        cached: false,
    }
}

fn text(given: &Value, field: &str) -> Result<String, CallError> {
    let text = given.get(field).and_then(Value::as_str);
    let text = text.filter(|text| text.len() <= MAX_QUERY);
    text.map(str::to_owned).ok_or_else(|| {
        wrong(
            field,
            format!("must be a text of at most {MAX_QUERY} bytes"),
        )
    })
}

fn limit(given: &Value) -> Result<usize, CallError> {
    let Some(limit) = given.get("limit") else {
        return Ok(FOUND);
    };
    let limit = limit.as_u64().and_then(|limit| usize::try_from(limit).ok());
    limit
        .filter(|limit| (1..=MAX_FOUND).contains(limit))
        .ok_or_else(|| wrong("limit", format!("must be a number from 1 to {MAX_FOUND}")))
}

fn only(given: &Value, known: &[&str]) -> Result<(), CallError> {
    let mut names = given.as_object().into_iter().flat_map(|it| it.keys());
    match names.find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(wrong(name, "is not a parameter of this tool".to_owned())),
    }
}

fn wrong(field: &str, rule: String) -> CallError {
    CallError::Invalid(Violation {
        field: field.to_owned(),
        rule,
    })
}

fn tools() -> Value {
    let name = json!({"type": "string", "description": "Name or id of the tool."});
    json!([
        {
            "name": FIND,
            "title": "Search tools",
            "description": "Find tools by words of their names and descriptions. Then look at one with \
                            get_tool_details and call it with call_tool.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "query": {"type": "string", "maxLength": MAX_QUERY, "description": "Words."},
                    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_FOUND, "default": FOUND},
                },
                "required": ["query"],
                "additionalProperties": false,
            },
            "annotations": {"readOnlyHint": true, "openWorldHint": false},
        },
        {
            "name": LOOK,
            "title": "Tool details",
            "description": "The whole definition of one tool: what it does, its parameters, what it changes.",
            "inputSchema": {
                "type": "object",
                "properties": {"name": name},
                "required": ["name"],
                "additionalProperties": false,
            },
            "annotations": {"readOnlyHint": true, "openWorldHint": false},
        },
        {
            "name": CALL,
            "title": "Call a tool",
            "description": "Call a tool by its name or id, with arguments that fit its parameters.",
            "inputSchema": {
                "type": "object",
                "properties": {"name": name, "arguments": {"type": "object"}},
                "required": ["name"],
                "additionalProperties": false,
            },
            "annotations": {"readOnlyHint": false},
        },
    ])
}
