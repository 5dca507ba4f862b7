//! Reading and changing relations between servers of the local CMDB.

use crate::inventory::Problem;
use crate::lookup::MAX_ROWS;
use crate::relations::Relation;
use crate::server::key;
use crate::store::{Cmdb, Store, Touched};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `cmdb.local.listRelations`.
pub(crate) struct ListRelations(pub(crate) Arc<Store>);

/// Arguments of `cmdb.local.listRelations`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListArguments {
    /// Only relations of this server, in either direction; all when left out.
    #[serde(default)]
    #[schemars(length(min = 1, max = 253))]
    hostname: Option<String>,
}

/// Result of `cmdb.local.listRelations`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listed {
    /// In the order of the file, at most 1000.
    relations: Vec<Relation>,
    /// Number of relations listed.
    count: usize,
    /// Whether there are more.
    truncated: bool,
    /// What is wrong with other rows of the file of relations, at most 1000.
    errors: Vec<Problem>,
}

#[async_trait]
impl TypedTool for ListRelations {
    type Arguments = ListArguments;
    type Output = Listed;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.listRelations",
            Effect::Read,
            "List how servers of the local CMDB stand to each other, such as web1 depends_on db1; \
             of one server or of all.",
        )
        .live()
    }

    async fn run(&self, arguments: ListArguments, _: &Call) -> Result<Listed, ToolError> {
        let cmdb = self.0.get().await?;
        let of = arguments.hostname;
        let wanted = |relation: &&Relation| of.as_ref().is_none_or(|name| relation.involves(name));
        let found = cmdb.relations.iter().filter(wanted);
        let mut relations: Vec<Relation> = found.take(MAX_ROWS + 1).cloned().collect();
        let truncated = relations.len() > MAX_ROWS;
        relations.truncate(MAX_ROWS);
        Ok(Listed {
            count: relations.len(),
            relations,
            truncated,
            errors: cmdb
                .relations
                .problems()
                .iter()
                .take(MAX_ROWS)
                .cloned()
                .collect(),
        })
    }
}

/// `cmdb.local.addRelation`.
pub(crate) struct AddRelation(pub(crate) Arc<Store>);

/// Result of `cmdb.local.addRelation`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Added {
    /// The relation, names as the servers have them.
    relation: Relation,
    /// Whether it is new.
    added: bool,
    /// Copy of the file of relations as it was; null when there was none, or nothing was written.
    backup_path: Option<String>,
}

#[async_trait]
impl TypedTool for AddRelation {
    type Arguments = Relation;
    type Output = Added;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.addRelation",
            Effect::Mutate,
            "Note how a server of the local CMDB stands to another one. Both must be known. Needs \
             approval.",
        )
        .idempotent()
    }

    async fn assess(&self, arguments: &Relation, _: &Call) -> Result<Assessment, ToolError> {
        let relation = between_known(&*self.0.get().await?, arguments)?;
        let summary = format!("Add to the local CMDB: {}", sentence(&relation));
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Relation, _: &Call) -> Result<Added, ToolError> {
        let edit = move |cmdb: &mut Cmdb| {
            let relation = between_known(cmdb, &arguments)?;
            let added = cmdb.relations.add(&relation);
            Ok(((relation, added), touched(added)))
        };
        let changed = self.0.change(edit).await?;
        let (relation, added) = changed.value;
        Ok(Added {
            relation,
            added,
            backup_path: changed.relations_backup_path,
        })
    }
}

/// `cmdb.local.removeRelation`.
pub(crate) struct RemoveRelation(pub(crate) Arc<Store>);

/// Result of `cmdb.local.removeRelation`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Removed {
    /// Whether there was such a relation.
    removed: bool,
    /// Copy of the file of relations as it was; null when nothing was written.
    backup_path: Option<String>,
}

