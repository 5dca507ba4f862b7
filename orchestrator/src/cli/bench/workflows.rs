//! `waygate bench workflows`: durable steps a second, memory of runs that wait, time of a restart.
//!
//! A hub of its own runs workflows of one call after the other; each step is a commit on disk before it
//! is sent. The time of a step is taken from the hub's own record: from the beginning of one step to the
//! beginning of the next, so that it holds the call, the commit and the dispatch.

mod show;

use super::super::client::HubClient;
use super::super::output::field;
use super::super::{Context, Failure};
use super::rig::Rig;
use crate::bench::{Usage, echo};
use clap::Args;
use hdrhistogram::Histogram;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::tasks::Tasks;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// A tool of the hub itself: no process in between.
const OWN_TOOL: &str = "master.add_numbers";
/// Clients that start runs which wait.
const STARTERS: usize = 32;
/// How long a hub with runs that wait is watched.
const WATCHED: Duration = Duration::from_secs(10);
/// Longest wait until every run of a benchmark stands still.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(in crate::cli) struct WorkflowsArgs {
    /// Runs at once.
    #[arg(long, default_value_t = 64)]
    runs: usize,
    /// Steps of each run.
    #[arg(long, default_value_t = 20)]
    steps: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Runs that wait, for their memory and the restart.
    #[arg(long, default_value_t = 10_000)]
    waiting: u64,
}

/// Steps of many runs.
struct Measured {
    name: String,
    steps: u64,
    took: Duration,
    times: Histogram<u64>,
    /// Processor time of the hub for one step.
    cpu: Option<Duration>,
}

/// Runs that wait.
struct Waiting {
    runs: u64,
    /// Memory of the hub without and with them.
    memory: Option<(Usage, Usage)>,
    /// Processor time within [`WATCHED`].
    idle: Option<Duration>,
    /// From a start to ready, without and with them.
    restart: (Duration, Duration),
}

pub(super) async fn run(context: &Context, args: &WorkflowsArgs) -> Result<ExitCode, Failure> {
    let mut rig = Rig::start(context, &[]).await?;
    let seconds = Duration::from_secs(args.seconds.max(1));
    let mut measured = Vec::new();
    for (tool, runs) in [
        (OWN_TOOL, 1),
        (OWN_TOOL, args.runs),
        (echo::TOOL, args.runs),
    ] {
        let name = format!("{tool}, {runs} at once");
        context.output.note(&format!("measuring: {name}"));
        let document = steps_of(tool, args.steps);
        let clients = Clients::new(rig.client(context)?, document);
        clients.run(runs, Duration::from_secs(1)).await?;
        let before = rig.hub_usage();
        let (times, took) = clients.run(runs, seconds).await?;
        let after = rig.hub_usage();
        let steps = times.len();
        let each = u32::try_from(steps).unwrap_or(u32::MAX).max(1);
        measured.push(Measured {
            name,
            steps,
            took,
            times,
            cpu: before
                .zip(after)
                .map(|(before, after)| after.cpu_since(&before) / each),
        });
    }
    context
        .output
        .note(&format!("measuring: {} runs that wait", args.waiting));
    let waiting = wait(context, &mut rig, args.waiting).await?;
    rig.stop().await;
    show::show(context, &measured, &waiting);
    Ok(ExitCode::SUCCESS)
}

/// A document of calls, one after the other.
fn steps_of(tool: &str, steps: usize) -> Value {
    let with = if tool == OWN_TOOL {
        json!({"a": 40, "b": 2})
    } else {
        json!({ "text": echo::TEXT })
    };
    let calls = (0..steps).map(|number| {
        let mut task = serde_json::Map::new();
        task.insert(format!("step{number}"), json!({"call": tool, "with": with}));
        Value::Object(task)
    });
    document("steps", Value::Array(calls.collect()))
}

fn document(name: &str, tasks: Value) -> Value {
    json!({
        "document": {"dsl": "1.0.3", "namespace": "bench", "name": name, "version": "1.0.0"},
        "do": tasks,
    })
}

/// Clients of one hub that start runs of one document and wait for their ends.
struct Clients {
    client: Arc<HubClient>,
    document: Arc<Value>,
    tasks: Tasks,
}

impl Clients {
    fn new(client: HubClient, document: Value) -> Self {
        Self {
            client: Arc::new(client),
            document: Arc::new(document),
            tasks: Tasks::new(),
        }
    }

