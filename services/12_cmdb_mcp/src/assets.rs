//! One question to the local CMDB, to `ServiceNow` or to both.

mod filter;

use crate::server::{Column, Server};
use crate::servicenow::{Query, Record, ServiceNow, is_field};
use crate::store::Store;
use async_trait::async_trait;
use filter::Filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What `ServiceNow` is asked for when the caller names no fields.
const REMOTE_FIELDS: &[&str] = &[
    "hostname",
    "ip_address",
    "os_type",
    "os_version",
    "sys_id",
    "sys_class_name",
    "operational_status",
];

/// `cmdb.queryAssets`.
pub(crate) struct QueryAssets {
    pub(crate) store: Arc<Store>,
    pub(crate) remote: Arc<ServiceNow>,
    /// Table of `ServiceNow`.
    pub(crate) table: String,
}

/// Arguments of `cmdb.queryAssets`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssetArguments {
    /// All of them must hold, without regard to case. A plain value means op eq; in takes a list.
    #[serde(default)]
    #[schemars(schema_with = "filter::schema")]
    filters: BTreeMap<String, Value>,
    /// Columns of the answer; empty means the usual ones.
    #[serde(default)]
    #[schemars(length(max = 50))]
    fields: Vec<String>,
    /// Whom to ask.
    #[serde(default)]
    source: Source,
    /// Most assets of both sources together; the local ones come first.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

const fn default_limit() -> usize {
    50
}

/// Whom to ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// The local CMDB.
    #[default]
    Local,
    /// `ServiceNow`.
    ServiceNow,
    /// Both; one that cannot be asked does not keep the other from answering.
    All,
}

/// Result of `cmdb.queryAssets`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Assets {
    /// Each with its columns and `source`.
    assets: Vec<Record>,
    /// Number of assets.
    count: usize,
    /// How each source that was asked did, by name.
    sources: BTreeMap<&'static str, SourceReport>,
}

/// How a source did.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SourceReport {
    status: Status,
    /// Assets it gave.
    count: usize,
    /// What went wrong; null when nothing did.
    message: Option<String>,
}

/// How a source did, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It answered.
    Ok,
    /// The limit was reached before it was asked.
    Skipped,
    /// It could not be asked.
    Failed,
}

#[async_trait]
impl TypedTool for QueryAssets {
    type Arguments = AssetArguments;
    type Output = Assets;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.queryAssets",
            Effect::Read,
            "Find assets by several columns at once, in the local CMDB, in ServiceNow or in both. \
             Columns are those of the local CMDB; hostname, ip_address, os_type and os_version \
             are understood by both, with source servicenow its own field names may be used too.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: AssetArguments, _: &Call) -> Result<Assets, ToolError> {
        let filters = Filter::parse_all(&arguments.filters)?;
        if !(1..=1000).contains(&arguments.limit) {
            return Err(ToolError::invalid("limit", "is not between 1 and 1000"));
        }
        let local = arguments.source != Source::ServiceNow;
        let remote = arguments.source != Source::Local;
        // Both are judged before either is asked.
        let columns = match local {
            true => Some(local_columns(&filters, &arguments.fields, remote)?),
            false => None,
        };
        let query = match remote {
            true => Some(self.remote_query(&filters, &arguments.fields)?),
            false => None,
        };
        let mut answer = Answer::default();
        if let Some(columns) = columns {
            let found = self.ask_local(&filters, &columns, arguments.limit).await;
            answer.take("local", found);
        }
        if let Some(mut query) = query {
            query.limit = arguments.limit - answer.assets.len();
            match query.limit {
                0 => answer.skip("servicenow"),
                _ => answer.take("servicenow", self.ask_remote(&query).await),
            }
        }
        answer.finish()
    }
}

/// What the sources gave so far.
#[derive(Default)]
struct Answer {
    assets: Vec<Record>,
    sources: BTreeMap<&'static str, SourceReport>,
    /// The first failure, to be given when no source answered.
    failure: Option<ToolError>,
}

impl Answer {
    fn take(&mut self, source: &'static str, found: Result<Vec<Record>, ToolError>) {
        let (status, count, message) = match found {
            Ok(mut found) => {
                for asset in &mut found {
                    asset.insert("source".into(), json!(source));
                }
                let count = found.len();
                self.assets.append(&mut found);
                (Status::Ok, count, None)
            }
            Err(error) => {
                let message = error.message.clone();
                self.failure.get_or_insert(error);
                (Status::Failed, 0, Some(message))
            }
        };
        self.report(source, status, count, message);
    }

