//! Engines that are not set up, refuse, fail, or talk nonsense.

use crate::running::{start_with, start_with_keys};
use serde_json::{Value, json};
use shared::error::Code;
use std::time::Duration;
use tests::engines::{Engines, KEY, QUERY};
use tokio::time::Instant;

/// Status, headers, body; and the words the caller reads.
type Trouble = (
    u16,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

const TROUBLES: [Trouble; 6] = [
    (401, &[], KEY, "refused our credentials"),
    (403, &[], KEY, "does not let us"),
    (
        429,
        &[("retry-after", "7")],
        "slow down",
        "no more requests for now; come back in 7 s",
    ),
    (
        302,
        &[("location", "http://169.254.169.254/")],
        "",
        "sent us elsewhere",
    ),
    (200, &[], "<html>It works!", "we do not understand"),
    (
        500,
        &[],
        "panicked at main.rs:1 stack backtrace",
        "is not well",
    ),
];

/// Acceptance: 45
#[tokio::test]
async fn an_engine_that_fails_is_told_in_the_result_and_the_service_stays_up() {
    let engines = Engines::start(5).await;
    let mut search = start_with_keys(&engines).await;
    for (status, headers, body, words) in TROUBLES {
        engines.trouble(status, headers, body);
        for engine in [
            "duckduckgo",
            "google",
            "bing",
            "exa",
            "brave",
            "tavily",
            "searxng",
        ] {
            let found = search.search(engine, 5).await;
            let error = found["error"].as_str().unwrap();
            assert!(error.contains(words), "{engine} {status}: {error}");
            assert_eq!(
                (&found["results_count"], &found["results"]),
                (&json!(0), &json!([]))
            );
            let all = found.to_string();
            assert!(
                !all.contains(KEY) && !all.contains("main.rs"),
                "{engine}: {all}"
            );
        }
    }
    assert_eq!(search.health().await["status"], "degraded");
    engines.trouble(0, &[], "");
    for engine in [
        "duckduckgo",
        "google",
        "bing",
        "exa",
        "brave",
        "tavily",
        "searxng",
    ] {
        assert_eq!(search.search(engine, 5).await["results_count"], 5);
    }
    // Health is asked at most once a second.
    let deadline = Instant::now() + Duration::from_secs(10);
    while search.health().await["status"] != "healthy" {
        assert!(
            Instant::now() < deadline,
            "still: {}",
            search.health().await
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let metrics = search.call("getMetrics", json!({})).await.unwrap();
    assert_eq!(metrics["metrics"]["errors"], 42);
    search.running.stop().await;
}

/// Acceptance: 45
#[tokio::test]
async fn silent_large_and_suspicious_answers_are_told_as_such() {
    let engines = Engines::start(5).await;
    let mut settings = engines.addresses();
    settings.push(("WAYGATE_LOG_LEVEL", "ERROR".into()));
    let mut search = start_with(settings).await;
    let mut error = async |words: &str| {
        let found = search.search("duckduckgo", 5).await;
        let error = found["error"].as_str().unwrap().to_owned();
        assert!(error.contains(words), "{error}");
    };
    engines.trouble(
        202,
        &[],
        "<form id=challenge-form><div class=anomaly-modal__mask></div></form>",
    );
    error("proof of being human").await;
    engines.trouble(200, &[], &"x".repeat(11_000_000));
    error("larger than").await;
    engines.silence(Duration::from_secs(30));
    error("did not answer in time").await;
    search.running.stop().await;
}

/// Acceptance: 49
#[tokio::test]
async fn engines_on_private_addresses_want_to_be_allowed() {
    let engines = Engines::start(5).await;
    let mut settings = engines.addresses();
    settings.retain(|(name, _)| *name != "WAYGATE_OUTBOUND_ALLOW");
    let mut search = start_with(settings).await;
    let found = search.search("searxng", 5).await;
    assert!(
        found["error"]
            .as_str()
            .unwrap()
            .contains("WAYGATE_OUTBOUND_ALLOW")
    );
    assert_eq!(engines.asked(), Vec::<String>::new());
    search.running.stop().await;
}

#[tokio::test]
async fn engines_that_are_not_set_up_name_the_setting() {
    let mut search = start_with(Vec::new()).await;
    for (engine, setting) in [
        ("google", "GOOGLE_API_KEY_SECRET_PATH"),
        ("bing", "BING_API_URL"),
        ("exa", "EXA_API_KEY_SECRET_PATH"),
        ("brave", "BRAVE_API_KEY_SECRET_PATH"),
        ("tavily", "TAVILY_API_KEY_SECRET_PATH"),
        ("searxng", "SEARXNG_URL"),
    ] {
        let arguments = json!({"query": QUERY, "engine": engine});
        let error = search.call("query", arguments).await.unwrap_err();
        assert_eq!(error.code, Code::NotConfigured);
        assert!(error.message.contains(setting), "{engine}: {error}");
        let listed = search.call("listEngines", json!({})).await.unwrap();
        let entry: &Value = &listed["engines"][engine];
        assert_eq!(entry["available"], false);
        assert!(
            entry["status"].as_str().unwrap().contains(setting),
            "{entry}"
        );
    }
    let listed = search.call("listEngines", json!({})).await.unwrap();
    assert_eq!(listed["default"], "duckduckgo");
    assert_eq!(listed["engines"]["duckduckgo"]["available"], true);
    assert_eq!(search.health().await["status"], "healthy");
    search.running.stop().await;
    let half = vec![("GOOGLE_CSE_ID", "x".to_owned())];
    let search = start_with(half).await;
    let health = search.health().await;
    assert_eq!(health["status"], "degraded");
    assert!(
        health.to_string().contains("GOOGLE_API_KEY_SECRET_PATH"),
        "{health}"
    );
    search.running.stop().await;
}
