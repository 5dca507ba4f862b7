//! What the hub knows of a tool, made from what the tool says of itself.
//!
//! The digest is the hub's own: an upstream that could name its digest could change a definition
//! behind a pin.

use super::{ToolFacts, WireTool};
use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use shared::id::ToolId;
use shared::tool::{Effect, ToolDefinition};

impl ToolFacts {
    /// The definition as one JSON document, in a form that is equal for equal definitions. It is what
    /// is pinned and what an operator compares.
    #[must_use]
    pub fn definition(&self) -> String {
        let mut document = json!({
            "id": self.id.as_str(),
            "title": self.title,
            "description": self.description,
            "input_schema": self.input_schema.get(),
            "output_schema": self.output_schema.as_ref().map(|schema| schema.get()),
            "effect": self.effect.as_str(),
            "effect_per_call": self.effect_per_call,
            "idempotent": self.idempotent,
            "long_running": self.long_running,
            "destructive": self.destructive,
            "open_world": self.open_world,
            "sensitive": self.sensitive,
            "live": self.live,
            "aliases": self.aliases,
        });
        if let Some(wire) = &self.wire {
            let written = json!({"name": wire.name, "definition": wire.definition.get()});
            if let serde_json::Value::Object(members) = &mut document {
                members.insert("wire".into(), written);
            }
        }
        String::from_utf8_lossy(&shared::arguments::canonical(&document)).into_owned()
    }

    /// Reads a definition back; `None` when it is not one of this version.
    #[must_use]
    pub fn from_definition(definition: &str) -> Option<Self> {
        let document: Definition = serde_json::from_str(definition).ok()?;
        let facts = Self {
            id: ToolId::parse(&document.id).ok()?,
            title: document.title,
            description: document.description,
            input_schema: RawValue::from_string(document.input_schema).ok()?,
            output_schema: match document.output_schema {
                None => None,
                Some(schema) => Some(RawValue::from_string(schema).ok()?),
            },
            effect: Effect::parse(&document.effect)?,
            effect_per_call: document.effect_per_call,
            idempotent: document.idempotent,
            long_running: document.long_running,
            destructive: document.destructive,
            open_world: document.open_world,
            sensitive: document.sensitive,
            live: document.live,
            aliases: document.aliases,
            wire: match document.wire {
                None => None,
                Some(wire) => Some(WireTool {
                    name: wire.name.into(),
                    definition: RawValue::from_string(wire.definition).ok()?,
                }),
            },
            digest: String::new(),
        };
        Some(facts.digested())
    }

    /// Sets the digest to that of the definition.
    #[must_use]
    pub fn digested(mut self) -> Self {
        self.digest = hex::encode(digest(&SHA256, self.definition().as_bytes()));
        self
    }

    /// The facts of a tool of this process.
    ///
    /// # Panics
    /// Never: a schema that is a JSON value can be written as JSON.
    #[must_use]
    pub fn of(definition: &ToolDefinition) -> Self {
        let schema = |value: &serde_json::Value| -> Box<RawValue> {
            to_raw_value(value).expect("a JSON value can be written")
        };
        let spec = &definition.spec;
        let facts = Self {
            id: definition.id.clone(),
            title: definition.title(),
            description: spec.description.to_owned(),
            input_schema: schema(&definition.input_schema),
            output_schema: Some(schema(&definition.output_schema)),
            effect: spec.effect,
            effect_per_call: spec.effect_per_call,
            idempotent: spec.idempotent,
            long_running: spec.long_running,
            destructive: spec.destructive,
            open_world: spec.open_world,
            sensitive: spec.sensitive,
            live: spec.live,
            aliases: spec.aliases.iter().map(|&alias| alias.to_owned()).collect(),
            wire: None,
            digest: String::new(),
        };
        facts.digested()
    }
}

/// The document of [`ToolFacts::definition`]. Schemas are text in it, so that they stay as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of the catalogue, not states"
)]
struct Definition {
    id: String,
    title: String,
    description: String,
    input_schema: String,
    output_schema: Option<String>,
    effect: String,
    effect_per_call: bool,
    idempotent: bool,
    long_running: bool,
    destructive: bool,
    open_world: bool,
    sensitive: bool,
    live: bool,
    aliases: Vec<String>,
    #[serde(default)]
    wire: Option<Wire>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    name: String,
    definition: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_read_back_as_it_was() {
        let facts = ToolFacts {
            id: ToolId::parse("a.b").unwrap(),
            title: "B".into(),
            description: "Do b.".into(),
            input_schema: RawValue::from_string(r#"{ "type":"object" }"#.into()).unwrap(),
            output_schema: None,
            effect: Effect::Mutate,
            effect_per_call: true,
            idempotent: false,
            long_running: true,
            destructive: false,
            open_world: true,
            sensitive: false,
            live: true,
            aliases: vec!["a.c".into()],
            wire: Some(WireTool {
                name: "b".into(),
                definition: RawValue::from_string(r#"{ "name":"b", "x":1.0}"#.into()).unwrap(),
            }),
            digest: String::new(),
        }
        .digested();
        let back = ToolFacts::from_definition(&facts.definition()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{facts:?}"));
        assert!(ToolFacts::from_definition("{}").is_none());
    }
}
