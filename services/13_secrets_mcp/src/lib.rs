//! Spoke 13: one read-only door to secret stores.
//!
//! The tools, in reading order: any store by name (`read`), `KeePass` (`entry`), Azure and Google
//! (`clouds`), Vault (`path`), figures (`state`). Beneath them: the steps of a read (`reading`), full
//! names (`name`), who may have what (`rules`), the stores (`store`), what those over HTTP have in
//! common (`remote`). Values leave as references unless a rule says otherwise; nothing is written to
//! any store.

mod clouds;
mod config;
mod entry;
mod name;
mod path;
mod read;
mod reading;
mod remote;
mod rules;
mod state;
mod store;

use config::Config;
use futures::future::BoxFuture;
use reading::{Counters, Reading};
use rules::{Rules, RulesError};
use shared::spoke::{BuildError, BuildInput, HealthCheck, Parts, Service};
use shared::tool::{Tool, boxed};
use state::{RulesCheck, StoreCheck};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use store::{SetupError, Stores};

/// The spoke.
pub static SERVICE: Service = Service {
    name: "13_secrets_mcp",
    number: 13,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["secrets"],
    canary: "secrets.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build,
};

fn build(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    Box::pin(async move {
        let config: Config = input.config()?;
        let rules = read_rules(&config.rules.path);
        let rules = rules.map_err(|error| BuildError::setup("the rules", error))?;
        let reading = Arc::new(Reading {
            rules,
            stores: Stores::prepare(&config, &input.kit).map_err(unprepared)?,
            references: input.kit.references.clone(),
            clock: Arc::clone(&input.kit.clock),
            lease: config.rules.lease_seconds.0,
            counters: Counters::default(),
        });
        let mut checks: Vec<Arc<dyn HealthCheck>> = vec![Arc::new(RulesCheck {
            set: !config.rules.path.is_empty(),
        })];
        for (name, _) in reading.stores.setups() {
            let reading = Arc::clone(&reading);
            checks.push(Arc::new(StoreCheck { name, reading }));
        }
        let reader = || Arc::clone(&reading);
        let tools: Vec<Arc<dyn Tool>> = vec![
            boxed(read::GetSecret(reader()))?,
            boxed(entry::GetEntry(reader()))?,
            boxed(clouds::GetAzureSecret(reader()))?,
            boxed(clouds::GetGoogleSecret(reader()))?,
            boxed(path::GetVaultSecret(reader()))?,
            state::metrics_tool(&input.kit.meter, reader())?,
        ];
        Ok(Parts { tools, checks })
    })
}

/// Without a file nobody may have anything.
fn read_rules(path: &str) -> Result<Rules, RulesError> {
    if path.is_empty() {
        return Ok(Rules::default());
    }
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(rules::MAX_BYTES).read_to_string(&mut text))
        .map_err(RulesError::Unreadable)?;
    Rules::parse(&text)
}

fn unprepared(error: SetupError) -> BuildError {
    match error {
        SetupError::Secret(error) => error.into(),
        error => BuildError::setup("the secret stores", error),
    }
}