    fn skip(&mut self, source: &'static str) {
        let message = "the limit was reached before".to_owned();
        self.report(source, Status::Skipped, 0, Some(message));
    }

    fn report(
        &mut self,
        source: &'static str,
        status: Status,
        count: usize,
        message: Option<String>,
    ) {
        let report = SourceReport {
            status,
            count,
            message,
        };
        self.sources.insert(source, report);
    }

    fn finish(self) -> Result<Assets, ToolError> {
        let answered = self.sources.values().any(|s| s.status != Status::Failed);
        match self.failure {
            Some(failure) if !answered => Err(failure),
            _ => Ok(Assets {
                count: self.assets.len(),
                assets: self.assets,
                sources: self.sources,
            }),
        }
    }
}

impl QueryAssets {
    async fn ask_local(
        &self,
        filters: &[Filter],
        columns: &[Column],
        limit: usize,
    ) -> Result<Vec<Record>, ToolError> {
        let cmdb = self.store.get().await?;
        let holds = |server: &&Server| {
            filters
                .iter()
                .all(|filter| match Column::parse(&filter.column) {
                    Some(column) => filter.holds(server.get(column)),
                    None => false,
                })
        };
        let found = cmdb.inventory.servers().filter(holds).take(limit);
        let asset = |server: &Server| {
            let fields = columns.iter();
            let fields =
                fields.map(|column| (column.name().to_owned(), json!(server.get(*column))));
            fields.collect()
        };
        Ok(found.map(asset).collect())
    }

    async fn ask_remote(&self, query: &Query) -> Result<Vec<Record>, ToolError> {
        let mut found = self.remote.ready()?.records(query).await?;
        for record in &mut found {
            let fields = std::mem::take(record).into_iter();
            *record = fields
                .map(|(name, value)| (local_name(&name).to_owned(), value))
                .collect();
        }
        Ok(found)
    }

    fn remote_query(&self, filters: &[Filter], fields: &[String]) -> Result<Query, ToolError> {
        let mut conditions = Vec::with_capacity(filters.len());
        for filter in filters {
            let argument = format!("filters.{}", filter.column);
            let Some(field) = remote_name(&filter.column) else {
                return Err(ToolError::invalid(
                    &argument,
                    "is not a column of ServiceNow",
                ));
            };
            conditions.push(filter.condition(field, &argument)?);
        }
        let named = fields.iter().map(String::as_str);
        let mut fields: Vec<String> = named.filter_map(remote_name).map(str::to_owned).collect();
        if fields.is_empty() {
            let usual = REMOTE_FIELDS.iter().copied().filter_map(remote_name);
            fields = usual.map(str::to_owned).collect();
        }
        Ok(Query {
            table: self.table.clone(),
            conditions,
            fields,
            limit: 0,
        })
    }
}

/// The columns of the local part of an answer. A name only `ServiceNow` knows is passed over when
/// it is asked too, but cannot be filtered by.
fn local_columns(
    filters: &[Filter],
    fields: &[String],
    remote: bool,
) -> Result<Vec<Column>, ToolError> {
    const RULE: &str = "is not a column of the local CMDB";
    for filter in filters {
        if Column::parse(&filter.column).is_none() {
            return Err(ToolError::invalid(
                &format!("filters.{}", filter.column),
                RULE,
            ));
        }
    }
    let mut columns = Vec::with_capacity(fields.len());
    for field in fields {
        match Column::parse(field) {
            Some(column) => columns.push(column),
            None if remote && is_field(field) => {}
            None => return Err(ToolError::invalid("fields", format!("{field:?} {RULE}"))),
        }
    }
    if columns.is_empty() {
        columns = Column::ALL.to_vec();
    }
    Ok(columns)
}

/// The field of `ServiceNow` that holds a column; `None` when none does.
fn remote_name(column: &str) -> Option<&str> {
    match Column::parse(column) {
        Some(Column::Hostname) => Some("name"),
        Some(Column::IpAddress) => Some("ip_address"),
        Some(Column::OsType) => Some("os"),
        Some(Column::OsVersion) => Some("os_version"),
        Some(_) => None,
        None => is_field(column).then_some(column),
    }
}

fn local_name(field: &str) -> &str {
    match field {
        "name" => "hostname",
        "os" => "os_type",
        other => other,
    }
}

#[cfg(test)]
mod tests;
