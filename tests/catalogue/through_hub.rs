//! The same tools through the hub, at every door it has for hosts.

use crate::consent::{NOTHING_TO_READ, calls};
use crate::counted::Spoke;
use crate::described::Described;
use crate::differences::effect_words;
use crate::door::{Door, Way};
use crate::installation::Installation;
use crate::{values, wrong};
use serde_json::{Value, json};
use shared::error::Code;
use std::collections::BTreeSet;
use tests::catalogue::{Effect, Row, Table};

const WAYS: [Way; 2] = [Way::Modern, Way::Legacy];

/// Acceptance: 16, 29
#[tokio::test(flavor = "multi_thread")]
async fn the_hub_lists_every_tool_and_takes_every_name() {
    let all = Installation::open().await;
    for way in WAYS {
        let door = all.door(way).await;
        let answer = door.ask("tools/list", json!({})).await;
        let listed = answer["result"]["tools"].as_array().unwrap();
        let names: BTreeSet<_> = listed
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), listed.len(), "a name stands twice");
        for number in [0, 1, 12] {
            let table = Table::of(number);
            table.tools.iter().for_each(|row| is_listed(row, listed));
        }
    }
    let door = all.door(Way::Modern).await;
    for spoke in &all.spokes {
        for row in &Table::of(spoke.service.number).tools {
            takes_every_name(&all, spoke, &door, row).await;
        }
    }
}

fn is_listed(row: &Row, listed: &[Value]) {
    let entry = listed
        .iter()
        .find(|tool| tool["_meta"]["waygate/id"] == row.id);
    let entry = entry.unwrap_or_else(|| panic!("{} is not listed", row.id));
    let (effect, _) = effect_words(row.effect);
    assert_eq!(entry["_meta"]["waygate/effect"], effect, "{}", row.id);
    assert_eq!(
        entry["annotations"]["readOnlyHint"],
        row.effect == Effect::Read,
        "{}",
        row.id
    );
    assert_eq!(
        entry["annotations"]["idempotentHint"], row.idempotent,
        "{}",
        row.id
    );
    assert_eq!(
        entry["annotations"]["openWorldHint"], row.open_world,
        "{}",
        row.id
    );
    assert!(
        entry["annotations"]["destructiveHint"].is_boolean(),
        "{}",
        row.id
    );
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name = entry["name"].as_str().unwrap();
    assert!(
        (1..=64).contains(&name.len()) && name.chars().all(safe),
        "{name}"
    );
}

async fn takes_every_name(all: &Installation, spoke: &Spoke, door: &Door, row: &Row) {
    let arguments = spoke.place.fill(&row.sample);
    for name in row
        .aliases
        .iter()
        .chain([&row.id, &row.id.replace('.', "_")])
    {
        let answer = door.call(name, &arguments).await;
        assert_eq!(answer.rpc, 0, "{name}: {}", answer.body);
        assert_eq!(
            answer.code == "APPROVAL_REQUIRED",
            row.effect.is_held(),
            "{name}: {}",
            answer.body
        );
    }
    all.reject_all().await;
}

/// Acceptance: 31
#[tokio::test(flavor = "multi_thread")]
async fn what_only_reads_runs_through_the_hub_without_asking_anybody() {
    let all = Installation::open().await;
    for spoke in &all.spokes {
        let table = Table::of(spoke.service.number);
        let tools = all.described(spoke).await;
        for (tool, sample) in calls(&table, &tools, false) {
            let arguments = spoke.place.fill(&sample);
            reads(&all, spoke, &table, (&tool, &arguments)).await;
        }
    }
    let own = Table::of(0);
    let door = all.door(Way::Modern).await;
    for row in &own.tools {
        let answer = door.call(&row.id, &row.sample).await;
        let ran = answer.result.is_object() || answer.code == "NOT_FOUND";
        assert!(ran, "{}: {}", row.id, answer.body);
        if answer.result.is_object() {
            values::check(&own, &row.id, &answer.result);
        }
    }
    assert!(all.waiting().await.is_empty(), "somebody was asked");
}

