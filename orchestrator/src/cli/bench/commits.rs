//! `waygate bench commits`: what a durable commit costs on this disk.
//!
//! Several writers commit small batches to a store of its own; batches that wait together are one commit.
//! With `--tell` every batch is named on standard output once it is durable, so that whoever cuts the
//! power can see whether that was true.

use super::super::{Context, Failure};
use super::rig::{self, Folder};
use crate::store::{DatabaseUrl, Durability, Statement, Store, StoreConfig};
use clap::Args;
use serde_json::json;
use shared::tasks::Tasks;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// Bytes in each batch.
const BYTES: usize = 512;

#[derive(Debug, Args)]
pub(in crate::cli) struct CommitsArgs {
    /// Batches.
    #[arg(long, default_value_t = 5000)]
    batches: u64,
    /// Writers, each with one batch at a time.
    #[arg(long, default_value_t = 64)]
    writers: usize,
    /// Where the store is made; without it in a folder that is removed.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Survive the end of the process only, not a power cut.
    #[arg(long)]
    lax: bool,
    /// Name each batch once it is durable.
    #[arg(long)]
    tell: bool,
}

pub(super) async fn run(context: &Context, args: &CommitsArgs) -> Result<ExitCode, Failure> {
    let own = Folder::new()?;
    let folder = args.folder.as_deref().unwrap_or_else(|| own.path());
    let store = open(folder, args.lax).await?;
    let writer = Arc::new(Writer {
        store: store.clone(),
        left: AtomicU64::new(args.batches),
        told: args.tell.then_some(context.output),
    });
    let tasks = Tasks::new();
    let began = Instant::now();
    let writers: Vec<_> = (0..args.writers)
        .map(|_| tasks.spawn("bench writer", Arc::clone(&writer).run()))
        .collect();
    for writer in writers {
        writer.await.map_err(failed)??;
    }
    let took = began.elapsed();
    store.close().await;
    if !args.tell {
        let batches = u32::try_from(args.batches).unwrap_or(u32::MAX);
        let value = json!({
            "machine": rig::machine(),
            "durable": !args.lax,
            "batches": args.batches,
            "seconds": took.as_secs_f64(),
            "batches_per_second": f64::from(batches) / took.as_secs_f64().max(f64::EPSILON),
        });
        context.output.show(&value, |value| {
            format!(
                "{}\n\n{:.0} batches/s of {BYTES} bytes from {} writers, {}\n",
                rig::machine(),
                value["batches_per_second"].as_f64().unwrap_or_default(),
                args.writers,
                if args.lax {
                    "lost with the power"
                } else {
                    "durable"
                },
            )
        });
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(folder: &Path, lax: bool) -> Result<Store, Failure> {
    let url = format!("sqlite:{}", folder.join("commits.db").display());
    let url = DatabaseUrl::parse(&url).map_err(failed)?;
    let durability = if lax {
        Durability::Process
    } else {
        Durability::Full
    };
    let config = StoreConfig { url, pool_size: 2 };
    let store = Store::open_as(config, durability).await;
    store.map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::failed(error.to_string())
}

struct Writer {
    store: Store,
    left: AtomicU64,
    told: Option<super::super::output::Output>,
}

impl Writer {
    async fn run(self: Arc<Self>) -> Result<(), Failure> {
        let content = "x".repeat(BYTES);
        let take = |left: u64| left.checked_sub(1);
        while let Ok(number) = self
            .left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take)
        {
            let sql = "INSERT INTO workflow_checkpoints (workflow_id, step, state, created_at) \
                       VALUES ('bench', $1, $2, 0)";
            let insert = Statement::new(sql)
                .bind(number.to_string())
                .bind(content.as_str());
            self.store.write(vec![insert]).await.map_err(failed)?;
            if let Some(output) = self.told {
                output.line(&number.to_string());
            }
        }
        Ok(())
    }
}