#[async_trait]
impl TypedTool for RemoveRelation {
    type Arguments = Relation;
    type Output = Removed;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.removeRelation",
            Effect::Mutate,
            "Remove a relation between two servers from the local CMDB. Needs approval.",
        )
        .idempotent()
        .destructive()
    }

    async fn assess(&self, arguments: &Relation, _: &Call) -> Result<Assessment, ToolError> {
        let summary = format!("Remove from the local CMDB: {}", sentence(arguments));
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Relation, _: &Call) -> Result<Removed, ToolError> {
        let edit = move |cmdb: &mut Cmdb| {
            let removed = cmdb.relations.remove(&arguments);
            Ok((removed, touched(removed)))
        };
        let changed = self.0.change(edit).await?;
        Ok(Removed {
            removed: changed.value,
            backup_path: changed.relations_backup_path,
        })
    }
}

/// The relation with the names as the servers have them.
fn between_known(cmdb: &Cmdb, relation: &Relation) -> Result<Relation, ToolError> {
    let known = |field: &str, hostname: &str| match cmdb.inventory.find(hostname) {
        Some(server) => Ok(server.hostname.clone()),
        None => Err(ToolError::invalid(
            field,
            "is not a server of the local CMDB",
        )),
    };
    if key(&relation.from) == key(&relation.to) {
        return Err(ToolError::invalid("to", "is the same server"));
    }
    Ok(Relation {
        from: known("from", &relation.from)?,
        relation: relation.relation,
        to: known("to", &relation.to)?,
    })
}

fn sentence(relation: &Relation) -> String {
    let word = relation.relation.word();
    format!("{:?} {word} {:?}", relation.from, relation.to)
}

const fn touched(changed: bool) -> Touched {
    match changed {
        true => Touched::Relations,
        false => Touched::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;
    use crate::testing::{run, summary};
    use serde_json::json;

    #[tokio::test]
    async fn relations_are_added_listed_and_removed() {
        let text = "hostname,ip_address\nweb1,10.0.0.1\ndb1,10.0.0.2\n";
        let (store, dir) = store(Some(text));
        let relation = json!({"from": "WEB1", "relation": "depends_on", "to": "db1"});
        let add = AddRelation(Arc::clone(&store));
        assert_eq!(
            summary(&add, relation.clone()).await.unwrap(),
            "Add to the local CMDB: \"web1\" depends_on \"db1\""
        );
        let first = run(&add, relation.clone()).await.unwrap();
        assert_eq!(
            (&first["added"], &first["relation"]["from"]),
            (&json!(true), &json!("web1"))
        );
        let again = run(&add, relation.clone()).await.unwrap();
        assert_eq!(
            (&again["added"], &again["backup_path"]),
            (&json!(false), &json!(null))
        );
        let list = ListRelations(Arc::clone(&store));
        for (hostname, count) in [("db1", 1), ("other", 0)] {
            let listed = run(&list, json!({"hostname": hostname})).await.unwrap();
            assert_eq!(listed["count"], count);
        }
        let gone = run(&RemoveRelation(store), relation).await.unwrap();
        assert_eq!(gone["removed"], true);
        let backup = gone["backup_path"].as_str().unwrap();
        assert!(backup.contains("cmdb_relations.csv.BAK_"), "{backup}");
        let servers = std::fs::read_to_string(dir.path().join("cmdb.csv")).unwrap();
        assert_eq!(servers, text);
    }

    #[tokio::test]
    async fn both_ends_must_be_known_and_different() {
        let (store, _dir) = store(Some("hostname,ip_address\na,10.0.0.1\n"));
        let tool = AddRelation(store);
        for (from, to, message) in [
            ("a", "b", "to: is not a server of the local CMDB"),
            ("b", "a", "from: is not a server of the local CMDB"),
            ("a", "A", "to: is the same server"),
        ] {
            let relation = json!({"from": from, "relation": "runs_on", "to": to});
            assert_eq!(run(&tool, relation).await.unwrap_err().message, message);
        }
    }
}
