//! `waygate audit`: check the chain and export the records, straight from the store.

use super::{Context, EXIT_FAILED, Failure};
use crate::audit::{Report, verify_with_file};
use clap::Subcommand;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check every record against the one before; exit 1 and name the first bad one.
    Verify,
    /// Print every record as one JSON object a line, oldest first.
    Export,
}

pub(super) async fn run(context: &Context, command: AuditCommand) -> Result<ExitCode, Failure> {
    let (store, config) = super::keys::open_store(context).await?;
    match command {
        AuditCommand::Verify => {
            let key = crate::app::hub_key(&config).map_err(|error| Failure::config(&error))?;
            let file = config
                .paths
                .below_base(&config.paths.data)
                .join("audit.checkpoint");
            let report = verify_with_file(&store, key.public_key(), &file)
                .await
                .map_err(|error| Failure::failed(error.to_string()))?;
            Ok(verdict(context, &report))
        }
        AuditCommand::Export => {
            let mut after = 0;
            loop {
                let page = crate::audit::export(&store, after, 1000)
                    .await
                    .map_err(|error| Failure::failed(error.to_string()))?;
                let Some(last) = page.last() else {
                    return Ok(ExitCode::SUCCESS);
                };
                after = last.seq;
                for record in &page {
                    context.output.line(&record.json);
                }
            }
        }
    }
}

fn verdict(context: &Context, report: &Report) -> ExitCode {
    let bad = report.first_bad.as_ref();
    let facts = json!({
        "records": report.records,
        "intact": bad.is_none(),
        "first_bad": bad.map(|bad| json!({"seq": bad.seq, "reason": bad.reason})),
    });
    context.output.show(&facts, |_| match bad {
        None => format!("{} records, the chain is intact", report.records),
        Some(bad) => format!("the chain breaks at record {}: {}", bad.seq, bad.reason),
    });
    if bad.is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_FAILED)
    }
}
