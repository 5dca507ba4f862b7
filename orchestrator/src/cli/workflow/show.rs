//! Runs as text, and a run followed live.

use super::super::client::HubClient;
use super::super::output::{field, table};
use super::super::{Context, Failure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a followed run is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Prints each change of a run's steps as it happens, until the run ends or waits for people.
pub(super) async fn follow(
    context: &Context,
    client: &HubClient,
    id: &str,
) -> Result<Value, Failure> {
    context.output.note(id);
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut told = String::new();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let run = client.get(&format!("/api/workflows/{id}")).await?;
        for step in run
            .get("steps")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let status = field(step, "status").to_owned();
            let path = field(step, "path").to_owned();
            if seen.get(&path) != Some(&status) {
                context.output.note(&step_line(step));
                seen.insert(path, status);
            }
        }
        let waits = waiting_on(&run);
        if !waits.is_empty() && waits != told {
            context.output.note(&format!("waiting: {waits}"));
            told = waits;
        }
        if !field(&run, "finished_at").is_empty() || field(&run, "phase") == "suspended" {
            context.output.show(&run, one_line);
            return Ok(run);
        }
    }
}

fn step_line(step: &Value) -> String {
    let tool = field(step, "tool");
    let tool = if tool.is_empty() {
        String::new()
    } else {
        format!("  {tool}")
    };
    let error = step.pointer("/error/detail").and_then(Value::as_str);
    let error = error.map_or_else(String::new, |error| format!("  {error}"));
    format!(
        "{:<18}{}{tool}{error}",
        field(step, "status"),
        field(step, "path")
    )
}

/// One line about a run.
pub(super) fn one_line(run: &Value) -> String {
    let reason = field(run, "reason");
    let reason = if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    };
    let (id, status) = (field(run, "workflow_id"), field(run, "status"));
    format!("{id} is {status}{reason}")
}

/// What a run waits for, in one line.
fn waiting_on(run: &Value) -> String {
    let waits = run.get("waits").and_then(Value::as_array);
    let texts = waits.into_iter().flatten().map(|wait| {
        let until = field(wait, "until");
        let until = if until.is_empty() {
            String::new()
        } else {
            format!(" until {until}")
        };
        format!(
            "{} at {} since {}{until}",
            field(wait, "for"),
            field(wait, "path"),
            field(wait, "since")
        )
    });
    texts.collect::<Vec<_>>().join("; ")
}

/// A run with its steps.
pub(super) fn describe(run: &Value) -> String {
    let mut text = String::new();
    for name in [
        "workflow_id",
        "workflow_name",
        "status",
        "phase",
        "reason",
        "correlation_id",
        "created_at",
        "finished_at",
    ] {
        if !field(run, name).is_empty() {
            text.push_str(&format!("{name:<16}{}\n", field(run, name)));
        }
    }
    let waits = waiting_on(run);
    if !waits.is_empty() {
        text.push_str(&format!("{:<16}{waits}\n", "waiting"));
    }
    let approval = run.pointer("/approval/request_id").and_then(Value::as_str);
    if let Some(approval) = approval {
        text.push_str(&format!(
            "{:<16}waygate approvals show {approval}\n",
            "approval"
        ));
    }
    let steps = run.get("steps").and_then(Value::as_array);
    let rows: Vec<Vec<String>> = steps
        .into_iter()
        .flatten()
        .map(|step| {
            let number = |name: &str| step.get(name).map(Value::to_string).unwrap_or_default();
            vec![
                field(step, "path").to_owned(),
                field(step, "status").to_owned(),
                field(step, "tool").to_owned(),
                number("attempts"),
                format!("{} ms", number("duration_ms")),
            ]
        })
        .collect();
    text.push('\n');
    text.push_str(&table(
        &["STEP", "STATUS", "TOOL", "ATTEMPTS", "TOOK"],
        &rows,
    ));
    text
}

/// Runs as a table.
pub(super) fn list_table(runs: &Value) -> String {
    let rows: Vec<Vec<String>> = runs
        .as_array()
        .into_iter()
        .flatten()
        .map(|run| {
            [
                "workflow_id",
                "workflow_name",
                "status",
                "phase",
                "created_at",
            ]
            .map(|name| field(run, name).to_owned())
            .into()
        })
        .collect();
    if rows.is_empty() {
        return "no runs".to_owned();
    }
    table(&["ID", "WORKFLOW", "STATUS", "PHASE", "CREATED"], &rows)
}

/// One event of a run's life.
pub(super) fn event_line(event: &Value) -> String {
    let task = event
        .pointer("/data/task")
        .and_then(Value::as_str)
        .unwrap_or_default();
    format!("{}  {}  {task}", field(event, "time"), field(event, "type"))
}

/// What differs between two documents, line by line.
pub(super) fn differences(adopted: &Value) -> String {
    let changes = adopted.get("changes").and_then(Value::as_array);
    let line = |change: &Value| {
        let forbids = change.get("forbids").and_then(Value::as_bool) == Some(true);
        let mark = if forbids { " (executed already)" } else { "" };
        format!(
            "{:8} {}{mark}",
            field(change, "kind"),
            field(change, "pointer")
        )
    };
    let mut lines: Vec<String> = changes.into_iter().flatten().map(line).collect();
    let done = adopted.get("adopted").and_then(Value::as_bool) == Some(true);
    lines.push(if done {
        format!("the run goes on with {}", field(adopted, "to"))
    } else {
        "nothing was changed".to_owned()
    });
    lines.join("\n")
}
