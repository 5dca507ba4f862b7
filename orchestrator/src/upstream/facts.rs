//! What the hub knows of a tool, made from what the tool says of itself.
//!
//! The digest is the hub's own: an upstream that could name its digest could change a definition
//! behind a pin.

use super::ToolFacts;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use shared::tool::ToolDefinition;

impl ToolFacts {
    /// The definition as one JSON document, in a form that is equal for equal definitions. It is what
    /// is pinned and what an operator compares.
    #[must_use]
    pub fn definition(&self) -> String {
        let document = json!({
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
        String::from_utf8_lossy(&shared::arguments::canonical(&document)).into_owned()
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
            digest: String::new(),
        };
        facts.digested()
    }
}
