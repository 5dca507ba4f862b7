//! What must hold before a database server is restarted. Source: `catalogue.md` 5.

use super::{Arguments, Kind};
use crate::arm::{Arm, version};
use crate::cloud::{Azure, Connection, check};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use shared::tool::{Check, ToolError};
use url::Url;

/// A server is left alone for this long after a restart.
const REST: SignedDuration = SignedDuration::from_mins(15);

#[derive(Deserialize)]
struct Server {
    id: String,
    #[serde(default)]
    properties: ServerProperties,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServerProperties {
    state: String,
}

/// An operation of a database or managed instance. Source: Microsoft.Sql 2021-11-01.
#[derive(Deserialize)]
struct Running {
    properties: RunningProperties,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct RunningProperties {
    operation: String,
    state: String,
}

/// An entry of the activity log. Source: Microsoft.Insights 2015-04-01.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    operation_name: Name,
    event_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct Name {
    value: String,
}

/// The server is ready, nothing is being done to it, and its last restart is a while ago.
pub(super) async fn of(cloud: &Azure, arguments: &Arguments) -> Result<Vec<Check>, ToolError> {
    let cloud = cloud.ready()?;
    let (provider, kind, version) = arguments.kind.api();
    let name = arguments.server_name.as_str();
    let group = Some(arguments.resource_group.as_str());
    let url = cloud.arm.url(group, &[provider, kind, name], version);
    let server: Server = cloud.arm.get(url).await?;
    let state = server.properties.state;
    let mut checks = vec![check(
        "server_ready",
        state.eq_ignore_ascii_case("ready"),
        state,
    )];
    match arguments.kind {
        Kind::Sql => checks.extend(databases(cloud, arguments).await?),
        Kind::ManagedInstance => {
            let parts = [provider, kind, name, "operations"];
            let busy = running(&cloud.arm, cloud.arm.url(group, &parts, version)).await?;
            checks.push(idle(&busy));
        }
        // Their state is Updating while anything is done to them.
        Kind::Postgres | Kind::Mysql => {}
    }
    checks.push(rested(&cloud.arm, &server.id).await?);
    Ok(checks)
}

async fn databases(cloud: &Connection, arguments: &Arguments) -> Result<Vec<Check>, ToolError> {
    let (provider, kind, version) = arguments.kind.api();
    let group = Some(arguments.resource_group.as_str());
    let (mut names, mut odd, mut busy) = (Vec::new(), Vec::new(), Vec::new());
    for database in cloud.meant(arguments).await? {
        let name = database.name.as_str();
        if database.status() != "Online" {
            odd.push(format!("{name} is {}", database.status()));
        }
        let server = arguments.server_name.as_str();
        let parts = [provider, kind, server, "databases", name, "operations"];
        let found = running(&cloud.arm, cloud.arm.url(group, &parts, version)).await?;
        busy.extend(found.into_iter().map(|what| format!("{what} of {name}")));
        names.push(database.name);
    }
    let online = match odd.is_empty() {
        true => names.join(", "),
        false => odd.join(", "),
    };
    Ok(vec![
        check("databases_online", odd.is_empty(), online),
        idle(&busy),
    ])
}

/// What is being done.
async fn running(arm: &Arm, url: Url) -> Result<Vec<String>, ToolError> {
    let all: Vec<Running> = arm.list(url).await?;
    let all = all.into_iter().map(|it| it.properties);
    let unfinished = ["Pending", "InProgress", "CancelInProgress"];
    let found = all.filter(|it| unfinished.contains(&it.state.as_str()));
    Ok(found.map(|it| it.operation).collect())
}

fn idle(busy: &[String]) -> Check {
    let detail = match busy.is_empty() {
        true => "nothing".to_owned(),
        false => busy.join(", "),
    };
    check("no_operation_in_progress", busy.is_empty(), detail)
}

/// The activity log knows restarts by anybody.
async fn rested(arm: &Arm, id: &str) -> Result<Check, ToolError> {
    let since = arm.clock.now().checked_sub(REST).unwrap_or_default();
    let parts = ["Microsoft.Insights", "eventtypes", "management", "values"];
    let mut url = arm.url(None, &parts, version::EVENTS);
    let filter = format!("eventTimestamp ge '{since}' and resourceUri eq '{id}'");
    url.query_pairs_mut().append_pair("$filter", &filter);
    let events: Vec<Event> = arm.list(url).await?;
    let restart = |event: &&Event| {
        let name = event.operation_name.value.to_ascii_lowercase();
        event.event_timestamp >= since
            && (name.ends_with("/restart/action") || name.ends_with("/failover/action"))
    };
    let last = events.iter().filter(restart).map(|it| it.event_timestamp);
    Ok(match last.max() {
        None => check("rested", true, "no restart in the last 15 minutes"),
        Some(last) => check("rested", false, format!("restarted at {last}")),
    })
}
