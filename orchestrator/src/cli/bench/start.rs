//! `waygate bench start`: from the start of a process to its first answered call, and the memory of the
//! hub, idle and with many hosts connected.

use super::rig::{self, Rig};
use crate::bench::{self, Door, Pace, Plan, Usage};
use crate::cli::output::table;
use crate::cli::{Context, Failure};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Args)]
pub(in crate::cli) struct StartArgs {
    /// How often hub and spoke are started, each time with an empty store.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,
    /// Hosts that are connected at once and each make a call.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=1024))]
    hosts: u16,
}

/// What one start showed.
struct Started {
    hub: Duration,
    spoke: Duration,
    idle: Option<Usage>,
}

pub(super) async fn run(context: &Context, args: &StartArgs) -> Result<ExitCode, Failure> {
    let mut starts = Vec::new();
    let mut connected = None;
    for time in 1..=args.times {
        context
            .output
            .note(&format!("start {time} of {}", args.times));
        let rig = Rig::start(context, &[]).await?;
        starts.push(Started {
            hub: rig.first_call,
            spoke: rig.spoke_ready,
            idle: rig.idle,
        });
        if time == args.times {
            context.output.note(&format!("{} hosts", args.hosts));
            connected = crowd(&rig, args.hosts).await?;
        }
        rig.stop().await;
    }
    let value = json!({
        "machine": rig::machine(),
        "starts": starts.iter().map(as_json).collect::<Vec<_>>(),
        "hosts": args.hosts,
        "hub_peak_bytes_with_hosts": connected,
    });
    context.output.show(&value, |_| {
        let rows: Vec<_> = starts.iter().map(row).collect();
        let peak = connected.map_or_else(|| "unknown".to_owned(), mebibytes);
        format!(
            "{}\n\n{}\nhub with {} connected hosts, one call of each: {peak}\n",
            rig::machine(),
            table(&["HUB, FIRST CALL", "SPOKE, FIRST CALL", "HUB IDLE"], &rows),
            args.hosts
        )
    });
    Ok(ExitCode::SUCCESS)
}

/// The most memory the hub had in RAM while so many hosts were connected, each with one call or more.
async fn crowd(rig: &Rig, hosts: u16) -> Result<Option<u64>, Failure> {
    let door = Arc::new(Door::Hub(rig.hub_door()?));
    let plan = Plan {
        connections: usize::from(hosts),
        duration: Duration::from_secs(3),
        pace: Pace::Open {
            per_second: u32::from(hosts).div_ceil(2),
        },
    };
    let figures = bench::load(&door, plan).await?;
    match figures.first_failure {
        Some(failure) => Err(Failure::failed(format!("a host's call failed: {failure}"))),
        None => Ok(rig.hub_usage().map(|usage| usage.peak)),
    }
}

fn as_json(start: &Started) -> Value {
    json!({
        "hub_first_call_ms": start.hub.as_secs_f64() * 1000.0,
        "spoke_first_call_ms": start.spoke.as_secs_f64() * 1000.0,
        "hub_idle_resident_bytes": start.idle.map(|usage| usage.resident),
    })
}

fn row(start: &Started) -> Vec<String> {
    vec![
        format!("{:.0?}", start.hub),
        format!("{:.0?}", start.spoke),
        start
            .idle
            .map(|usage| mebibytes(usage.resident))
            .unwrap_or_default(),
    ]
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}
