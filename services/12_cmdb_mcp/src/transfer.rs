//! Many servers at once: into the local CMDB from CSV text, and out of it.

use crate::inventory::{Inventory, Problem};
use crate::lookup::MAX_ROWS;
use crate::server::{Column, Server, text_fault};
use crate::sheet::Sheet;
use crate::store::{Cmdb, Store, Touched};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Longest text of one answer, in bytes.
const MAX_TEXT: usize = 1024 * 1024;

/// `cmdb.local.importCsv`.
pub(crate) struct ImportCsv(pub(crate) Arc<Store>);

/// Arguments of `cmdb.local.importCsv`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportArguments {
    /// CSV with a header of at least hostname and `ip_address`; of the other columns only those of
    /// the CMDB are taken.
    #[schemars(length(min = 1, max = 5_000_000))]
    content: String,
    /// What becomes of servers that are known already.
    #[serde(default)]
    mode: Mode,
}

/// What becomes of servers that are known already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// They get the texts of the import; columns that are empty there stay as they are.
    #[default]
    Upsert,
    /// They stay as they are.
    Add,
}

/// Result of `cmdb.local.importCsv`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Imported {
    #[serde(flatten)]
    tally: Tally,
    /// What is wrong with the rejected rows, by row of the import, at most 1000.
    errors: Vec<Problem>,
    /// Number of errors listed.
    count: usize,
    /// Whether there are more.
    truncated: bool,
    /// Copy of the file as it was; null when there was none, or nothing had to be written.
    backup_path: Option<String>,
}

/// What an import does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Tally {
    /// Servers that are new.
    created: usize,
    /// Servers that are changed.
    updated: usize,
    /// Servers that stay as they are.
    unchanged: usize,
    /// Rows that cannot be used.
    rejected: usize,
}

#[async_trait]
impl TypedTool for ImportCsv {
    type Arguments = ImportArguments;
    type Output = Imported;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.importCsv",
            Effect::Mutate,
            "Take servers from CSV text into the local CMDB. Rows that cannot be used are listed \
             by number and left out, the others are taken. Needs approval.",
        )
        .idempotent()
    }

    async fn assess(&self, arguments: &ImportArguments, _: &Call) -> Result<Assessment, ToolError> {
        let import = Import::read(&arguments.content)?;
        let mut cmdb = (*self.0.get().await?).clone();
        let tally = import.apply(&mut cmdb, arguments.mode);
        let summary = format!(
            "Import servers into the local CMDB\nnew: {}\nchanged: {}\nunchanged: {}\nrejected rows: {}",
            tally.created, tally.updated, tally.unchanged, tally.rejected
        );
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: ImportArguments, _: &Call) -> Result<Imported, ToolError> {
        let import = Import::read(&arguments.content)?;
        let mode = arguments.mode;
        let edit = move |cmdb: &mut Cmdb| {
            let tally = import.apply(cmdb, mode);
            let touched = match tally.created + tally.updated {
                0 => Touched::Nothing,
                _ => Touched::Servers,
            };
            Ok(((tally, import.problems), touched))
        };
        let changed = self.0.change(edit).await?;
        let (tally, mut errors) = changed.value;
        let truncated = errors.len() > MAX_ROWS;
        errors.truncate(MAX_ROWS);
        Ok(Imported {
            tally,
            count: errors.len(),
            errors,
            truncated,
            backup_path: changed.backup_path,
        })
    }
}

/// The rows of an import, held against the rules.
struct Import {
    servers: Vec<Server>,
    problems: Vec<Problem>,
    rejected: usize,
}

impl Import {
    fn read(content: &str) -> Result<Self, ToolError> {
        let inventory = Inventory::parse(content.as_bytes());
        let inventory = inventory.map_err(|error| ToolError::invalid("content", error))?;
        let mut import = Self {
            servers: Vec::with_capacity(inventory.len()),
            problems: inventory.problems().to_vec(),
            rejected: inventory.rejected(),
        };
        for (row, server) in inventory.numbered() {
            let fault = Column::ALL
                .into_iter()
                .find_map(|column| Some((column, text_fault(column, server.get(column))?)));
            match fault {
                None => import.servers.push(server.clone()),
                Some((column, rule)) => {
                    import.rejected += 1;
                    import.problems.push(Problem {
                        row,
                        field: column.name().to_owned(),
                        message: rule.to_owned(),
                    });
                }
            }
        }
        import.problems.sort_by_key(|problem| problem.row);
        Ok(import)
    }

    fn apply(&self, cmdb: &mut Cmdb, mode: Mode) -> Tally {
        let mut tally = Tally {
            rejected: self.rejected,
            ..Tally::default()
        };
        for server in &self.servers {
            let Some(known) = cmdb.inventory.find(&server.hostname) else {
                tally.created += 1;
                cmdb.inventory.put(&server.hostname, server);
                continue;
            };
            let mut merged = known.clone();
            let texts = Column::ALL.map(|column| (column, server.get(column)));
            for (column, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
                merged.set(column, text);
            }
            merged.hostname.clone_from(&known.hostname);
            if mode == Mode::Add || merged == *known {
                tally.unchanged += 1;
            } else {
                tally.updated += 1;
                cmdb.inventory.put(&server.hostname, &merged);
            }
        }
        tally
    }
}

/// `cmdb.local.exportCsv`.
pub(crate) struct ExportCsv(pub(crate) Arc<Store>);

