//! `waygate bench`: measure the call path and the engine of workflows on this machine.
//!
//! It starts a hub and an echo spoke of its own, in a folder that is removed afterwards: policy, audit
//! and breakers as shipped, limits lifted. What it prints is for comparing within one run; figures of
//! another machine, or of a busy one, say little.

mod commits;
mod isolation;
mod rig;
mod start;
mod workflows;

use super::output::table;
use super::{Context, Failure};
use crate::bench::{self, BenchError, Door, Figures, Pace, Plan, Usage};
use clap::{Args, Subcommand};
use commits::CommitsArgs;
use rig::Rig;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use workflows::WorkflowsArgs;

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Call an echo tool through a hub: latency, calls a second, processor time and memory.
    Calls(CallsArgs),
    /// Time each step of a call alone: authentication, policy, limits, audit, breaker, signature.
    Steps,
    /// Commit small batches to a store of its own: what durability costs on this disk.
    Commits(CommitsArgs),
    /// Run workflows in a hub: durable steps a second, memory of runs that wait, time of a restart.
    Workflows(WorkflowsArgs),
    /// Call the echo tool beside a slow and a dead spoke, and see how soon that one is back.
    Isolation(isolation::IsolationArgs),
    /// Time the start of hub and spoke, and weigh the hub with many hosts connected.
    Start(start::StartArgs),
    /// Serve a spoke of the benchmarks; the other commands start it.
    #[command(hide = true)]
    Spoke {
        /// Name of the service.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct CallsArgs {
    /// Connections at once.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Calls a second of the open loop.
    #[arg(long, default_value_t = 1000)]
    rate: u32,
}

pub(super) async fn run(context: &Context, command: BenchCommand) -> Result<ExitCode, Failure> {
    match command {
        BenchCommand::Calls(args) => calls(context, &args).await,
        BenchCommand::Steps => steps(context).await,
        BenchCommand::Commits(args) => commits::run(context, &args).await,
        BenchCommand::Workflows(args) => workflows::run(context, &args).await,
        BenchCommand::Isolation(args) => isolation::run(context, &args).await,
        BenchCommand::Start(args) => start::run(context, &args).await,
        BenchCommand::Spoke { name } => rig::serve(context, &name).await,
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        Self::failed(crate::app::chain(&error))
    }
}

/// Columns of a table of measurements.
const HEADER: [&str; 9] = [
    "RUN",
    "CALLS/S",
    "P50",
    "P99",
    "P99.9",
    "MAX",
    "FAILED",
    "HUB CPU/CALL",
    "HUB RSS",
];

/// One line of the result.
struct Measured {
    name: String,
    figures: Figures,
    /// Of the hub; `None` where there was none.
    hub: Option<(Duration, Usage)>,
}

