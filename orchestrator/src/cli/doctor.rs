//! `waygate doctor`: what would keep the hub from working, and what to do about it.

use super::output::table;
use super::{Context, EXIT_FAILED, Failure};
use crate::config::{self, Config};
use crate::store::{DatabaseUrl, Store, StoreConfig};
use clap::Args;
use serde_json::json;
use shared::exec::{Executor, SearchPath};
use shared::tasks::Tasks;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {}

struct Finding {
    what: String,
    ok: bool,
    detail: String,
}

impl Finding {
    fn new(what: impl Into<String>, result: Result<String, String>) -> Self {
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        Self {
            what: what.into(),
            ok,
            detail,
        }
    }
}

pub(super) async fn run(context: &Context, _args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let loaded = config::load(&context.environment, context.global.config.as_deref())
        .map_err(|error| Failure::config(&error))?;
    let config = loaded.config;
    let mut findings = vec![Finding::new(
        "settings",
        Ok("every key is known and fits".into()),
    )];
    findings.push(Finding::new("policies", policies(&config)));
    findings.push(Finding::new("secrets", secrets(&config)));
    findings.push(Finding::new("store", store(&config).await));
    findings.push(Finding::new("hub", hub(context, &config).await));
    for spoke in config
        .spokes(&context.environment)
        .map_err(|error| Failure::config(&error))?
    {
        findings.push(Finding::new(
            spoke.service.to_string(),
            spoke_health(&spoke.url).await,
        ));
    }
    findings.push(Finding::new("sandbox", sandbox()));
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|f| {
            vec![
                if f.ok { "ok" } else { "FAIL" }.into(),
                f.what.clone(),
                f.detail.clone(),
            ]
        })
        .collect();
    let facts = json!(
        findings
            .iter()
            .map(|f| json!({"check": f.what, "ok": f.ok, "detail": f.detail}))
            .collect::<Vec<_>>()
    );
    context
        .output
        .show(&facts, |_| table(&["", "CHECK", "FOUND"], &rows));
    let all_well = findings.iter().all(|finding| finding.ok);
    Ok(if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_FAILED)
    })
}

fn policies(config: &Config) -> Result<String, String> {
    let policy = crate::app::policy_of(config).map_err(|error| error.to_string())?;
    Ok(format!("{} rules", policy.rule_count()))
}

fn secrets(config: &Config) -> Result<String, String> {
    let folder = config.paths.below_base(&config.paths.secrets);
    let missing: Vec<&str> = ["secret_key", "spoke_token", "call_key", "call_key.pub"]
        .into_iter()
        .filter(|name| !folder.join(name).is_file())
        .collect();
    if missing.is_empty() {
        Ok("all there".into())
    } else {
        Err(format!(
            "{} missing; make them with: waygate secrets generate",
            missing.join(", ")
        ))
    }
}

async fn store(config: &Config) -> Result<String, String> {
    let url = config.database_url().map_err(|error| error.to_string())?;
    let url = DatabaseUrl::parse(&url).map_err(|error| error.to_string())?;
    let store = Store::open(StoreConfig { url, pool_size: 2 })
        .await
        .map_err(|error| error.to_string())?;
    store.ping().await.map_err(|error| error.to_string())?;
    let kind = if store.is_embedded() {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    store.close().await;
    Ok(format!("{kind} answers, its schema is up to date"))
}

async fn hub(context: &Context, config: &Config) -> Result<String, String> {
    let port = config.server.port;
    if context
        .client()
        .map_err(|failure| failure.message)?
        .get("/ready")
        .await
        .is_ok()
    {
        return Ok("running and ready".into());
    }
    match TcpListener::bind((config.server.host, port)) {
        Ok(_free) => Ok(format!("not running; port {port} is free")),
        Err(error) => Err(format!(
            "not ready, and port {port} cannot be used: {error}"
        )),
    }
}

async fn spoke_health(url: &str) -> Result<String, String> {
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    match http.get(format!("{url}/health")).send().await {
        Ok(answer) if answer.status().is_success() => Ok(format!("healthy at {url}")),
        Ok(answer) => Err(format!("answers {} at {url}", answer.status())),
        Err(_) => Err(format!(
            "cannot be reached at {url}; start it with: waygate up"
        )),
    }
}

/// How well commands are walled in on this machine.
fn sandbox() -> Result<String, String> {
    match Executor::new(SearchPath::system(), Tasks::new()) {
        Ok(_) => Ok("argv grammar, rlimits, no-new-privs, process-tree kill".into()),
        Err(error) => Err(error.to_string()),
    }
}
