//! What the benchmark of workflows prints.

use super::super::super::Context;
use super::super::super::output::table;
use super::super::{micros, rig};
use super::{Measured, WATCHED, Waiting};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn show(context: &Context, measured: &[Measured], waiting: &Waiting) {
    let machine = rig::machine();
    let runs: Vec<Value> = measured.iter().map(as_json).collect();
    let value = json!({
        "machine": machine,
        "runs": runs,
        "waiting": {
            "runs": waiting.runs,
            "bytes_each": bytes_each(waiting),
            "idle_cpu_ms": waiting.idle.map(milliseconds),
            "idle_seconds": WATCHED.as_secs(),
            "restart_without_ms": milliseconds(waiting.restart.0),
            "restart_with_ms": milliseconds(waiting.restart.1),
        },
    });
    context.output.show(&value, |_| {
        let header = [
            "STEPS OF",
            "STEPS/S",
            "P50",
            "P99",
            "P99.9",
            "MAX",
            "HUB CPU/STEP",
        ];
        let rows: Vec<_> = measured.iter().map(row).collect();
        format!(
            "{machine}\n\n{}\n{}",
            table(&header, &rows),
            sentences(waiting)
        )
    });
}

fn sentences(waiting: &Waiting) -> String {
    let memory =
        bytes_each(waiting).map_or_else(String::new, |each| format!("{each} bytes each; "));
    let idle = waiting.idle.map_or_else(String::new, |idle| {
        format!(
            "{} ms of processor time in {} s",
            idle.as_millis(),
            WATCHED.as_secs()
        )
    });
    format!(
        "{} runs wait: {memory}{idle}\nrestart until ready: {:.0} ms without them, {:.0} ms with them\n",
        waiting.runs,
        milliseconds(waiting.restart.0),
        milliseconds(waiting.restart.1),
    )
}

/// What one run that waits adds to the memory of the hub.
fn bytes_each(waiting: &Waiting) -> Option<u64> {
    let (empty, full) = waiting.memory?;
    full.resident
        .saturating_sub(empty.resident)
        .checked_div(waiting.runs)
}

fn as_json(run: &Measured) -> Value {
    json!({
        "name": run.name,
        "steps": run.steps,
        "seconds": run.took.as_secs_f64(),
        "steps_per_second": per_second(run),
        "p50_us": run.times.value_at_quantile(0.5),
        "p99_us": run.times.value_at_quantile(0.99),
        "p999_us": run.times.value_at_quantile(0.999),
        "max_us": run.times.max(),
        "hub_cpu_us_per_step": run.cpu.map(micros),
    })
}

fn row(run: &Measured) -> Vec<String> {
    let at = |quantile: f64| {
        let time = Duration::from_micros(run.times.value_at_quantile(quantile));
        format!("{:.2} ms", milliseconds(time))
    };
    vec![
        run.name.clone(),
        format!("{:.0}", per_second(run)),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        run.cpu
            .map_or_else(String::new, |cpu| format!("{} µs", cpu.as_micros())),
    ]
}

fn per_second(run: &Measured) -> f64 {
    let steps = u32::try_from(run.steps).unwrap_or(u32::MAX);
    f64::from(steps) / run.took.as_secs_f64().max(f64::EPSILON)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