/// Arguments of `cmdb.local.exportCsv`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportArguments {
    /// Columns of the text; empty means all.
    #[serde(default)]
    #[schemars(length(max = 8))]
    columns: Vec<Column>,
}

/// Result of `cmdb.local.exportCsv`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Exported {
    /// CSV with a header; ends with a whole row.
    content: String,
    /// Number of servers in it.
    count: usize,
    /// Whether servers were left out because the text would be larger than 1 MiB.
    truncated: bool,
}

#[async_trait]
impl TypedTool for ExportCsv {
    type Arguments = ExportArguments;
    type Output = Exported;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.exportCsv",
            Effect::Read,
            "Give the usable servers of the local CMDB as CSV text, in the order of the file. \
             Texts are given as they are: a spreadsheet may take one that begins with = for a \
             formula.",
        )
        .live()
    }

    async fn run(&self, arguments: ExportArguments, _: &Call) -> Result<Exported, ToolError> {
        let cmdb = self.0.get().await?;
        let mut columns = arguments.columns;
        if columns.is_empty() {
            columns = Column::ALL.to_vec();
        }
        let mut sheet = Sheet::new(columns.iter().map(|column| column.name()));
        let mut size = 1024;
        for server in cmdb.inventory.servers() {
            // Quotes may double, and each field takes two more and a comma.
            let longest = |column: &Column| 2 * server.get(*column).len() + 3;
            size += columns.iter().map(longest).sum::<usize>();
            if size > MAX_TEXT {
                break;
            }
            let fields = columns
                .iter()
                .map(|column| (column.name(), server.get(*column)));
            sheet.add(&fields.collect::<Vec<_>>());
        }
        let count = sheet.len();
        let content = sheet.to_bytes().map_err(broken)?;
        Ok(Exported {
            content: String::from_utf8(content).map_err(broken)?,
            count,
            truncated: count < cmdb.inventory.len(),
        })
    }
}

fn broken(error: impl std::error::Error) -> ToolError {
    tracing::error!(event = "export_failed", %error, "servers could not be written as CSV");
    ToolError::new(
        Code::InternalError,
        "the servers could not be written as CSV",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;
    use crate::testing::{run, summary};
    use serde_json::json;

    const TEXT: &str = "hostname,ip_address,os_type\nweb1,10.0.0.1,linux\n";
    const IMPORT: &str = "hostname,ip_address,os_type,extra\n\
                          WEB1,10.0.0.7,,x\n\
                          web2,nowhere,linux,x\n\
                          web3,::3,\"a \"\"b\"\", c\",x\n\
                          web3,::4,,x\n";

    /// Acceptance: 55
    #[tokio::test]
    async fn good_rows_are_taken_and_bad_ones_named() {
        let (store, dir) = store(Some(TEXT));
        let tool = ImportCsv(Arc::clone(&store));
        let arguments = json!({"content": IMPORT});
        assert_eq!(
            summary(&tool, arguments.clone()).await.unwrap(),
            "Import servers into the local CMDB\nnew: 1\nchanged: 1\nunchanged: 0\nrejected rows: 2"
        );
        let first = run(&tool, arguments.clone()).await.unwrap();
        assert_eq!(
            (&first["created"], &first["updated"]),
            (&json!(1), &json!(1))
        );
        let rows: Vec<&serde_json::Value> = first["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| &e["row"])
            .collect();
        assert_eq!(rows, [3, 5]);
        let text = std::fs::read_to_string(dir.path().join("cmdb.csv")).unwrap();
        assert_eq!(
            text,
            "hostname,ip_address,os_type\nweb1,10.0.0.7,linux\nweb3,::3,\"a \"\"b\"\", c\"\n"
        );
        let second = run(&tool, arguments).await.unwrap();
        assert_eq!(
            (&second["unchanged"], &second["backup_path"]),
            (&json!(2), &json!(null))
        );
    }

    #[tokio::test]
    async fn known_servers_stay_when_only_adding() {
        let (store, _dir) = store(Some(TEXT));
        let arguments = json!({"content": IMPORT, "mode": "add"});
        let done = run(&ImportCsv(Arc::clone(&store)), arguments)
            .await
            .unwrap();
        assert_eq!((&done["created"], &done["updated"]), (&json!(1), &json!(0)));
        let cmdb = store.load().unwrap();
        assert_eq!(cmdb.inventory.find("web1").unwrap().ip_address, "10.0.0.1");
    }

    #[tokio::test]
    async fn text_that_is_no_cmdb_is_refused_by_field() {
        let (store, _dir) = store(Some(TEXT));
        let error = run(&ImportCsv(store), json!({"content": "name\nx\n"}))
            .await
            .unwrap_err();
        assert_eq!(error.message, "content: the header has no column hostname");
    }

    #[tokio::test]
    async fn what_is_exported_can_be_imported() {
        let (store, _dir) = store(Some(IMPORT));
        let exported = run(&ExportCsv(store), json!({"columns": []}))
            .await
            .unwrap_or_default();
        let content = exported["content"].as_str().unwrap();
        let again = Inventory::parse(content.as_bytes()).unwrap();
        assert_eq!((again.len(), again.rejected()), (2, 0));
        assert_eq!(again.find("web3").unwrap().os_type, "a \"b\", c");
        assert_eq!(exported["count"], 2);
    }
}
