//! Every name of a tool leads to it, and the list says what it is.

use crate::counted::{SPOKES, Spoke};
use crate::described::Described;
use crate::differences::effect_words;
use crate::door::{Door, Way};
use serde_json::{Value, json};
use shared::id::ToolId;
use shared::tool::wire_alias;
use std::collections::BTreeSet;
use tests::catalogue::{Effect, Row, Table};

/// What a listed tool says against what the service describes and the catalogue wants.
fn check(listed: &Value, tool: &Described, table: &Table) {
    let effect = table.effect(&tool.id);
    let annotations = &listed["annotations"];
    assert_eq!(listed["description"], tool.description, "{}", tool.id);
    assert_eq!(listed["inputSchema"], tool.input, "{}", tool.id);
    assert_eq!(listed["outputSchema"], tool.output, "{}", tool.id);
    assert_eq!(
        annotations["readOnlyHint"],
        effect == Effect::Read,
        "{}",
        tool.id
    );
    assert_eq!(
        annotations["destructiveHint"], tool.destructive,
        "{}",
        tool.id
    );
    assert_eq!(
        annotations["idempotentHint"], tool.idempotent,
        "{}",
        tool.id
    );
    assert_eq!(annotations["openWorldHint"], tool.open_world, "{}", tool.id);
    let meta = &listed["_meta"];
    assert_eq!(
        meta["waygate/effect"],
        effect_words(effect).0,
        "{}",
        tool.id
    );
    assert_eq!(meta["waygate/aliases"], json!(tool.aliases), "{}", tool.id);
    let asks = match effect {
        Effect::Read | Effect::MutateOwn => "none",
        Effect::PerCall => "per_call",
        Effect::Mutate | Effect::Critical => "required",
    };
    assert_eq!(meta["waygate/approval"], asks, "{}", tool.id);
}

/// Acceptance: 16, 29
#[tokio::test]
async fn a_spoke_lists_each_tool_once_with_marks_that_fit() {
    for service in SPOKES {
        let spoke = Spoke::start(service).await;
        let table = Table::of(service.number);
        let described = Described::by(&spoke).await;
        for way in [Way::Modern, Way::Legacy] {
            let door = Door::of_spoke(&spoke, way).await;
            let answer = door.ask("tools/list", json!({})).await;
            let listed = answer["result"]["tools"].as_array().unwrap();
            check_all(listed, &described, &table);
        }
        spoke.running.stop().await;
    }
}

fn check_all(listed: &[Value], described: &[Described], table: &Table) {
    let names: BTreeSet<_> = listed.iter().map(|tool| tool["name"].as_str()).collect();
    assert_eq!(
        (names.len(), listed.len()),
        (described.len(), described.len())
    );
    for tool in described {
        let alias = wire_alias(&ToolId::parse(&tool.id).unwrap());
        let entry = listed
            .iter()
            .find(|listed| listed["_meta"]["waygate/id"] == tool.id);
        let entry = entry.unwrap_or_else(|| panic!("{} is not listed", tool.id));
        assert_eq!(entry["name"], alias);
        check(entry, tool, table);
    }
}

/// Acceptance: 16, 29
#[tokio::test]
async fn every_name_of_a_tool_calls_it() {
    for service in SPOKES {
        let spoke = Spoke::start(service).await;
        let door = Door::of_spoke(&spoke, Way::Modern).await;
        for row in &Table::of(service.number).tools {
            called_by_every_name(&spoke, &door, row).await;
        }
        let unknown = door.call("cmdb.nothing", &json!({})).await;
        assert_eq!(
            unknown.rpc,
            i64::from(proto::mcp::code::INVALID_PARAMS),
            "{}",
            unknown.body
        );
        spoke.running.stop().await;
    }
}

async fn called_by_every_name(spoke: &Spoke, door: &Door, row: &Row) {
    let arguments = spoke.place.fill(&row.sample);
    let alias = wire_alias(&ToolId::parse(&row.id).unwrap());
    for name in row.aliases.iter().chain([&row.id, &alias]) {
        let before = spoke.runs.of_tool(&row.id);
        let answer = door.call(name, &arguments).await;
        assert_eq!(answer.rpc, 0, "{name}: {}", answer.body);
        let ran = spoke.runs.of_tool(&row.id) - before;
        match row.effect {
            Effect::Read | Effect::MutateOwn => assert_eq!(ran, 1, "{name}"),
            Effect::PerCall => assert!(answer.code != "APPROVAL_REQUIRED", "{name}"),
            Effect::Mutate | Effect::Critical => {
                assert_eq!(answer.code, "APPROVAL_REQUIRED", "{name}");
            }
        }
    }
}
