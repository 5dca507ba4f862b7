//! Every tool of the tables is described as the tables say.

use crate::counted::{SPOKES, Spoke};
use crate::described::Described;
use crate::differences;
use crate::hub;
use shared::id::ToolId;
use shared::tool::wire_alias;
use std::collections::BTreeSet;
use tests::catalogue::Table;

/// Every difference between a table and what the service describes.
fn check(number: u16, tools: &[Described]) -> Vec<String> {
    let table = Table::of(number);
    let mut complaints = Vec::new();
    for row in &table.tools {
        let Some(tool) = tools.iter().find(|tool| tool.id == row.id) else {
            complaints.push(format!("{}: is not offered", row.id));
            continue;
        };
        let found = differences::of(&table, row, tool);
        let unknown = found
            .iter()
            .filter(|(field, _)| !row.differs.contains_key(field));
        complaints.extend(unknown.map(|(field, what)| format!("{}: {field}: {what}", row.id)));
        let gone = row
            .differs
            .keys()
            .filter(|known| found.iter().all(|(field, _)| field != *known));
        complaints.extend(gone.map(|field| format!("{}: {field}: differs no more", row.id)));
    }
    for tool in tools {
        let beyond = table.beyond.iter().find(|beyond| beyond.id == tool.id);
        let wanted = beyond.map(|beyond| differences::effect_words(beyond.effect));
        if table.row(&tool.id).is_none() && wanted != Some((tool.effect.as_str(), tool.per_call)) {
            complaints.push(format!("{}: is not written down with this effect", tool.id));
        }
    }
    complaints
}

fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Acceptance: 29
#[tokio::test]
async fn the_hub_offers_its_tools_as_the_catalogue_has_them() {
    none(&check(0, &hub::own_tools().await));
}

/// Acceptance: 29
#[tokio::test]
async fn spokes_offer_their_tools_as_the_catalogue_has_them() {
    let mut complaints = Vec::new();
    for service in SPOKES {
        let spoke = Spoke::start(service).await;
        let table = Table::of(service.number);
        assert_eq!(
            (service.name, service.number),
            (table.service.as_str(), table.number)
        );
        let namespaces: BTreeSet<&str> = table.namespaces.iter().map(String::as_str).collect();
        assert_eq!(
            service.namespaces.iter().copied().collect::<BTreeSet<_>>(),
            namespaces
        );
        complaints.extend(check(service.number, &Described::by(&spoke).await));
        spoke.running.stop().await;
    }
    none(&complaints);
}

/// Acceptance: 15, 16
#[tokio::test]
async fn ids_are_dotted_and_wire_names_are_safe_and_each_one_tools() {
    let mut tools = hub::own_tools().await;
    for service in SPOKES {
        let spoke = Spoke::start(service).await;
        tools.extend(Described::by(&spoke).await);
        spoke.running.stop().await;
    }
    let mut names = BTreeSet::new();
    for tool in &tools {
        let id = ToolId::parse(&tool.id).expect("a canonical id");
        let alias = wire_alias(&id);
        let safe = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(
            (1..=64).contains(&alias.len()) && alias.chars().all(safe),
            "{alias}"
        );
        for name in tool.aliases.iter().chain([&tool.id, &alias]) {
            assert!(names.insert(name.clone()), "two tools are called {name}");
        }
    }
}
