//! Layers without rules, and keys that are named.

use super::*;

fn read_with(pairs: &[(&str, &str)]) -> Result<Config, InvalidConfig> {
    let environment: Environment = pairs.iter().copied().collect();
    read(&environment, None).map(|loaded| loaded.config)
}

#[test]
fn reading_takes_every_layer_and_leaves_the_rules_across_keys_to_loading() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::create_dir(&config).unwrap();
    let services = "timeouts: {default: 7}\nservices:\n  12_cmdb_mcp:\n    namespaces: [cmdb]\n    long_running_tools: [cmdb.local.exportCsv]\n";
    std::fs::write(config.join("services.yaml"), services).unwrap();
    let base = folder.path().to_str().unwrap();
    let production = [
        ("WAYGATE_BASE_DIR", base),
        ("WAYGATE_ENV", "production"),
        ("WAYGATE_SECRETS_DIR", "keys"),
    ];
    let read = read_with(&production).unwrap();
    assert_eq!(read.paths.secrets, Path::new("keys"));
    assert_eq!(read.timeouts.default, 7);
    let service = &read.services["12_cmdb_mcp"];
    assert_eq!(service.long_running_tools, ["cmdb.local.exportCsv"]);
    // Production without a store may make its secrets, and may not serve.
    let environment = Environment::from(production);
    let refused = load(&environment, None).unwrap_err().to_string();
    assert!(refused.starts_with("WAYGATE_DATABASE_URL"), "{refused}");
}

#[test]
fn a_layer_that_cannot_be_read_names_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().to_str().unwrap();
    let error = read_with(&[("WAYGATE_BASE_DIR", base), ("WAYGATE_PORT", "abc")]);
    assert!(error.unwrap_err().to_string().contains("WAYGATE_PORT"));
}

/// Acceptance: 72
#[test]
fn the_store_is_a_file_among_the_data_unless_another_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().to_str().unwrap();
    let url = |more: &[(&str, &str)]| {
        let mut all = vec![("WAYGATE_BASE_DIR", base)];
        all.extend(more);
        read_with(&all).unwrap().database_url().unwrap()
    };
    assert_eq!(url(&[]), format!("sqlite:{base}/data/waygate.db"));
    let other = "sqlite:/somewhere/else.db";
    assert_eq!(url(&[("WAYGATE_DATABASE_URL", other)]), other);
}
