//! Reads a document: text to [`Definition`], or everything that is wrong with it.
//!
//! The rules are those of the standard's text, stricter where the standard leaves a mistake unseen:
//! a key nobody reads is a complaint everywhere but under `metadata`, `tags` and in events.

mod authentication;
mod calls;
mod data;
mod events;
mod failure;
mod fields;
mod flow;
mod hub;
mod process;
mod schedule;
mod task;
mod tools;
mod uses;

use super::model::{Definition, Document, Mode};
use super::{Catalogue, Complaint, text};
use crate::expression::Expressions;
use fields::{Fields, Node, Reader};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Definition {
    /// Reads a document in YAML or JSON.
    ///
    /// # Errors
    /// Everything that is wrong with it, at most 100 complaints, in the order of the text.
    pub fn read(text: &str, catalogue: &dyn Catalogue) -> Result<Self, Vec<Complaint>> {
        let expressions = Expressions::default();
        Self::read_with(text, catalogue, &expressions)
    }

    /// The same with expressions compiled where they are kept for runs.
    ///
    /// # Errors
    /// As [`Definition::read`].
    pub fn read_with(
        text: &str,
        catalogue: &dyn Catalogue,
        expressions: &Expressions,
    ) -> Result<Self, Vec<Complaint>> {
        let (json, places) = text::read(text).map_err(|complaint| vec![complaint])?;
        let mut reader = Reader {
            catalogue,
            expressions,
            places: &places,
            complaints: Vec::new(),
            locals: Vec::new(),
            named: uses::Named::default(),
            tools: BTreeMap::new(),
            tasks: 0,
        };
        let json = Arc::new(json);
        let definition = reader.definition(text, &json);
        let mut complaints = reader.complaints;
        complaints.sort_by_key(|it| it.line);
        complaints.dedup();
        match definition {
            Some(definition) if complaints.is_empty() => Ok(definition),
            _ => Err(complaints),
        }
    }
}

/// `sha256:` and 64 hex digits over the canonical JSON of a value.
pub(crate) fn digest(value: &Value) -> String {
    // Canonical JSON exists for every value: its keys are texts and its numbers finite.
    let canonical = serde_json_canonicalizer::to_vec(value).unwrap_or_default();
    let hash = Sha256::digest(canonical);
    hash.iter()
        .fold("sha256:".to_owned(), |all, byte| format!("{all}{byte:02x}"))
}

