//! Past the hub, a spoke still runs what only reads and holds back what changes something.

use crate::counted::{SPOKES, Spoke};
use crate::described::Described;
use crate::door::{Door, Way};
use crate::values;
use serde_json::Value;
use shared::error::Code;
use shared::testkit::HubCall;
use tests::catalogue::{Effect, Table};

/// Codes that say the call was let through but what it reads is not there.
pub(crate) const NOTHING_TO_READ: [Code; 4] = [
    Code::NotConfigured,
    Code::NotFound,
    Code::BadGateway,
    Code::ServiceUnavailable,
];

/// A tool with arguments that only read, or that change something.
pub(crate) fn calls(table: &Table, tools: &[Described], held: bool) -> Vec<(String, Value)> {
    let mut calls = Vec::new();
    for tool in tools {
        let effect = table.effect(&tool.id);
        let sample = table.sample(&tool.id);
        let change = table.row(&tool.id).and_then(|row| row.change.as_ref());
        match effect {
            Effect::PerCall if held => calls.extend(change.map(|it| (tool.id.clone(), it.clone()))),
            _ if effect.is_held() == held => calls.push((tool.id.clone(), sample.clone())),
            _ => {}
        }
    }
    calls
}

/// Acceptance: 31
#[tokio::test]
async fn what_only_reads_runs_without_asking_anybody() {
    for service in SPOKES {
        let spoke = Spoke::start(service).await;
        let table = Table::of(service.number);
        for (tool, sample) in calls(&table, &Described::by(&spoke).await, false) {
            let arguments = spoke.place.fill(&sample);
            let before = spoke.runs.of_tool(&tool);
            reads(&spoke, &table, &tool, &arguments).await;
            let ran = spoke.runs.of_tool(&tool) - before;
            assert!(
                ran == 2 || table.effect(&tool) == Effect::PerCall,
                "{tool} ran {ran} times"
            );
        }
        spoke.running.stop().await;
    }
}

/// Calls a tool once at each door of a spoke; it answers, or says that what it reads is not there.
async fn reads(spoke: &Spoke, table: &Table, tool: &str, arguments: &Value) {
    let called = spoke
        .hub_client()
        .await
        .call(&HubCall::new(tool, arguments))
        .await;
    match called {
        Ok(result) => values::check(table, tool, &result),
        Err(error) => assert!(NOTHING_TO_READ.contains(&error.code), "{tool}: {error}"),
    }
    let door = Door::of_spoke(spoke, Way::Modern).await;
    let answer = door.call(tool, arguments).await;
    let code = Code::parse(&answer.code);
    let nothing = code.is_some_and(|code| NOTHING_TO_READ.contains(&code));
    assert!(
        answer.result.is_object() || nothing,
        "{tool}: {}",
        answer.body
    );
}

/// Acceptance: 98
#[tokio::test]
async fn what_changes_something_is_held_back_at_every_door_of_a_spoke() {
    for service in SPOKES {
        let spoke = Spoke::start(service).await;
        let table = Table::of(service.number);
        let before = spoke.place.contents();
        let calls = calls(&table, &Described::by(&spoke).await, true);
        assert!(!calls.is_empty());
        for (tool, sample) in calls {
            is_held(&spoke, &tool, &spoke.place.fill(&sample)).await;
        }
        assert_eq!(spoke.runs.all(), 0, "a body began: {:?}", spoke.runs);
        assert_eq!(spoke.place.contents(), before);
        spoke.running.stop().await;
    }
}

async fn is_held(spoke: &Spoke, tool: &str, arguments: &Value) {
    let called = spoke
        .hub_client()
        .await
        .call(&HubCall::new(tool, arguments))
        .await;
    let refused = called.unwrap_err();
    assert_eq!(refused.code, Code::ApprovalRequired, "{tool}: {refused}");
    for way in [Way::Modern, Way::Legacy] {
        let answer = Door::of_spoke(spoke, way).await.call(tool, arguments).await;
        assert_eq!(answer.code, "APPROVAL_REQUIRED", "{tool}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_change_that_is_approved_is_counted() {
    let spoke = Spoke::start(SPOKES[1]).await;
    let table = Table::of(12);
    let tool = "cmdb.local.createServer";
    let mut hub = spoke.hub_client().await;
    let call = HubCall::new(tool, table.sample(tool)).key("once");
    let approved = hub.approve(call, shared::tool::Effect::Mutate);
    let reached = hub.call(&approved).await.unwrap_err();
    assert_eq!(reached.code, Code::InternalError, "{reached}");
    assert_eq!(spoke.runs.of_tool(tool), 1);
    spoke.running.stop().await;
}
