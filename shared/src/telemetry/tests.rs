//! What a log line holds, what it never holds, and that a missing collector changes nothing.

use super::*;
use crate::secret::Secret;
use parking_lot::Mutex;
use serde_json::Value;
use std::io::Write;
use tracing::{debug, error, info, info_span, warn};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn logged(level: Level, work: impl FnOnce(&Redactor)) -> Vec<Value> {
    let text = written(level, Format::Json, work);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn written(level: Level, format: Format, work: impl FnOnce(&Redactor)) -> String {
    let lines = Lines::default();
    let redactor = Arc::new(Redactor::new());
    let config = TelemetryConfig {
        level,
        format,
        ..TelemetryConfig::of("12_cmdb_mcp")
    };
    let subscriber = subscriber(&config, Arc::clone(&redactor), lines.clone());
    tracing::subscriber::with_default(subscriber, || work(&redactor));
    let bytes = lines.0.lock().clone();
    String::from_utf8(bytes).unwrap()
}

/// Acceptance: 97, 209
#[test]
fn every_line_is_an_object_with_the_agreed_fields() {
    let lines = logged(Level::Info, |_| {
        info!("plain");
        let outer = info_span!(
            "call",
            correlation_id = "c-1",
            principal = "key:1",
            other = 1
        );
        let _outer = outer.enter();
        let inner = info_span!("tool", tool = "a.b", status = tracing::field::Empty);
        let _inner = inner.enter();
        inner.record("status", 200);
        let cause = std::io::Error::other("disk is full");
        let error: &(dyn std::error::Error + 'static) = &cause;
        error!(
            event = "write_failed",
            error,
            size_bytes = 5,
            duration_ms = 7,
            "no room"
        );
    });
    let first = &lines[0];
    for field in [
        "timestamp",
        "level",
        "service",
        "event",
        "message",
        "correlation_id",
    ] {
        assert!(first.get(field).is_some(), "{field} in {first}");
    }
    assert_eq!(first["event"], "shared::telemetry::tests");
    assert!(
        first["timestamp"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    let second = &lines[1];
    for (field, value) in [
        ("level", "ERROR"),
        ("service", "12_cmdb_mcp"),
        ("event", "write_failed"),
        ("message", "no room"),
        ("correlation_id", "c-1"),
        ("principal", "key:1"),
        ("tool", "a.b"),
        ("exception", "disk is full"),
    ] {
        assert_eq!(second[field], value, "{second}");
    }
    assert_eq!(second["status"], 200);
    assert_eq!(second["duration_ms"], 7);
    assert_eq!(second["props"], serde_json::json!({"size_bytes": 5}));
    assert_eq!(second.get("other"), None);
}

/// Acceptance: 196
#[test]
fn the_level_filters_and_spans_keep_their_ids() {
    for (word, expected) in [
        ("DEBUG", vec!["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("INFO", vec!["INFO", "WARNING", "ERROR"]),
        ("warning", vec!["WARNING", "ERROR"]),
        ("ERROR", vec!["ERROR"]),
    ] {
        let lines = logged(word.parse().unwrap(), |_| {
            let span = info_span!("call", correlation_id = "c");
            let _entered = span.enter();
            debug!("d");
            debug!(target: "hyper::proto", "noise of a library");
            info!("i");
            warn!("w");
            error!("e");
        });
        let levels: Vec<&str> = lines.iter().map(|l| l["level"].as_str().unwrap()).collect();
        assert_eq!(levels, expected);
        assert!(lines.iter().all(|line| line["correlation_id"] == "c"));
    }
    for word in ["TRACE", "verbose", ""] {
        assert_eq!(word.parse::<Level>(), Err(UnknownLevel));
    }
}

/// Acceptance: 360
#[test]
fn planted_secrets_reach_no_line() {
    let typed = Secret::new("typed-value");
    let planted = [
        "typed-value",
        "learnt-value",
        "hunter2",
        "0123456789abcdef",
        "p4ss",
        "qwerty",
    ];
    for format in [Format::Json, Format::Text] {
        let text = written(Level::Debug, format, |redactor| {
            redactor.learn("API", &Secret::new("learnt-value"));
            let span = info_span!("call", principal = "learnt-value", correlation_id = "c");
            let _entered = span.enter();
            info!(secret = ?typed, arguments = r#"{"password":"hunter2"}"#, "sent learnt-value");
            info!(header = "Authorization: Bearer 0123456789abcdef", "asked");
            warn!(
                url = "postgres://u:p4ss@h/db",
                api_key = "qwerty",
                "password=hunter2"
            );
            let cause = std::io::Error::other("token=qwerty");
            let error: &(dyn std::error::Error + 'static) = &cause;
            error!(error, "failed");
        });
        assert_eq!(text.lines().count(), 4);
        for secret in planted {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn a_value_cannot_forge_a_line_or_drive_a_terminal() {
    for format in [Format::Json, Format::Text] {
        let text = written(Level::Info, format, |_| {
            info!(
                tool = "a\n{\"level\":\"INFO\"}\u{1b}[2J\u{9b}2J\u{202e}",
                "b\r\nc\u{1b}[31m"
            );
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            !text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\r']),
            "{text:?}"
        );
    }
}

#[test]
fn a_huge_value_is_cut() {
    let lines = logged(Level::Info, |_| info!(body = "ü".repeat(100_000), "big"));
    assert!(lines[0]["props"]["body"].as_str().unwrap().len() <= 16 * 1024);
}

/// Acceptance: 208
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_fails_nothing() {
    assert_eq!(
        TelemetryConfig::of("x").otlp_endpoint,
        "http://localhost:4317"
    );
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = socket.local_addr().unwrap();
    drop(socket);
    let config = TelemetryConfig {
        tracing_enabled: true,
        otlp_endpoint: format!("http://{nobody}"),
        to_stderr: true,
        ..TelemetryConfig::of("test")
    };
    let guard = init(config.clone()).unwrap();
    info_span!("call", correlation_id = "c").in_scope(|| info!(event = "worked", "it worked"));
    drop(guard);
    assert!(matches!(
        init(config.clone()),
        Err(TelemetryError::AlreadySetUp(_))
    ));
    let bad = TelemetryConfig {
        otlp_endpoint: "not an address".into(),
        ..config
    };
    assert!(matches!(init(bad), Err(TelemetryError::Endpoint(_))));
}