impl Reader<'_> {
    fn definition(&mut self, source: &str, json: &Arc<Value>) -> Option<Definition> {
        const KNOWN: &[&str] = &[
            "document", "input", "use", "do", "timeout", "output", "schedule", "evaluate",
        ];
        let root = Node {
            value: json,
            pointer: String::new(),
        };
        let fields = self.fields(&root, KNOWN)?;
        let document = self.need(&fields, "document");
        let header = document.as_ref().and_then(|it| self.document(it));
        let metadata = document.as_ref().and_then(|it| metadata_of(it));
        let uses = fields
            .get("use")
            .and_then(|it| self.uses(&it))
            .unwrap_or_default();
        let hub = self.workflow_hub(metadata.as_ref()).unwrap_or_default();
        let mode = fields.get("evaluate").and_then(|it| self.evaluate(&it));
        let tasks = self.need(&fields, "do").and_then(|it| self.filled(&it));
        let input = self.validated(fields.get("input").as_ref(), "from");
        let output = self.validated(fields.get("output").as_ref(), "as");
        let timeout = fields.get("timeout").and_then(|it| self.timeout(&it));
        let schedule = fields
            .get("schedule")
            .and_then(|it| self.schedule(&it, metadata.as_ref()));
        self.recursion(&uses.functions);
        Some(Definition {
            source: source.to_owned(),
            digest: digest(json),
            json: Arc::clone(json),
            document: header?,
            mode: mode.unwrap_or_default(),
            input,
            output,
            timeout,
            schedule,
            uses,
            tasks: tasks?,
            hub,
            tools: std::mem::take(&mut self.tools),
        })
    }

    fn document(&mut self, node: &Node<'_>) -> Option<Document> {
        const KNOWN: &[&str] = &[
            "dsl",
            "namespace",
            "name",
            "version",
            "title",
            "summary",
            "tags",
            "metadata",
        ];
        let fields = self.fields(node, KNOWN)?;
        let dsl = self.version(&fields, "dsl");
        if let Some(dsl) = &dsl
            && !dsl.starts_with("1.0.")
        {
            let message = format!("version {dsl} of the language is not known; write 1.0.3");
            self.complain(
                "unsupported_dsl",
                &format!("{}/dsl", fields.pointer),
                message,
            );
        }
        let namespace = self.label(&fields, "namespace");
        let name = self.label(&fields, "name");
        let version = self.version(&fields, "version");
        let tags = fields.get("tags").and_then(|it| self.object(&it));
        if let Some(metadata) = fields.get("metadata") {
            self.object(&metadata);
        }
        Some(Document {
            title: self.owned(fields.get("title").as_ref()),
            summary: self.owned(fields.get("summary").as_ref()),
            tags: tags.map_or_else(Map::new, |it| it.map.clone()),
            dsl: dsl?,
            namespace: namespace?,
            name: name?,
            version: version?,
        })
    }

    /// A DNS label.
    fn label(&mut self, fields: &Fields<'_>, name: &str) -> Option<String> {
        let node = self.need(fields, name)?;
        let text = self.text(&node)?;
        let letter = |it: char| it.is_ascii_alphanumeric();
        let fits = (1..=63).contains(&text.len())
            && text.chars().all(|it| letter(it) || it == '-')
            && text.starts_with(letter)
            && text.ends_with(letter);
        if !fits {
            let message = format!("{text:?} is no name: letters, digits and - inside, at most 63");
            self.complain("bad_name", &node.pointer, message);
            return None;
        }
        Some(text.to_owned())
    }

    /// A semantic version.
    fn version(&mut self, fields: &Fields<'_>, name: &str) -> Option<String> {
        let node = self.need(fields, name)?;
        let text = self.text(&node)?;
        if !semantic(text) {
            let message = format!("{text:?} is no version; write 1.0.0");
            self.complain("bad_version", &node.pointer, message);
            return None;
        }
        Some(text.to_owned())
    }

    fn evaluate(&mut self, node: &Node<'_>) -> Option<Mode> {
        let fields = self.fields(node, &["language", "mode"])?;
        if let Some(language) = fields.get("language") {
            self.word(&language, &[("jq", ())]);
        }
        let mode = fields.get("mode")?;
        self.word(&mode, &[("strict", Mode::Strict), ("loose", Mode::Loose)])
    }
}

fn metadata_of<'v>(document: &Node<'v>) -> Option<Node<'v>> {
    let value = document.value.get("metadata").filter(|it| it.is_object())?;
    Some(Node {
        value,
        pointer: format!("{}/metadata", document.pointer),
    })
}

/// Whether a text is a semantic version.
fn semantic(text: &str) -> bool {
    let (rest, build) = split(text, '+');
    let (core, pre) = split(rest, '-');
    let number = |it: &str| {
        let digits = !it.is_empty() && it.chars().all(|it| it.is_ascii_digit());
        digits && (it == "0" || !it.starts_with('0'))
    };
    let word =
        |it: &str| !it.is_empty() && it.chars().all(|it| it.is_ascii_alphanumeric() || it == '-');
    let numeric = |it: &str| it.chars().all(|it| it.is_ascii_digit());
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.is_none_or(|it| {
            it.split('.')
                .all(|it| word(it) && (!numeric(it) || number(it)))
        })
        && build.is_none_or(|it| it.split('.').all(word))
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(left, right)| (left, Some(right)))
}

#[cfg(test)]
mod tests;
