//! What the hub offers itself.

use crate::hub;
use serde_json::json;
use tests::catalogue::Table;
use tests::contract::described::Described;
use tests::contract::door::{Door, Way};
use tests::contract::installation::Installation;
use tests::contract::{tables, values, wrong};

/// Acceptance: 29
#[tokio::test]
async fn the_hub_offers_its_tools_as_the_catalogue_has_them() {
    let mut complaints = tables::check(0, &hub::own_tools().await);
    // Those about runs want a whole hub: the next test finds them in its list and calls them.
    complaints.retain(|it| {
        !["workflow.", "orchestrator."]
            .iter()
            .any(|of| it.starts_with(of))
    });
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Acceptance: 29, 31
#[tokio::test(flavor = "multi_thread")]
async fn the_hubs_own_reads_run_without_asking_anybody() {
    let all = Installation::of(Vec::new()).await;
    let own = Table::of(0);
    let door = all.door(Way::Modern).await;
    let listed = door.ask("tools/list", json!({})).await;
    for row in &own.tools {
        let tools = listed["result"]["tools"].as_array().unwrap();
        let mut ids = tools.iter().map(|tool| &tool["_meta"]["waygate/id"]);
        assert!(ids.any(|id| *id == row.id), "{} is not listed", row.id);
        let answer = door.call(&row.id, &row.sample).await;
        let ran = answer.result.is_object() || answer.code == "NOT_FOUND";
        assert!(ran, "{}: {}", row.id, answer.body);
        if answer.result.is_object() {
            values::check(&own, &row.id, &answer.result);
        }
    }
    assert!(all.waiting().await.is_empty(), "somebody was asked");
}

/// Acceptance: 101
#[tokio::test(flavor = "multi_thread")]
async fn the_hubs_own_tools_refuse_arguments_that_do_not_fit() {
    let all = Installation::of(Vec::new()).await;
    for way in [Way::Modern, Way::Legacy] {
        let door = all.door(way).await;
        for tool in hub::own_tools().await {
            refuses(&door, &tool).await;
        }
    }
}

async fn refuses(door: &Door, tool: &Described) {
    for wrong in wrong::all(tool, Table::of(0).sample(&tool.id)) {
        let answer = door.call(&tool.id, &wrong.arguments).await;
        let what = format!("{}: {} {}", tool.id, wrong.field, wrong.fault);
        assert!(answer.names(&wrong.field), "{what}: {}", answer.body);
    }
}
