//! Cloud SQL: list and restart.

use crate::google::{Google, check, checks_or_why};
use crate::names;
use crate::operation::Work;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::remote::Operation;
use shared::tool::{Assessment, Call, Check, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// An instance is left alone for this long after a restart.
const REST: SignedDuration = SignedDuration::from_mins(15);
const MAX_PAGES: usize = 20;

/// `cloud.gcloud.sql.listSqlInstances`.
pub(crate) struct ListSqlInstances(pub(crate) Arc<Google>);
/// `cloud.gcloud.sql.restartSqlInstance`.
pub(crate) struct RestartSqlInstance(pub(crate) Arc<Google>);

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Arguments of `restartSqlInstance`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneInstance {
    /// Name of the Cloud SQL instance.
    #[serde(rename = "instanceName")]
    #[schemars(length(min = 1, max = 98))]
    instance_name: String,
    /// Wait until it is done, at most as long as the call may take.
    #[serde(default = "yes")]
    wait: bool,
}

const fn yes() -> bool {
    true
}

/// Result of `listSqlInstances`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Instances {
    /// The instances, by name.
    instances: Vec<Instance>,
    /// How many these are.
    count: usize,
}

/// One instance.
#[derive(Debug, Serialize, JsonSchema)]
struct Instance {
    /// Its name.
    name: String,
    /// Such as `POSTGRES_15`.
    database_version: String,
    /// Region.
    region: String,
    /// Its type, such as `db-f1-micro`.
    tier: String,
    /// RUNNABLE, MAINTENANCE, …
    state: String,
    /// Its addresses.
    ip_addresses: Vec<String>,
}

/// Source: discovery document of sqladmin v1, `DatabaseInstance`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Stored {
    name: String,
    database_version: String,
    region: String,
    settings: Settings,
    state: String,
    ip_addresses: Vec<Address>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    tier: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    #[serde(default)]
    ip_address: String,
}

/// Source: discovery document of sqladmin v1, `Operation`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Past {
    #[serde(default)]
    operation_type: String,
    status: String,
    #[serde(default)]
    insert_time: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    #[serde(default = "Vec::new")]
    items: Vec<T>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[async_trait]
impl TypedTool for ListSqlInstances {
    type Arguments = Nothing;
    type Output = Instances;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.sql.listSqlInstances",
            Effect::Read,
            "List the Cloud SQL instances of the Google Cloud project with version, type and state.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, _: Nothing, _: &Call) -> Result<Instances, ToolError> {
        let cloud = self.0.ready()?;
        let mut all: Vec<Stored> = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut url = cloud.sql(&["instances"]);
            url.query_pairs_mut()
                .append_pair("maxResults", "500")
                .extend_pairs(cursor.iter().map(|it| ("pageToken", it)));
            let page: Page<Stored> = cloud.get(url).await?;
            all.extend(page.items);
            cursor = page.next_page_token.filter(|it| !it.is_empty());
            if cursor.is_none() {
                break;
            }
        }
        let shown = |it: Stored| Instance {
            name: it.name,
            database_version: it.database_version,
            region: it.region,
            tier: it.settings.tier,
            state: it.state,
            ip_addresses: it
                .ip_addresses
                .into_iter()
                .map(|it| it.ip_address)
                .collect(),
        };
        let mut instances: Vec<Instance> = all.into_iter().map(shown).collect();
        instances.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Instances {
            count: instances.len(),
            instances,
        })
    }
}

#[async_trait]
impl TypedTool for RestartSqlInstance {
    type Arguments = OneInstance;
    type Output = Operation;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.sql.restartSqlInstance",
            Effect::Critical,
            "Restart a Cloud SQL instance of Google Cloud; connections break. It must be runnable, \
             without an operation in progress, and not restarted in the last 15 minutes.",
        )
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &OneInstance, _: &Call) -> Result<Assessment, ToolError> {
        let name = names::resource("instanceName", &arguments.instance_name)?;
        let summary = format!("Restart Cloud SQL instance {name}; connections break");
        let mut assessment = Assessment::of(Effect::Critical, summary);
        assessment.checks = checks_or_why(readiness(&self.0, name).await);
        Ok(assessment)
    }

    async fn run(&self, arguments: OneInstance, call: &Call) -> Result<Operation, ToolError> {
        let name = names::resource("instanceName", &arguments.instance_name)?;
        let cloud = self.0.ready()?;
        let url = cloud.sql(&["instances", name, "restart"]);
        let work = Work {
            action: "restart",
            target: name,
            request: cloud.request(Method::POST, url),
            wait: arguments.wait,
        };
        let look = |name: &str| cloud.sql(&["operations", name]);
        cloud.work(work, look, call).await
    }
}

/// Source: `catalogue.md` 5.
async fn readiness(cloud: &Google, name: &str) -> Result<Vec<Check>, ToolError> {
    let cloud = cloud.ready()?;
    let instance: Stored = cloud.get(cloud.sql(&["instances", name])).await?;
    let mut url = cloud.sql(&["operations"]);
    url.query_pairs_mut()
        .append_pair("instance", name)
        .append_pair("maxResults", "100");
    // The newest come first.
    let past: Page<Past> = cloud.get(url).await?;
    let busy = past.items.iter().filter(|it| it.status != "DONE");
    let busy: Vec<&str> = busy.map(|it| it.operation_type.as_str()).collect();
    let since = cloud.clock.now().checked_sub(REST).unwrap_or_default();
    let restarts = past.items.iter();
    let restarts =
        restarts.filter(|it| matches!(it.operation_type.as_str(), "RESTART" | "FAILOVER"));
    let last = restarts.filter_map(|it| it.insert_time).max();
    let rested = last.is_none_or(|last| last < since);
    let told = last.map_or("never".to_owned(), |last| last.to_string());
    Ok(vec![
        check(
            "server_runnable",
            instance.state == "RUNNABLE",
            instance.state,
        ),
        check("no_operation_in_progress", busy.is_empty(), busy.join(", ")),
        check("rested", rested, format!("last restart: {told}")),
    ])
}
