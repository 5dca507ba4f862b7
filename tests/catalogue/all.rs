//! The tables of all services together.

use crate::hub;
use shared::id::ToolId;
use shared::tool::wire_alias;
use std::collections::BTreeSet;
use tests::catalogue::Table;

/// Numbers of the tables there are, from 0 for the hub.
fn numbers() -> Vec<u16> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/catalogue");
    let files = std::fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().path());
    let mut numbers: Vec<u16> = names
        .filter_map(|path| path.file_stem()?.to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Folders in `services/`.
fn services() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../services");
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

/// Acceptance: 29
#[test]
fn every_service_has_a_table_and_is_held_against_it() {
    let tables: Vec<String> = numbers()
        .into_iter()
        .filter(|number| *number > 0)
        .map(|number| Table::of(number).service)
        .collect();
    assert_eq!(tables, services());
    for service in &tables {
        let main = format!("{}/{service}/main.rs", env!("CARGO_MANIFEST_DIR"));
        let folder = std::path::Path::new(&main).parent().unwrap();
        let texts = std::fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("{service} has no tests: {error}"))
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap_or_default());
        let held = texts
            .filter(|text| text.contains("contract_tests!("))
            .count();
        assert_eq!(held, 1, "{service} is not held against its table");
    }
}

/// Acceptance: 15, 16
#[tokio::test]
async fn ids_are_dotted_and_wire_names_are_safe_and_each_one_tools() {
    let mut tools: Vec<(String, Vec<String>)> = Vec::new();
    for number in numbers().into_iter().filter(|number| *number > 0) {
        let table = Table::of(number);
        tools.extend(table.tools.into_iter().map(|row| (row.id, row.aliases)));
        tools.extend(table.beyond.into_iter().map(|row| (row.id, Vec::new())));
    }
    let own = hub::own_tools().await;
    tools.extend(own.into_iter().map(|tool| (tool.id, tool.aliases)));
    let mut names = BTreeSet::new();
    for (id, aliases) in &tools {
        let alias = wire_alias(&ToolId::parse(id).expect("a canonical id"));
        let safe = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(
            (1..=64).contains(&alias.len()) && alias.chars().all(safe),
            "{alias}"
        );
        for name in aliases.iter().chain([id, &alias]) {
            assert!(names.insert(name.clone()), "two tools are called {name}");
        }
    }
}
