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
        let mut all = vec![("WAYGATE_BASE_DIR", base), ("WAYGATE_ENV", "development")];
        all.extend(more);
        read_with(&all).unwrap().database_url().unwrap()
    };
    assert_eq!(url(&[]), format!("sqlite:{base}/data/waygate.db"));
    let other = "sqlite:/somewhere/else.db";
    assert_eq!(url(&[("WAYGATE_DATABASE_URL", other)]), other);
}

/// A value that differs from the default, for each variable.
const VALUES: [(&str, &str); 47] = [
    ("WAYGATE_ENV", "test"),
    ("WAYGATE_MODE", "container"),
    ("WAYGATE_HOST", "127.0.0.2"),
    ("WAYGATE_PORT", "9001"),
    ("WAYGATE_EXTRA_PORTS", "9002,9003"),
    ("WAYGATE_PUBLIC_URL", "https://hub.example"),
    ("WAYGATE_WORKERS", "3"),
    ("WAYGATE_MAX_REQUEST_SIZE", "1000"),
    ("WAYGATE_TIMEOUT", "7"),
    ("WAYGATE_MAX_CONNECTIONS", "11"),
    ("WAYGATE_ALLOWED_HOSTS", "hub.example"),
    ("WAYGATE_CORS_ORIGINS", "[\"https://a.example\"]"),
    ("WAYGATE_TRUSTED_PROXIES", "10.1.0.0/16"),
    ("WAYGATE_METRICS_ALLOW", "10.2.0.0/16"),
    ("WAYGATE_API_KEY_HEADER", "X-Key"),
    ("WAYGATE_BASE_DIR", "/srv/waygate"),
    ("WAYGATE_DATA_DIR", "elsewhere"),
    ("WAYGATE_CONFIG_DIR", "settings"),
    ("WAYGATE_SECRETS_DIR", "keys"),
    ("WAYGATE_DATABASE_URL", "sqlite:other.db"),
    ("WAYGATE_DB_POOL_SIZE", "4"),
    ("WAYGATE_LOG_LEVEL", "DEBUG"),
    ("WAYGATE_LOG_FORMAT", "text"),
    ("WAYGATE_TRACING_ENABLED", "true"),
    ("WAYGATE_OTLP_ENDPOINT", "http://collector:4317"),
    ("WAYGATE_APPROVAL_TTL", "60"),
    ("WAYGATE_APPROVAL_TOKEN_TTL", "61"),
    ("WAYGATE_SPOKE_AUTH", "mtls"),
    ("WAYGATE_SPOKE_TOKEN_PATH", "keys/token"),
    ("WAYGATE_CALL_KEY_PATH", "keys/call"),
    ("WAYGATE_STDIO_ALLOW", "npx"),
    ("WAYGATE_OUTBOUND_ALLOW", "10.3.0.0/16"),
    ("WAYGATE_SPOKE_TLS_CERT_PATH", "keys/a.crt"),
    ("WAYGATE_SPOKE_TLS_KEY_PATH", "keys/a.key"),
    ("WAYGATE_SPOKE_TLS_CA_PATH", "keys/ca.crt"),
    ("WAYGATE_REDIS_URL", "redis://cache:6379/1"),
    ("REDIS_HOST", "cache"),
    ("REDIS_PORT", "6380"),
    ("REDIS_DATABASE", "2"),
    ("WAYGATE_CACHE_TYPE", "redis"),
    ("WAYGATE_CACHE_TTL", "12"),
    ("WAYGATE_WORKFLOW_WEBHOOK", "https://hooks.example/x"),
    ("WAYGATE_RESULT_LIMIT", "100000"),
    ("WAYGATE_RATE_LIMIT", "13"),
    ("WAYGATE_IP_RATE_LIMIT", "14"),
    // Read beside the table, by number.
    ("WAYGATE_SPOKE_URL_12", "http://cmdb:8012"),
    ("MCP_PORT_12", "9012"),
];

