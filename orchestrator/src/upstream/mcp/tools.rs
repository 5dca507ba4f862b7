//! A server's list of tools as the hub's facts: ids of its namespace, effects from its annotations,
//! definitions byte for byte.
//!
//! Annotations are the server's own words. They decide nothing but the effect policy starts from; a
//! setting of the server may say otherwise, and a changed definition is quarantined like any other.

use super::object::Object;
use crate::upstream::{ToolFacts, UpstreamError, WireTool};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use serde_json::value::RawValue;
use shared::id::ToolId;
use shared::tool::Effect;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Bytes of one definition.
const MAX_DEFINITION: usize = 256 * 1024;
/// Characters of a title or a name.
const MAX_NAME: usize = 256;
const HASH_DIGITS: usize = 6;
/// Longest id before a hash is added.
const KEPT: usize = ToolId::MAX_LEN - HASH_DIGITS - 1;
/// Depth of `properties` in which mirrored arguments are looked for.
const MAX_DEPTH: usize = 8;

/// What a call of one tool needs to know.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The server's own name.
    pub(super) name: Arc<str>,
    /// Header name and path of each argument that is mirrored (2026-07-28).
    pub(super) mirrored: Vec<(String, Vec<String>)>,
}

/// The tools of one server.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) facts: Vec<Arc<ToolFacts>>,
    pub(super) known: HashMap<ToolId, Known>,
}

/// How effects are found.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// By the server's own name of the tool.
    pub by_tool: BTreeMap<String, Effect>,
    /// Of every other tool; `None` means by its annotations.
    pub otherwise: Option<Effect>,
}

/// Takes in a server's list. Tools that cannot be offered are left out and logged.
pub(super) fn taken(namespace: &str, definitions: &[Box<RawValue>], effects: &Effects) -> Taken {
    let mut taken = Taken::default();
    let mut sorted: Vec<_> = definitions
        .iter()
        .filter_map(|definition| read(namespace, definition))
        .collect();
    sorted.sort_by(|a, b| a.1.cmp(&b.1));
    for (definition, name) in sorted {
        let made = id(namespace, &name, &taken.known)
            .and_then(|id| Some((id.clone(), facts(id, &name, definition, effects)?)));
        let Some((id, (facts, known))) = made else {
            tracing::warn!(
                event = "tool_not_offered",
                server = namespace,
                tool = name,
                "a tool of a server cannot be offered"
            );
            continue;
        };
        taken.facts.push(Arc::new(facts));
        taken.known.insert(id, known);
    }
    taken.facts.sort_by(|a, b| a.id.cmp(&b.id));
    taken
}

fn read<'a>(namespace: &str, definition: &'a RawValue) -> Option<(&'a RawValue, String)> {
    let object = Object::read(definition, "a tool").ok();
    let name = object.and_then(|object| object.text("name"));
    let fits = |name: &String| (1..=MAX_NAME).contains(&name.len());
    let name = name.filter(fits);
    if name.is_none() || definition.get().len() > MAX_DEFINITION {
        tracing::warn!(
            event = "tool_not_offered",
            server = namespace,
            "a tool of a server is too large or has no name"
        );
        return None;
    }
    Some((definition, name?))
}

/// `<namespace>.<name>` with what no id may have replaced; a hash keeps two such names apart.
fn id(namespace: &str, name: &str, taken: &HashMap<ToolId, Known>) -> Option<ToolId> {
    let portable = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '_'
        }
    };
    let mut text: String = name.chars().map(portable).collect();
    if text.split('.').any(str::is_empty) {
        text = text.replace('.', "_");
    }
    let plain = format!("{namespace}.{text}");
    let id = ToolId::parse(&plain).ok();
    if let Some(id) = id.filter(|id| !taken.contains_key(id)) {
        return Some(id);
    }
    let hash = hex::encode(digest(&SHA256, name.as_bytes()));
    let kept: String = plain.chars().take(KEPT).collect();
    let digits: String = hash.chars().take(HASH_DIGITS).collect();
    let id = ToolId::parse(&format!("{kept}_{digits}")).ok()?;
    (!taken.contains_key(&id)).then_some(id)
}

