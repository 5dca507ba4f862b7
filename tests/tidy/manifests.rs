//! Cargo manifests: inherited lints and versions, the direction of dependencies, service folders.

use toml::{Table, Value};

use crate::tree::{File, Tree};

const SECTIONS: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// Our crates, lowest first, and those of ours each may depend on. A spoke is `spoke_*`; its tests
/// may use the fixtures of `tests`, which no product code does.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("shared", &["proto"]),
    ("ssh", &["shared"]),
    ("workflow", &[]),
    ("orchestrator", &["proto", "shared", "workflow"]),
    ("spoke_", &["proto", "shared", "ssh"]),
    (
        "tests",
        &["proto", "shared", "workflow", "orchestrator", "spoke_"],
    ),
];

/// Complaints about members that do not inherit lints, or name versions of their own.
pub(crate) fn complaints(tree: &Tree) -> Vec<String> {
    members(tree)
        .flat_map(|file| inherits(&file.path, &table(file)))
        .collect()
}

/// Complaints about dependencies between our own crates that point the wrong way.
pub(crate) fn directions(tree: &Tree) -> Vec<String> {
    members(tree)
        .flat_map(|file| wrong_way(&file.path, &table(file)))
        .collect()
}

/// Complaints about folders in `services/`: `NN_name_mcp`, a number once, its crate inside.
pub(crate) fn service_folders(tree: &Tree) -> Vec<String> {
    let mut folders = folders(tree);
    let mut complaints: Vec<String> = folders
        .iter()
        .filter(|it| !follows(it))
        .map(|it| format!("services/{it}: name"))
        .collect();
    for (folder, file) in folders
        .iter()
        .flat_map(|folder| ["Cargo.toml", "src/lib.rs"].map(|file| (folder, file)))
    {
        if !tree.has(&format!("services/{folder}/{file}")) {
            complaints.push(format!("services/{folder}: {file} is missing"));
        }
    }
    folders.dedup_by_key(|folder| folder.get(..2).map(str::to_owned));
    let numbers = folders.len();
    if numbers != self::folders(tree).len() {
        complaints.push("services: a number is used twice".to_owned());
    }
    complaints
}

/// The folder names in `services/`, in order.
pub(crate) fn folders(tree: &Tree) -> Vec<String> {
    let paths = tree
        .files
        .iter()
        .filter_map(|file| file.path.strip_prefix("services/"));
    let mut folders: Vec<String> = paths
        .filter_map(|path| path.split_once('/'))
        .map(|(folder, _)| folder.to_owned())
        .collect();
    folders.dedup();
    folders
}

fn follows(folder: &str) -> bool {
    let Some((number, name)) = folder.split_once('_') else {
        return false;
    };
    let number_fits =
        number.len() == 2 && number.parse().is_ok_and(|it: u8| (1..=18).contains(&it));
    let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    number_fits && name.ends_with("_mcp") && name.chars().all(plain)
}

fn members(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
}

fn table(file: &File) -> Table {
    file.text
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", file.path))
}

fn inherits(path: &str, manifest: &Table) -> Vec<String> {
    let mut complaints = Vec::new();
    let lints = manifest.get("lints").and_then(|it| it.get("workspace"));
    if lints.and_then(Value::as_bool) != Some(true) {
        complaints.push(format!("{path}: [lints] workspace = true is missing"));
    }
    for (name, value) in dependencies(manifest) {
        let inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
        // A crate names itself to switch a feature on in its own tests.
        if !inherited && name != name_of(manifest) {
            complaints.push(format!(
                "{path}: {name} is not inherited from the workspace"
            ));
        }
    }
    complaints
}

fn wrong_way(path: &str, manifest: &Table) -> Vec<String> {
    let package = name_of(manifest);
    let fits = |name: &str, pattern: &str| match pattern {
        "spoke_" => name.starts_with(pattern),
        exact => name == exact,
    };
    let Some((_, allowed)) = DIRECTIONS
        .iter()
        .find(|(pattern, _)| fits(package, pattern))
    else {
        return vec![format!(
            "{path}: crate `{package}` has no place in the table of directions"
        )];
    };
    let ours = |name: &str| DIRECTIONS.iter().any(|(pattern, _)| fits(name, pattern));
    let wrong = dependencies(manifest)
        .filter(|(name, _)| ours(name) && !allowed.iter().any(|pattern| fits(name, pattern)))
        .filter(|(name, _)| *name != package)
        .filter(|(name, _)| *name != "tests" || manifest_has(manifest, "dependencies", name));
    wrong
        .map(|(name, _)| format!("{path}: {package} may not depend on {name}"))
        .collect()
}

fn manifest_has(manifest: &Table, section: &str, name: &str) -> bool {
    manifest
        .get(section)
        .and_then(Value::as_table)
        .is_some_and(|section| section.contains_key(name))
}

fn name_of(manifest: &Table) -> &str {
    let name = manifest.get("package").and_then(|it| it.get("name"));
    name.and_then(Value::as_str).unwrap_or_default()
}

fn dependencies(manifest: &Table) -> impl Iterator<Item = (&str, &Value)> {
    let sections = SECTIONS
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table());
    sections
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What both rules say about a manifest.
    fn check(manifest: &str) -> Vec<String> {
        let manifest: Table = manifest.parse().expect("the planted manifest is TOML");
        let mut found = inherits("a/Cargo.toml", &manifest);
        found.extend(wrong_way("a/Cargo.toml", &manifest));
        found
    }

    #[test]
    fn a_crate_that_keeps_the_rules_is_left_alone() {
        let text = "package.name = 'spoke_01_x'\nlints.workspace = true\n\
                    dependencies.shared.workspace = true";
        assert!(check(text).is_empty());
    }

    #[test]
    fn own_versions_and_missing_lints_are_found() {
        assert_eq!(check("package.name = 'shared'").len(), 1);
        let text = "package.name = 'shared'\nlints.workspace = true\n";
        assert_eq!(check(&format!("{text}dependencies.http = '1'")).len(), 1);
        assert_eq!(
            check(&format!(
                "{text}dev-dependencies.http = {{ path = '../h' }}"
            ))
            .len(),
            1
        );
    }

    #[test]
    fn dependencies_that_point_the_wrong_way_are_found() {
        for (package, dependency) in [
            ("spoke_01_x", "orchestrator"),
            ("spoke_01_x", "spoke_12_y"),
            ("shared", "orchestrator"),
            ("spoke_01_x", "tests"),
            ("proto", "shared"),
            ("stranger", "shared"),
        ] {
            let found = check(&format!(
                "package.name = '{package}'\nlints.workspace = true\n\
                 dependencies.{dependency}.workspace = true"
            ));
            assert_eq!(found.len(), 1, "{package} -> {dependency}: {found:?}");
        }
    }

    #[test]
    fn the_tests_of_a_spoke_may_use_the_fixtures() {
        let text = "package.name = 'spoke_01_x'\nlints.workspace = true\n\
                    dev-dependencies.tests.workspace = true";
        assert!(check(text).is_empty());
    }

    #[test]
    fn folder_names_are_a_number_and_a_name() {
        assert!(follows("01_linux_cli_mcp"));
        for bad in [
            "1_linux_mcp",
            "19_new_mcp",
            "00_hub_mcp",
            "01_linux",
            "01_Linux_mcp",
            "linux",
        ] {
            assert!(!follows(bad), "{bad}");
        }
    }
}