    /// Keeps so many runs going: times between steps in microseconds, and how long it took.
    async fn run(
        &self,
        runs: usize,
        duration: Duration,
    ) -> Result<(Histogram<u64>, Duration), Failure> {
        let began = Instant::now();
        let workers: Vec<_> = (0..runs)
            .map(|_| {
                let (client, document) = (Arc::clone(&self.client), Arc::clone(&self.document));
                let worker = worker(client, document, began + duration);
                self.tasks.spawn("bench worker", worker)
            })
            .collect();
        let mut all = histogram()?;
        for worker in workers {
            let ended = worker
                .await
                .map_err(|error| Failure::failed(error.to_string()))?;
            all.add(ended?)
                .map_err(|error| Failure::failed(error.to_string()))?;
        }
        Ok((all, began.elapsed()))
    }
}

async fn worker(
    client: Arc<HubClient>,
    document: Arc<Value>,
    end: Instant,
) -> Result<Histogram<u64>, Failure> {
    let mut times = histogram()?;
    let body = json!({"workflow": *document, "wait": true, "timeout": 300});
    while Instant::now() < end {
        let run = client.post("/api/workflows", &body).await?;
        if field(&run, "status") != "completed" {
            return Err(Failure::failed(format!("a run failed: {run}")));
        }
        for time in times_of(&run) {
            times.saturating_record(time);
        }
    }
    Ok(times)
}

/// From the beginning of each step to that of the next, or to the end of the run.
fn times_of(run: &Value) -> Vec<u64> {
    let date = |value: &Value, name: &str| field(value, name).parse::<Timestamp>().ok();
    let steps = run.get("steps").and_then(Value::as_array);
    let mut dates: Vec<Timestamp> = steps
        .into_iter()
        .flatten()
        .filter_map(|step| date(step, "started_at"))
        .collect();
    dates.extend(date(run, "finished_at"));
    let pairs = dates.iter().zip(dates.iter().skip(1));
    pairs
        .filter_map(|(from, to)| u64::try_from(to.duration_since(*from).as_micros()).ok())
        .collect()
}

fn histogram() -> Result<Histogram<u64>, Failure> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3)
        .map_err(|error| Failure::failed(error.to_string()))
}

/// Starts runs that wait for a day, then the hub.
async fn wait(context: &Context, rig: &mut Rig, runs: u64) -> Result<Waiting, Failure> {
    let without = rig.restart(context).await?;
    let tasks = json!([{"rest": {"wait": {"hours": 24}}}]);
    let document = Arc::new(document("rest", tasks));
    let client = Arc::new(rig.client(context)?);
    // What the first run needs is not counted as memory of all.
    let body = json!({ "workflow": *document });
    client.post("/api/workflows", &body).await?;
    let empty = rig.hub_usage();
    let left = Arc::new(AtomicU64::new(runs));
    let tasks = Tasks::new();
    let starters: Vec<_> = (0..STARTERS)
        .map(|_| {
            let begun = start(
                Arc::clone(&client),
                Arc::clone(&document),
                Arc::clone(&left),
            );
            tasks.spawn("bench starter", begun)
        })
        .collect();
    for starter in starters {
        starter
            .await
            .map_err(|error| Failure::failed(error.to_string()))??;
    }
    until_all_wait(&client, runs).await?;
    let full = rig.hub_usage();
    tokio::time::sleep(WATCHED).await;
    let later = rig.hub_usage();
    let with = rig.restart(context).await?;
    Ok(Waiting {
        runs,
        memory: empty.zip(full),
        idle: full.zip(later).map(|(full, later)| later.cpu_since(&full)),
        restart: (without, with),
    })
}

async fn start(
    client: Arc<HubClient>,
    document: Arc<Value>,
    left: Arc<AtomicU64>,
) -> Result<(), Failure> {
    let body = json!({ "workflow": *document });
    let take = |left: u64| left.checked_sub(1);
    while left
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, take)
        .is_ok()
    {
        client.post("/api/workflows", &body).await?;
    }
    Ok(())
}

async fn until_all_wait(client: &HubClient, runs: u64) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    loop {
        ticks.tick().await;
        let begun = client.get("/api/workflows?limit=1&status=running").await?;
        let new = client.get("/api/workflows?limit=1&status=pending").await?;
        if [begun, new]
            .iter()
            .all(|list| list.as_array().is_some_and(Vec::is_empty))
        {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Failure::failed(format!("some of {runs} runs do not wait")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_step_ends_where_the_next_begins() {
        let run = json!({
            "steps": [
                {"started_at": "2026-11-21T07:00:00.000100Z"},
                {"started_at": "2026-11-21T07:00:00.000350Z"},
            ],
            "finished_at": "2026-11-21T07:00:00.001Z",
        });
        assert_eq!(times_of(&run), [250, 650]);
        assert!(times_of(&json!({})).is_empty());
    }

    #[test]
    fn a_document_has_as_many_steps_as_asked_for() {
        let document = steps_of(OWN_TOOL, 3);
        assert_eq!(document["do"].as_array().unwrap().len(), 3);
        assert_eq!(document["do"][2]["step2"]["call"], OWN_TOOL);
    }
}