fn facts(
    id: ToolId,
    name: &str,
    definition: &RawValue,
    effects: &Effects,
) -> Option<(ToolFacts, Known)> {
    let object = Object::read(definition, "a tool").ok()?;
    let hints = object.object("annotations").unwrap_or_default();
    let schema = object.get("inputSchema").map(ToOwned::to_owned);
    let empty = || RawValue::from_string(r#"{"type":"object"}"#.into()).ok();
    let schema = schema.or_else(empty)?;
    let mirrored = mirrored(&schema).or_else(|| {
        tracing::warn!(event = "tool_headers_invalid", tool = %id, "a tool asks for headers that cannot be sent");
        None
    })?;
    let effect = effect(name, &hints, effects);
    let read_only = effect == Effect::Read;
    let not_false = |hint| hints.get(hint).is_none_or(|value| value.get() != "false");
    let service = id.as_str().split('.').next().unwrap_or_default().to_owned();
    let own = format!("{service}.{name}");
    let mut aliases = vec![format!("{service}__{name}")];
    if own != id.as_str() {
        aliases.push(own);
    }
    let facts = ToolFacts {
        title: object
            .text("title")
            .or_else(|| hints.text("title"))
            .unwrap_or_else(|| name.to_owned()),
        description: object.text("description").unwrap_or_default(),
        input_schema: schema,
        output_schema: object.get("outputSchema").map(ToOwned::to_owned),
        effect,
        effect_per_call: false,
        idempotent: read_only || hints.is_true("idempotentHint"),
        long_running: true,
        destructive: !read_only && not_false("destructiveHint"),
        open_world: not_false("openWorldHint"),
        sensitive: false,
        live: true,
        aliases,
        wire: Some(WireTool {
            name: name.into(),
            definition: definition.to_owned(),
        }),
        id,
        digest: String::new(),
    };
    let known = Known {
        name: name.into(),
        mirrored,
    };
    Some((facts.digested(), known))
}

fn effect(name: &str, hints: &Object, effects: &Effects) -> Effect {
    let set = effects.by_tool.get(name).copied().or(effects.otherwise);
    set.unwrap_or_else(|| match hints.is_true("readOnlyHint") {
        true => Effect::Read,
        false => Effect::Mutate,
    })
}

/// The arguments a schema wants mirrored in headers; `None` when one cannot be.
fn mirrored(schema: &RawValue) -> Option<Vec<(String, Vec<String>)>> {
    let text = schema.get();
    if !text.contains("x-mcp-header") {
        return Some(Vec::new());
    }
    let schema: Value = serde_json::from_str(text).ok()?;
    let mut found = Vec::new();
    walk(&schema, &mut Vec::new(), &mut found)?;
    let annotations = text.matches("\"x-mcp-header\"").count();
    let mut names: Vec<_> = found
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    names.sort_unstable();
    names.dedup();
    // One that stands elsewhere than on a plain property is as wrong as one that stands twice.
    (names.len() == annotations && found.len() == annotations).then_some(found)
}

fn walk(
    schema: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<(String, Vec<String>)>,
) -> Option<()> {
    if path.len() > MAX_DEPTH {
        return None;
    }
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return Some(());
    };
    for (name, property) in properties {
        path.push(name.clone());
        if let Some(header) = property.get("x-mcp-header") {
            let header = header.as_str().filter(|it| is_token(it))?;
            let kind = property.get("type").and_then(Value::as_str);
            if !matches!(kind, Some("string" | "integer" | "boolean")) {
                return None;
            }
            found.push((header.to_owned(), path.clone()));
        }
        walk(property, path, found)?;
        path.pop();
    }
    Some(())
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The headers of one call: those of its arguments that are there.
pub(super) fn headers(
    known: &Known,
    arguments: &[u8],
) -> Result<Vec<(String, String)>, UpstreamError> {
    if known.mirrored.is_empty() {
        return Ok(Vec::new());
    }
    let arguments: Value = serde_json::from_slice(arguments)
        .map_err(|error| UpstreamError::Refused(format!("the arguments: {error}")))?;
    let value = |path: &[String]| {
        let mut at = &arguments;
        for name in path {
            at = at.get(name)?;
        }
        match at {
            Value::String(text) => Some(text.clone()),
            Value::Bool(_) | Value::Number(_) => Some(at.to_string()),
            _ => None,
        }
    };
    let found = known.mirrored.iter();
    Ok(found
        .filter_map(|(name, path)| Some((name.clone(), value(path)?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(definitions: &[&str]) -> Taken {
        let raw = |text: &&str| RawValue::from_string((*text).to_owned()).unwrap();
        let definitions: Vec<_> = definitions.iter().map(raw).collect();
        taken("srv", &definitions, &Effects::default())
    }

    fn ids(taken: &Taken) -> Vec<&str> {
        taken.facts.iter().map(|facts| facts.id.as_str()).collect()
    }

    #[test]
    fn names_become_ids_and_stay_apart() {
        let taken = all(&[
            r#"{"name":"get-sum"}"#,
            r#"{"name":"get_sum"}"#,
            r#"{"name":"admin.tools.list"}"#,
            r#"{"name":"ä/b"}"#,
            r#"{"title":"no name"}"#,
        ]);
        assert_eq!(
            ids(&taken),
            [
                "srv.__b",
                "srv.admin.tools.list",
                "srv.get_sum",
                "srv.get_sum_9096b3"
            ]
        );
        let dashed = taken
            .facts
            .iter()
            .find(|facts| facts.wire.as_ref().unwrap().name.as_ref() == "get-sum");
        assert_eq!(dashed.unwrap().aliases, ["srv__get-sum", "srv.get-sum"]);
    }

    #[test]
    fn effects_come_from_hints_and_settings() {
        let definitions = [
            r#"{"name":"a","annotations":{"readOnlyHint":true}}"#,
            r#"{"name":"b","annotations":{"destructiveHint":false}}"#,
            r#"{"name":"c"}"#,
        ];
        let taken = all(&definitions);
        let facts: Vec<_> = taken
            .facts
            .iter()
            .map(|it| (it.effect, it.destructive))
            .collect();
        assert_eq!(
            facts,
            [
                (Effect::Read, false),
                (Effect::Mutate, false),
                (Effect::Mutate, true)
            ]
        );
        let raw = RawValue::from_string(definitions[0].to_owned()).unwrap();
        let effects = Effects {
            by_tool: BTreeMap::from([("a".to_owned(), Effect::Critical)]),
            otherwise: None,
        };
        let set = super::taken("srv", &[raw], &effects);
        assert_eq!(set.facts[0].effect, Effect::Critical);
    }

    #[test]
    fn definitions_are_kept_byte_for_byte() {
        let odd = r#"{ "name":"a", "x-vendor":{"z":1.0,"a":9007199254740993123}, "inputSchema":{"type":"object","properties":{"z":{},"a":{}}}}"#;
        let taken = all(&[odd]);
        assert_eq!(taken.facts[0].wire.as_ref().unwrap().definition.get(), odd);
    }

    #[test]
    fn mirrored_arguments_are_found_and_bad_ones_refused() {
        let tool = |property: &str| {
            format!(
                r#"{{"name":"t","inputSchema":{{"type":"object","properties":{{"a":{property}}}}}}}"#
            )
        };
        let good = tool(
            r#"{"type":"object","properties":{"b":{"type":"integer","x-mcp-header":"Tenant"}}}"#,
        );
        let taken = all(&[&good]);
        let known = taken.known.values().next().unwrap();
        assert_eq!(
            headers(known, br#"{"a":{"b":7}}"#).unwrap(),
            [("Tenant".to_owned(), "7".to_owned())]
        );
        assert!(headers(known, b"{}").unwrap().is_empty());
        for bad in [
            r#"{"type":"number","x-mcp-header":"A"}"#,
            r#"{"type":"string","x-mcp-header":"a b"}"#,
            r#"{"type":"array","items":{"type":"string","x-mcp-header":"A"}}"#,
        ] {
            assert!(all(&[&tool(bad)]).facts.is_empty(), "{bad}");
        }
    }
}