async fn calls(context: &Context, args: &CallsArgs) -> Result<ExitCode, Failure> {
    let rig = Rig::start(context, &[]).await?;
    let spoke = Arc::new(Door::Spoke(Box::new(rig.spoke_door()?)));
    let hub = Arc::new(Door::Hub(rig.hub_door()?));
    let seconds = Duration::from_secs(args.seconds.max(1));
    let plan = |connections, pace| Plan {
        connections,
        duration: seconds,
        pace,
    };
    let many = args.connections;
    let open = Pace::Open {
        per_second: args.rate,
    };
    let runs = [
        (
            "spoke without a hub, 1 connection".to_owned(),
            &spoke,
            plan(1, Pace::Closed),
        ),
        ("hub, 1 connection".to_owned(), &hub, plan(1, Pace::Closed)),
        (
            format!("hub, {many} connections"),
            &hub,
            plan(many, Pace::Closed),
        ),
        (
            format!("hub, {many} connections, {}/s", args.rate),
            &hub,
            plan(many, open),
        ),
    ];
    let mut measured = Vec::with_capacity(runs.len());
    for (name, door, plan) in runs {
        context.output.note(&format!("measuring: {name}"));
        measured.push(measure(&rig, name, door, plan).await?);
    }
    let idle = rig.idle;
    rig.stop().await;
    show(context, &measured, idle);
    let failed = measured.iter().any(|run| run.figures.failures > 0);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn measure(
    rig: &Rig,
    name: String,
    door: &Arc<Door>,
    plan: Plan,
) -> Result<Measured, Failure> {
    let warm_up = Plan {
        duration: Duration::from_secs(1),
        ..plan
    };
    bench::load(door, warm_up).await?;
    let before = rig.hub_usage();
    let figures = bench::load(door, plan).await?;
    let after = rig.hub_usage();
    let through_hub = matches!(**door, Door::Hub(_));
    let hub = before
        .zip(after)
        .filter(|_| through_hub)
        .map(|(before, after)| {
            let calls = u32::try_from(figures.calls).unwrap_or(u32::MAX).max(1);
            (after.cpu_since(&before) / calls, after)
        });
    Ok(Measured { name, figures, hub })
}

fn show(context: &Context, measured: &[Measured], idle: Option<Usage>) {
    let machine = rig::machine();
    let value = json!({
        "machine": machine,
        "hub_idle_resident_bytes": idle.map(|usage| usage.resident),
        "runs": measured.iter().map(as_json).collect::<Vec<_>>(),
        "added_p50_us": added(measured, |figures| figures.p50).map(micros),
        "added_p99_us": added(measured, |figures| figures.p99).map(micros),
    });
    context.output.show(&value, |_| {
        let rows: Vec<_> = measured.iter().map(row).collect();
        let mut text = format!("{machine}\n\n{}", table(&HEADER, &rows));
        let both =
            added(measured, |figures| figures.p50).zip(added(measured, |figures| figures.p99));
        if let Some((p50, p99)) = both {
            text.push_str(&format!(
                "\nadded by the hub, 1 connection: p50 {p50:?}, p99 {p99:?}\n"
            ));
        }
        for run in measured {
            if let Some(failure) = &run.figures.first_failure {
                text.push_str(&format!("{}: first failure: {failure}\n", run.name));
            }
        }
        text
    });
}

/// What the hub adds to a call of the first run in the second.
fn added(measured: &[Measured], of: fn(&Figures) -> Duration) -> Option<Duration> {
    let [direct, hub, ..] = measured else {
        return None;
    };
    Some(of(&hub.figures).saturating_sub(of(&direct.figures)))
}

fn as_json(run: &Measured) -> Value {
    let figures = &run.figures;
    json!({
        "name": run.name,
        "calls": figures.calls,
        "failures": figures.failures,
        "first_failure": figures.first_failure,
        "seconds": figures.took.as_secs_f64(),
        "calls_per_second": figures.per_second(),
        "p50_us": micros(figures.p50),
        "p99_us": micros(figures.p99),
        "p999_us": micros(figures.p999),
        "max_us": micros(figures.max),
        "hub_cpu_us_per_call": run.hub.map(|(cpu, _)| micros(cpu)),
        "hub_resident_bytes": run.hub.map(|(_, usage)| usage.resident),
        "hub_peak_bytes": run.hub.map(|(_, usage)| usage.peak),
    })
}

fn row(run: &Measured) -> Vec<String> {
    let figures = &run.figures;
    let milliseconds = |time: Duration| format!("{:.3} ms", time.as_secs_f64() * 1000.0);
    let hub =
        |text: fn(&(Duration, Usage)) -> String| run.hub.as_ref().map(text).unwrap_or_default();
    vec![
        run.name.clone(),
        format!("{:.0}", figures.per_second()),
        milliseconds(figures.p50),
        milliseconds(figures.p99),
        milliseconds(figures.p999),
        milliseconds(figures.max),
        figures.failures.to_string(),
        hub(|(cpu, _)| format!("{} µs", cpu.as_micros())),
        hub(|(_, usage)| format!("{} MiB", usage.resident / (1024 * 1024))),
    ]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

async fn steps(context: &Context) -> Result<ExitCode, Failure> {
    let folder = rig::Folder::new()?;
    let steps = bench::steps::steps(folder.path()).await?;
    let value: Vec<_> = steps
        .iter()
        .map(|step| json!({"step": step.name, "us": micros(step.each)}))
        .collect();
    context.output.show(&Value::Array(value), |_| {
        let rows: Vec<_> = steps
            .iter()
            .map(|step| vec![step.name.to_owned(), format!("{:.2} µs", micros(step.each))])
            .collect();
        format!("{}\n\n{}", rig::machine(), table(&["STEP", "EACH"], &rows))
    });
    Ok(ExitCode::SUCCESS)
}