async fn reads(
    all: &Installation,
    spoke: &Spoke,
    table: &Table,
    (tool, arguments): (&str, &Value),
) {
    let nothing =
        |code: &str| Code::parse(code).is_some_and(|code| NOTHING_TO_READ.contains(&code));
    for way in WAYS {
        let answer = all.door(way).await.call(tool, arguments).await;
        assert!(
            answer.result.is_object() || nothing(&answer.code),
            "{tool}: {}",
            answer.body
        );
        if answer.result.is_object() {
            values::check(table, tool, &answer.result);
        }
    }
    for reply in all.over_rest(spoke.service.name, tool, arguments).await {
        let body = reply.body.to_string();
        assert!(!body.contains("APPROVAL_REQUIRED"), "{tool}: {body}");
    }
    let ran = spoke.runs.of_tool(tool) > 0 || table.effect(tool) == Effect::PerCall;
    assert!(ran, "{tool} did not run");
}

/// Acceptance: 98
#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_is_held_back_at_every_door_of_the_hub() {
    let all = Installation::open().await;
    for spoke in &all.spokes {
        let table = Table::of(spoke.service.number);
        let before = spoke.place.contents();
        for (tool, sample) in calls(&table, &all.described(spoke).await, true) {
            is_held(&all, spoke, &tool, &spoke.place.fill(&sample)).await;
        }
        assert_eq!(spoke.place.contents(), before);
    }
    assert_eq!(all.runs(), 0, "a body began");
}

async fn is_held(all: &Installation, spoke: &Spoke, tool: &str, arguments: &Value) {
    let mut requests = BTreeSet::new();
    for way in WAYS {
        let answer = all.door(way).await.call(tool, arguments).await;
        assert_eq!(answer.code, "APPROVAL_REQUIRED", "{tool}: {}", answer.body);
        let approval = answer
            .body
            .pointer("/result/structuredContent/approval/request_id");
        requests.insert(approval.and_then(Value::as_str).unwrap().to_owned());
    }
    let [engine, direct] = all.over_rest(spoke.service.name, tool, arguments).await;
    let code = engine
        .body
        .pointer("/error/code")
        .or(engine.body.pointer("/error/error/code"));
    assert_eq!(
        code.and_then(Value::as_str),
        Some("APPROVAL_REQUIRED"),
        "{tool}: {}",
        engine.body
    );
    assert_eq!(
        direct.code(),
        "APPROVAL_REQUIRED",
        "{tool}: {}",
        direct.body
    );
    assert_eq!(requests.len(), 1, "one question asked twice is one request");
    all.reject_all().await;
}

/// Acceptance: 101
#[tokio::test(flavor = "multi_thread")]
async fn no_body_begins_through_the_hub_with_arguments_that_do_not_fit() {
    let all = Installation::open().await;
    let mut doors = Vec::new();
    for way in WAYS {
        doors.push(all.door(way).await);
    }
    for spoke in &all.spokes {
        let table = Table::of(spoke.service.number);
        for tool in all.described(spoke).await {
            let good = spoke.place.fill(table.sample(&tool.id));
            refused(&doors, &tool, &good).await;
        }
    }
    for tool in crate::hub::own_tools().await {
        refused(&doors, &tool, Table::of(0).sample(&tool.id)).await;
    }
    assert_eq!(all.runs(), 0, "a body began");
}

async fn refused(doors: &[Door], tool: &Described, good: &Value) {
    for wrong in wrong::all(tool, good) {
        for door in doors {
            let answer = door.call(&tool.id, &wrong.arguments).await;
            let what = format!("{}: {} {}", tool.id, wrong.field, wrong.fault);
            assert!(answer.names(&wrong.field), "{what}: {}", answer.body);
        }
    }
}
