//! The tools of a running spoke: sorted, compiled, found by any of their names.

use crate::arguments::{ArgumentSchema, SchemaError, canonical};
use crate::id::ToolId;
use crate::tool::{Effect, Tool, ToolDefinition, distinct_alias, wire_alias};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// All tools. Does not change while the process lives.
#[derive(Debug)]
pub(super) struct Catalogue {
    /// Sorted by id.
    entries: Vec<Arc<Entry>>,
    /// Canonical ids, wire aliases and the authors' other ids.
    names: HashMap<String, Arc<Entry>>,
    /// SHA-256 (hex) over all definitions.
    pub(super) digest: String,
}

/// One tool, ready to be called.
pub(super) struct Entry {
    pub(super) tool: Arc<dyn Tool>,
    pub(super) input_schema: ArgumentSchema,
    pub(super) output_schema: ArgumentSchema,
    pub(super) alias: String,
    /// SHA-256 (hex) of the definition.
    pub(super) digest: String,
}

impl Entry {
    pub(super) fn definition(&self) -> &ToolDefinition {
        self.tool.definition()
    }

    pub(super) fn id(&self) -> &ToolId {
        &self.definition().id
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(self.id()).finish()
    }
}

/// A set of tools that cannot be served: a mistake in the spoke's code.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Two tools go by one name.
    #[error("two tools are called {0}")]
    Twice(String),
    /// A tool outside the namespaces the service answers for.
    #[error("{0} is in none of the service's namespaces")]
    Foreign(ToolId),
    /// A schema that cannot be compiled.
    #[error("a schema of {0} cannot be used")]
    Schema(ToolId, #[source] SchemaError),
    /// The canary is missing, changes something or needs arguments.
    #[error("the canary {0} must be a read without required parameters")]
    Canary(&'static str),
}

impl Catalogue {
    pub(super) fn new(
        mut tools: Vec<Arc<dyn Tool>>,
        namespaces: &[&str],
    ) -> Result<Self, CatalogueError> {
        tools.sort_by(|a, b| a.definition().id.cmp(&b.definition().id));
        let mut catalogue = Self {
            entries: Vec::with_capacity(tools.len()),
            names: HashMap::new(),
            digest: String::new(),
        };
        for tool in tools {
            let id = tool.definition().id.clone();
            if !namespaces.iter().any(|namespace| is_within(&id, namespace)) {
                return Err(CatalogueError::Foreign(id));
            }
            let alias = match wire_alias(&id) {
                taken if catalogue.names.contains_key(&taken) => distinct_alias(&id),
                free => free,
            };
            catalogue.add(Arc::new(entry(tool, alias)?))?;
        }
        let lines: Vec<String> = catalogue
            .entries
            .iter()
            .map(|entry| format!("{} {}\n", entry.id(), entry.digest))
            .collect();
        catalogue.digest = hex::encode(digest(&SHA256, lines.concat().as_bytes()));
        Ok(catalogue)
    }

    fn add(&mut self, entry: Arc<Entry>) -> Result<(), CatalogueError> {
        let definition = entry.definition();
        let other = definition
            .spec
            .aliases
            .iter()
            .map(|alias| (*alias).to_owned());
        let mut names: Vec<String> = other.collect();
        names.extend([definition.id.to_string(), entry.alias.clone()]);
        names.sort();
        names.dedup();
        for name in names {
            if self
                .names
                .insert(name.clone(), Arc::clone(&entry))
                .is_some()
            {
                return Err(CatalogueError::Twice(name));
            }
        }
        self.entries.push(entry);
        Ok(())
    }

    /// The tool of this canonical id, wire alias or other id.
    pub(super) fn find(&self, name: &str) -> Option<&Arc<Entry>> {
        self.names.get(name)
    }

    /// Every tool, sorted by id.
    pub(super) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// Holds the service's canary against its rule.
    pub(super) fn check_canary(&self, canary: &'static str) -> Result<(), CatalogueError> {
        let fits = self.find(canary).is_some_and(|entry| {
            let mut none = json!({});
            entry.input_schema.fill_defaults(&mut none);
            entry.definition().spec.effect == Effect::Read
                && entry.input_schema.check(&none).is_ok()
        });
        fits.then_some(()).ok_or(CatalogueError::Canary(canary))
    }
}

fn is_within(id: &ToolId, namespace: &str) -> bool {
    id.as_str()
        .strip_prefix(namespace)
        .is_some_and(|rest| rest.starts_with('.'))
}

fn entry(tool: Arc<dyn Tool>, alias: String) -> Result<Entry, CatalogueError> {
    let definition = tool.definition();
    let compile = |schema: &serde_json::Value| {
        ArgumentSchema::compile(schema.clone())
            .map_err(|source| CatalogueError::Schema(definition.id.clone(), source))
    };
    Ok(Entry {
        input_schema: compile(&definition.input_schema)?,
        output_schema: compile(&definition.output_schema)?,
        digest: definition_digest(definition),
        alias,
        tool: Arc::clone(&tool),
    })
}

/// SHA-256 (hex) over the canonical JSON of everything a caller may rely on.
fn definition_digest(definition: &ToolDefinition) -> String {
    let spec = &definition.spec;
    let document = json!({
        "id": definition.id.as_str(),
        "title": definition.title(),
        "description": spec.description,
        "input_schema": definition.input_schema,
        "output_schema": definition.output_schema,
        "effect": spec.effect.as_str(),
        "effect_per_call": spec.effect_per_call,
        "idempotent": spec.idempotent,
        "long_running": spec.long_running,
        "destructive": spec.destructive,
        "open_world": spec.open_world,
        "sensitive": spec.sensitive,
        "live": spec.live,
        "aliases": spec.aliases,
    });
    hex::encode(digest(&SHA256, &canonical(&document)))
}