/// Acceptance: 197
#[test]
fn every_variable_changes_a_setting_under_each_of_its_names() {
    let printed = |pairs: &[(&str, &str)]| {
        let environment: Environment = pairs.iter().copied().collect();
        read(&environment, None).unwrap().print()
    };
    let usual = printed(&[]);
    for variable in VARIABLES {
        let known = VALUES.iter().find(|(name, _)| *name == variable.name);
        let (_, value) = known.unwrap_or_else(|| panic!("no value to try for {}", variable.name));
        let own = printed(&[(variable.name, value)]);
        assert_ne!(own, usual, "{} changes nothing", variable.name);
        for other in variable.also {
            assert_eq!(printed(&[(other, value)]), own, "{other}");
        }
        if !variable.name.starts_with("WAYGATE_") {
            let long = format!("WAYGATE_{}", variable.name);
            assert_eq!(printed(&[(&long, value)]), own, "{long}");
        }
    }
    let example = include_str!("../../../.env.example");
    for (name, _) in VALUES {
        let general = name.replace("_12", "_01");
        assert!(
            example.contains(&format!("{name}=")) || example.contains(&format!("{general}=")),
            "{name} is not in .env.example"
        );
    }
}

/// The config folder of the repository.
fn shipped() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../config").to_owned()
}

/// Acceptance: 83
#[test]
fn the_shipped_services_file_has_the_documented_values() {
    let folder = shipped();
    let config = read_with(&[("WAYGATE_CONFIG_DIR", &folder)]).unwrap();
    assert_eq!(
        (config.timeouts.default, config.timeouts.long_running),
        (30, 300)
    );
    let rates = &config.rate_limits;
    assert_eq!((rates["ai_models"], rates["web_search"]), (10, 60));
    let retries = &config.retry_policies;
    assert_eq!((retries.max_attempts, retries.backoff_factor), (3, 2));
    let breaker = &config.circuit_breaker;
    assert_eq!((breaker.threshold, breaker.timeout), (5, 60));
    assert_eq!(config.cache.ttl, 300);
    assert_eq!(config.security.max_file_size, "10MB");
    assert_eq!(
        config.security.allowed_file_types,
        [".txt", ".json", ".yaml", ".md"]
    );
    assert!(config.services.contains_key("12_cmdb_mcp"));
}

/// Acceptance: 83
#[test]
fn a_services_file_that_is_no_yaml_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = "timeouts:\n  default: 30\n  long_running: [\nservices: {}\n";
    std::fs::write(folder.path().join("services.yaml"), text).unwrap();
    let folder = folder.path().to_str().unwrap();
    let error = read_with(&[("WAYGATE_CONFIG_DIR", folder)]).unwrap_err();
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        said.push_str(&format!(": {next}"));
        cause = next.source();
    }
    assert!(said.contains("services.yaml"), "{said}");
    assert!(said.contains("line 4") || said.contains("line 3"), "{said}");
}

#[test]
fn redis_is_named_whole_or_in_parts() {
    let url = |pairs: &[(&str, &str)]| read_with(pairs).unwrap().redis_url();
    assert_eq!(url(&[]), None);
    let parts = [("REDIS_HOST", "cache"), ("REDIS_DATABASE", "2")];
    assert_eq!(url(&parts).as_deref(), Some("redis://cache:6379/2"));
    let whole = [("REDIS_HOST", "cache"), ("REDIS_URL", "rediss://other:1/0")];
    assert_eq!(url(&whole).as_deref(), Some("rediss://other:1/0"));
    for (name, value, key) in [
        ("WAYGATE_CACHE_TYPE", "redis", "WAYGATE_CACHE_TYPE"),
        ("WAYGATE_REDIS_URL", "http://cache", "WAYGATE_REDIS_URL"),
    ] {
        let environment = Environment::from([("WAYGATE_ENV", "development"), (name, value)]);
        let refused = load(&environment, None).unwrap_err().to_string();
        assert!(refused.starts_with(key), "{refused}");
    }
}
