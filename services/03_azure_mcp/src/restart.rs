//! `cloud.azure.sql.restartSqlServer`: what comes nearest to a restart, by the kind of server.
//!
//! A logical server has no restart, so its databases are failed over one by one.

mod readiness;

use crate::arm::{Work, version};
use crate::cloud::{Azure, Connection, checks_or_why};
use crate::{names, sql};
use async_trait::async_trait;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::error::Code;
use shared::remote::Operation;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Databases of one call at most.
const MAX_DATABASES: usize = 50;

/// The tool.
pub(crate) struct RestartSqlServer(pub(crate) Arc<Azure>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Arguments {
    /// Name of the server or managed instance.
    #[schemars(length(min = 1, max = 63))]
    server_name: String,
    /// Its resource group.
    #[schemars(length(min = 1, max = 90))]
    resource_group: String,
    /// What it is: a logical server, a managed instance, or a flexible server.
    #[serde(default)]
    kind: Kind,
    /// With kind sql: only this database; leave out for every user database.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    database_name: Option<String>,
    /// Wait until it is done, at most as long as the call may take.
    #[serde(default = "yes")]
    wait: bool,
}

const fn yes() -> bool {
    true
}

/// Kinds of servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// A logical server.
    #[default]
    Sql,
    /// A managed instance.
    ManagedInstance,
    /// A flexible server of `PostgreSQL`.
    Postgres,
    /// A flexible server of `MySQL`.
    Mysql,
}

/// What was begun.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Restarted {
    /// One for each database, or the one for the server.
    operations: Vec<Operation>,
    /// How many these are.
    count: usize,
}

impl Kind {
    /// Provider, type and version of its API.
    const fn api(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Sql => ("Microsoft.Sql", "servers", version::SQL),
            Self::ManagedInstance => ("Microsoft.Sql", "managedInstances", version::SQL),
            Self::Postgres => (
                "Microsoft.DBforPostgreSQL",
                "flexibleServers",
                version::POSTGRES,
            ),
            Self::Mysql => ("Microsoft.DBforMySQL", "flexibleServers", version::MYSQL),
        }
    }
}

#[async_trait]
impl TypedTool for RestartSqlServer {
    type Arguments = Arguments;
    type Output = Restarted;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.sql.restartSqlServer",
            Effect::Critical,
            "Restart a database server of Azure: fail over the databases of a logical SQL server or a \
             managed instance, or restart a flexible PostgreSQL or MySQL server. Connections break. It \
             must be ready, without an operation in progress, and not restarted in the last 15 \
             minutes.",
        )
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        arguments.check()?;
        let what = match (arguments.kind, &arguments.database_name) {
            (Kind::Sql, Some(name)) => format!("Fail over database {name} of SQL server"),
            (Kind::Sql, None) => "Fail over every user database of SQL server".to_owned(),
            (Kind::ManagedInstance, _) => "Fail over managed instance".to_owned(),
            (Kind::Postgres, _) => "Restart PostgreSQL server".to_owned(),
            (Kind::Mysql, _) => "Restart MySQL server".to_owned(),
        };
        let (server, group) = (&arguments.server_name, &arguments.resource_group);
        let summary = format!("{what} {server} in {group} (Azure); connections break");
        let mut assessment = Assessment::of(Effect::Critical, summary);
        assessment.checks = checks_or_why(readiness::of(&self.0, arguments).await);
        Ok(assessment)
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Restarted, ToolError> {
        arguments.check()?;
        let cloud = self.0.ready()?;
        let operations = match arguments.kind {
            Kind::Sql => cloud.fail_over(&arguments, call).await?,
            _ => vec![cloud.restart(&arguments, call).await?],
        };
        Ok(Restarted {
            count: operations.len(),
            operations,
        })
    }
}

impl Arguments {
    fn check(&self) -> Result<(), ToolError> {
        names::group(&self.resource_group)?;
        names::resource("serverName", &self.server_name)?;
        match (&self.database_name, self.kind) {
            (None, _) => Ok(()),
            (Some(name), Kind::Sql) if name == "master" => {
                let rule = "master is no user database";
                Err(ToolError::invalid("databaseName", rule))
            }
            (Some(name), Kind::Sql) => names::resource("databaseName", name).map(drop),
            (Some(_), _) => Err(ToolError::invalid(
                "databaseName",
                "goes with kind sql only",
            )),
        }
    }
}

impl Connection {
    /// The databases a call means.
    async fn meant(&self, arguments: &Arguments) -> Result<Vec<sql::Stored>, ToolError> {
        let (group, server) = (&arguments.resource_group, &arguments.server_name);
        let mut all = sql::databases(&self.arm, group, server).await?;
        all.retain(|database| match &arguments.database_name {
            Some(name) => database.name.eq_ignore_ascii_case(name),
            None => database.name != "master",
        });
        match all.len() {
            0 => Err(ToolError::refused(
                Code::NotFound,
                "the server has no such user database",
            )),
            1..=MAX_DATABASES => Ok(all),
            _ => Err(ToolError::refused(
                Code::PayloadTooLarge,
                "the server has more than 50 databases: name one",
            )),
        }
    }

    async fn fail_over(
        &self,
        arguments: &Arguments,
        call: &Call,
    ) -> Result<Vec<Operation>, ToolError> {
        let (provider, kind, version) = arguments.kind.api();
        let mut operations = Vec::new();
        for database in self.meant(arguments).await? {
            let server = arguments.server_name.as_str();
            let parts = [
                provider,
                kind,
                server,
                "databases",
                &database.name,
                "failover",
            ];
            let work = Work {
                action: "failover",
                target: &database.name,
                method: Method::POST,
                url: self
                    .arm
                    .url(Some(&arguments.resource_group), &parts, version),
                body: None,
                wait: arguments.wait,
            };
            match self.arm.work(work, call).await {
                Ok(operation) => operations.push(operation),
                // What was begun before is told, too.
                Err(error) if !operations.is_empty() => {
                    let now = self.arm.clock.now();
                    let mut failed = Operation::begun("failover", &database.name, now);
                    failed.end(now, Some(error.message));
                    operations.push(failed);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(operations)
    }

    async fn restart(&self, arguments: &Arguments, call: &Call) -> Result<Operation, ToolError> {
        let (provider, kind, version) = arguments.kind.api();
        let action = match arguments.kind {
            Kind::ManagedInstance => "failover",
            _ => "restart",
        };
        let server = arguments.server_name.as_str();
        let parts = [provider, kind, server, action];
        let mysql = || json!({"restartWithFailover": "Disabled", "maxFailoverSeconds": 60});
        let work = Work {
            action,
            target: server,
            method: Method::POST,
            url: self
                .arm
                .url(Some(&arguments.resource_group), &parts, version),
            body: (arguments.kind == Kind::Mysql).then(mysql),
            wait: arguments.wait,
        };
        self.arm.work(work, call).await
    }
}
