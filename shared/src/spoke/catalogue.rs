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
    /// Parameters that take secret references: their schema says `writeOnly`.
    pub(super) secret_fields: Vec<String>,
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
        secret_fields: secret_fields(&definition.input_schema),
        tool: Arc::clone(&tool),
    })
}

fn secret_fields(schema: &serde_json::Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(|it| it.as_object());
    let marked = properties
        .into_iter()
        .flatten()
        .filter(|(_, property)| property.get("writeOnly") == Some(&json!(true)));
    marked.map(|(name, _)| name.clone()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{Script, TEST_SERVICE};

    fn named(ids: &[&'static str]) -> Result<Catalogue, String> {
        let tools = ids.iter().map(|id| Script::read_named(id)).collect();
        Catalogue::new(tools, TEST_SERVICE.namespaces).map_err(|error| error.to_string())
    }

    #[test]
    fn mistakes_in_the_set_of_tools_are_found_at_start() {
        assert!(named(&["test.a", "test.b"]).is_ok());
        assert_eq!(
            named(&["test.a", "test.a"]).unwrap_err(),
            "two tools are called test.a"
        );
        let foreign = named(&["tester.a"]).unwrap_err();
        assert!(
            foreign.contains("none of the service's namespaces"),
            "{foreign}"
        );
        let catalogue = Catalogue::new(Script::new().tools(), &["test"]).unwrap();
        assert!(catalogue.check_canary("test.echo").is_ok());
        for canary in ["test.add", "test.nothing"] {
            assert!(catalogue.check_canary(canary).is_err(), "{canary}");
        }
    }

    #[test]
    fn of_two_tools_with_one_alias_the_second_gets_a_hash() {
        let catalogue = named(&["test.a.b", "test.a_b"]).unwrap();
        let aliases: Vec<&str> = catalogue
            .entries()
            .iter()
            .map(|e| e.alias.as_str())
            .collect();
        assert_eq!(aliases[0], "test_a_b");
        assert!(aliases[1].starts_with("test_a_b_"), "{aliases:?}");
        assert_eq!(
            catalogue.find(aliases[1]).unwrap().id().as_str(),
            "test.a_b"
        );
    }

    #[test]
    fn equal_tools_have_equal_digests_in_any_order() {
        let one = named(&["test.a", "test.b"]).unwrap();
        let two = named(&["test.b", "test.a"]).unwrap();
        assert_eq!(one.digest, two.digest);
        assert_ne!(one.digest, named(&["test.a", "test.c"]).unwrap().digest);
    }
}
