//! Settings from end to end: layers, order, and what each mistake is called.

use super::*;
use serde::Deserialize;
use std::path::Path;

const DEFAULTS: &str = r#"
# How the server listens.
[server]
host = "127.0.0.1"
port = 8000     # 1-65535
origins = []
timeout_seconds = 1.5

[database]
url = ""
secret_key = ""
"#;

const VARIABLES: &[Variable] = &[
    Variable::new("MCP_PORT", "server.port", Kind::Integer).or(&["SERVER_PORT"]),
    Variable::new("CORS", "server.origins", Kind::List),
    Variable::new("TIMEOUT", "server.timeout_seconds", Kind::Number),
    Variable::new("RELOAD", "server.reload", Kind::Boolean),
    Variable::new("DATABASE_URL", "database.url", Kind::Text),
    Variable::new("KEY", "database.secret_key", Kind::Text),
];

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Config {
    server: Server,
    database: Database,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Server {
    host: String,
    port: u16,
    origins: Vec<String>,
    timeout_seconds: f64,
    #[serde(default)]
    reload: bool,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Database {
    url: String,
    secret_key: String,
}

fn attempt(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Loaded<Config>, String> {
    let dir = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        paths.push(path);
    }
    let loaded = load(&Sources {
        defaults: DEFAULTS,
        files: &paths,
        variables: VARIABLES,
        environment: &environment.iter().copied().collect(),
    });
    let folder = format!("{}/", dir.path().display());
    loaded.map_err(|error| error.to_string().replace(&folder, ""))
}

#[track_caller]
fn refused(files: &[(&str, &str)], environment: &[(&str, &str)], expected: &str) {
    match attempt(files, environment) {
        Err(message) => assert!(message.contains(expected), "{message}"),
        Ok(loaded) => panic!("accepted: {}", loaded.print()),
    }
}

#[test]
fn later_layers_win_and_tables_are_joined() {
    let files = [
        ("a.toml", "[server]\nport = 1\nhost = \"a\""),
        (
            "b.yaml",
            "server:\n  port: ${PORT:-2}\n  reload: ~\ndatabase:\n  url: \"x-${NAME:-y}-$${z}\"\n",
        ),
    ];
    let server = attempt(&[], &[]).unwrap().config.server;
    assert_eq!((server.port, server.timeout_seconds), (8000, 1.5));
    let config = attempt(&files, &[]).unwrap().config;
    assert_eq!((config.server.host.as_str(), config.server.port), ("a", 2));
    assert_eq!(config.database.url, "x-y-${z}");
    let environment = [
        ("PORT", "3"),
        ("WAYGATE_NAME", "n"),
        ("CORS", "https://a, https://b"),
        ("RELOAD", "on"),
        ("TIMEOUT", ""),
    ];
    let config = attempt(&files, &environment).unwrap().config;
    assert_eq!(config.server.port, 3);
    assert_eq!(config.database.url, "x-n-${z}");
    assert_eq!(config.server.origins, ["https://a", "https://b"]);
    assert!(config.server.reload);
    assert_eq!(config.server.timeout_seconds, 1.5);
}

#[test]
fn the_prefixed_name_wins_over_the_plain_and_the_plain_over_the_old() {
    let port = |environment: &[(&str, &str)]| attempt(&[], environment).unwrap().config.server.port;
    assert_eq!(port(&[("SERVER_PORT", "1")]), 1);
    assert_eq!(port(&[("SERVER_PORT", "1"), ("MCP_PORT", "2")]), 2);
    assert_eq!(port(&[("WAYGATE_MCP_PORT", "3"), ("MCP_PORT", "2")]), 3);
}

/// Acceptance: 21
#[test]
fn a_bad_or_missing_variable_is_named_without_its_value() {
    refused(
        &[],
        &[("MCP_PORT", "abc")],
        "variable MCP_PORT: expected a whole number",
    );
    refused(
        &[],
        &[("MCP_PORT", "70000")],
        "server.port (variable MCP_PORT): ",
    );
    refused(
        &[],
        &[("CORS", "[1]")],
        "variable CORS: expected a JSON array",
    );
    refused(
        &[],
        &[("RELOAD", "maybe")],
        "variable RELOAD: expected true or false",
    );
    refused(
        &[("a.yaml", "database:\n  url: ${NOWHERE}\n")],
        &[],
        "a.yaml: variable NOWHERE is not set and has no default",
    );
    let environment = Environment::from([("X", "y")]);
    let error = load::<Database>(&Sources {
        defaults: "url = \"\"",
        files: &[],
        variables: &[Variable::new("SECRET_KEY", "secret_key", Kind::Text)],
        environment: &environment,
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "secret_key is not set: set variable SECRET_KEY"
    );
}

/// Acceptance: 21
#[test]
fn a_mistake_in_a_file_is_named_by_file_line_and_key() {
    refused(
        &[("a.yaml", "server:\n  host: x\n  prot: 1\n")],
        &[],
        "server.prot (a.yaml line 3): unknown field `prot`",
    );
    refused(
        &[("a.toml", "\n[serve]\n")],
        &[],
        "serve (a.toml line 2): unknown field",
    );
    refused(
        &[("a.toml", "[server]\nport = \"x\"")],
        &[],
        "server.port (a.toml line 2): invalid type",
    );
    refused(
        &[("a.toml", "[server]\norigins = [\"a\", 1]")],
        &[],
        "server.origins[1] (a.toml line 2): invalid type",
    );
    refused(&[("a.toml", "a = 1\nb = ")], &[], "a.toml line 2");
    refused(&[("a.yaml", "a: 1\n\tb: 2")], &[], "a.yaml line 2");
    refused(
        &[("a.json", "{}")],
        &[],
        "a.json: expected .toml, .yaml or .yml",
    );
    refused(&[("a.yaml", "a: ${B")], &[], "a.yaml: `${` without `}`");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load::<Config>(&Sources {
        defaults: DEFAULTS,
        files: &["config/none.toml".into()],
        variables: &[],
        environment: &Environment::default(),
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "config/none.toml: cannot be read"
    );
}

/// Acceptance: 360
#[test]
fn printed_settings_hide_secrets() {
    let environment = [
        ("KEY", "0123456789abcdef"),
        ("DATABASE_URL", "postgres://u:p4ss@h/db"),
    ];
    let printed = attempt(&[], &environment).unwrap().print();
    assert!(
        printed.contains("postgres://u:[redacted:url]@h/db"),
        "{printed}"
    );
    assert!(printed.contains("secret_key = \"[redacted]\""), "{printed}");
    assert!(printed.contains("port = 8000"), "{printed}");
}

#[test]
fn sections_are_read_apart_and_strangers_refused() {
    let environment = Environment::default();
    let merged = Merged::from(&Sources {
        defaults: DEFAULTS,
        files: &[],
        variables: VARIABLES,
        environment: &environment,
    })
    .unwrap();
    assert_eq!(merged.section::<Server>("server").unwrap().port, 8000);
    assert!(merged.only(&["server", "database"]).is_ok());
    let error = merged.only(&["server"]).unwrap_err();
    assert_eq!(error.to_string(), "database: unknown key");
    let error = merged.section::<Database>("server").unwrap_err();
    assert!(
        error.to_string().starts_with("server.host: unknown field"),
        "{error}"
    );
}

#[test]
fn a_dotenv_file_fills_gaps_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".env");
    std::fs::write(
        &path,
        "# c\nA=file\nexport B=\"two words\" # c\nC=x # c\n\nD='#'\n",
    )
    .unwrap();
    let environment = Environment::from([("A", "process")])
        .or_file(&path)
        .unwrap();
    for (name, value) in [("A", "process"), ("B", "two words"), ("C", "x"), ("D", "#")] {
        assert_eq!(environment.get(name), Some(value), "{name}");
    }
    assert_eq!(format!("{environment:?}"), r#"{"A", "B", "C", "D"}"#);
    std::fs::write(&path, "A=1\nnonsense\n").unwrap();
    let error = Environment::default().or_file(&path).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with(".env line 2: expected NAME=value")
    );
    assert!(
        Environment::default()
            .or_file(Path::new("no/such/.env"))
            .is_ok()
    );
}
