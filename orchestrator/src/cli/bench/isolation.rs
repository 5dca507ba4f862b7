//! `waygate bench isolation`: what a slow and a dead spoke cost the others, and how soon one that is
//! back is used again.
//!
//! The echo tool is called at a fixed rate throughout; beside it nothing, then a spoke that answers
//! after seconds, then the same spoke with its process gone, then nothing again. All in one run, so
//! that the lines can be compared.

use super::rig::{self, Rig};
use super::{Measured, as_json, measure, row};
use crate::bench::{self, BenchError, Door, Pace, Plan, slow};
use crate::cli::output::table;
use crate::cli::{Context, Failure};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Most time a spoke that is back may take before nobody waits any longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[derive(Debug, Args)]
pub(in crate::cli) struct IsolationArgs {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Calls a second of the echo tool.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Connections that call the bad spoke, each all the time.
    #[arg(long, default_value_t = 64)]
    bad: usize,
    /// How long the slow spoke takes, in milliseconds.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    delay: u64,
}

pub(super) async fn run(context: &Context, args: &IsolationArgs) -> Result<ExitCode, Failure> {
    let mut rig = Rig::start(context, &[&slow::SERVICE]).await?;
    let mut measured = Vec::new();
    let note = |name: &str| context.output.note(&format!("measuring: {name}"));
    note("alone");
    measured.push(alone(&rig, args, "alone").await?);
    note("beside a slow spoke");
    measured.push(beside(&rig, args, "beside a slow spoke").await?);
    rig.kill(&slow::SERVICE).await?;
    note("beside a dead spoke");
    measured.push(beside(&rig, args, "beside a dead spoke").await?);
    rig.start_again(&slow::SERVICE)?;
    let recovery = recovery(&rig).await?;
    note("alone again");
    measured.push(alone(&rig, args, "alone again").await?);
    rig.stop().await;
    let value = json!({
        "machine": rig::machine(),
        "runs": measured.iter().map(as_json).collect::<Vec<_>>(),
        "recovery_ms": recovery.as_secs_f64() * 1000.0,
    });
    context.output.show(&value, |_| {
        let rows: Vec<_> = measured.iter().map(row).collect();
        format!(
            "{}\n\n{}\nfrom the start of the dead spoke's process to its first answered call: {recovery:.0?}\n",
            rig::machine(),
            table(&super::HEADER, &rows)
        )
    });
    let failed = measured.iter().any(|run| run.figures.failures > 0);
    Ok(ExitCode::from(u8::from(failed)))
}

/// The echo tool at its rate, nothing beside it.
async fn alone(rig: &Rig, args: &IsolationArgs, name: &str) -> Result<Measured, Failure> {
    let echo = Arc::new(Door::Hub(rig.hub_door()?));
    measure(rig, name.to_owned(), &echo, plan(args, args.seconds)).await
}

/// The same while the bad spoke is called all the time.
async fn beside(rig: &Rig, args: &IsolationArgs, name: &str) -> Result<Measured, Failure> {
    let bad = Arc::new(Door::Hub(rig.slow_door(args.delay)?));
    // From before the warm-up of the others to after their last call.
    let load = Plan {
        connections: args.bad,
        duration: Duration::from_secs(args.seconds + 2),
        pace: Pace::Open { per_second: 500 },
    };
    let (seen, measured) = tokio::join!(bench::load(&bad, load), alone(rig, args, name));
    // That these calls fail is the point; that none was made is not.
    match seen {
        Ok(figures) if figures.calls + figures.failures == 0 => {
            let none = "the bad spoke was not called".into();
            Err(BenchError::Setup(none).into())
        }
        Ok(_) => measured,
        Err(error) => Err(error.into()),
    }
}

/// From now to the first answered call of the spoke that was dead.
async fn recovery(rig: &Rig) -> Result<Duration, Failure> {
    let began = Instant::now();
    let door = rig.slow_door(0)?;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    while began.elapsed() < PATIENCE {
        ticks.tick().await;
        if rig.answers(&door).await {
            return Ok(began.elapsed());
        }
    }
    let message = "the spoke that was started again is not used within a minute";
    Err(Failure::failed(message))
}

fn plan(args: &IsolationArgs, seconds: u64) -> Plan {
    Plan {
        connections: 16,
        duration: Duration::from_secs(seconds.max(1)),
        pace: Pace::Open {
            per_second: args.rate,
        },
    }
}
