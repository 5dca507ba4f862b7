//! Searches that work, with every engine.

use crate::running::{start_with, start_with_keys};
use serde_json::{Value, json};
use shared::error::Code;
use tests::engines::{Engines, QUERY};

const ALL: [&str; 7] = [
    "duckduckgo",
    "google",
    "bing",
    "exa",
    "brave",
    "tavily",
    "searxng",
];

/// Acceptance: 44
#[tokio::test]
async fn every_engine_gives_what_it_knows_and_no_more_than_is_wanted() {
    let engines = Engines::start(45).await;
    let mut search = start_with_keys(&engines).await;
    for engine in ALL {
        // Tavily gives 20 at most.
        let known = [45, 20][usize::from(engine == "tavily")];
        for most in [1, 5, 27, 50] {
            let found = search.search(engine, most).await;
            let expected = most.min(known);
            assert_eq!(
                found["results_count"], expected,
                "{engine} {most}: {}",
                found["error"]
            );
            let results = found["results"].as_array().unwrap();
            assert_eq!(results.len(), usize::try_from(expected).unwrap());
            assert_eq!(
                (&found["query"], &found["engine"]),
                (&json!(QUERY), &json!(engine))
            );
            assert_eq!(found["error"], Value::Null);
            let last = expected - 1;
            assert_eq!(
                results[usize::try_from(last).unwrap()],
                json!({
                    "title": format!("Result {last}"),
                    "link": format!("https://site{last}.example/page?n={last}"),
                    "snippet": format!("About {last} & more"),
                }),
                "{engine}"
            );
        }
    }
    search.running.stop().await;
}

/// Acceptance: 44
#[tokio::test]
async fn a_call_with_a_query_alone_asks_duckduckgo_for_five() {
    let engines = Engines::start(45).await;
    let mut search = start_with(engines.addresses()).await;
    let found = search.call("query", json!({"query": QUERY})).await.unwrap();
    assert_eq!(
        (&found["engine"], &found["results_count"]),
        (&json!("duckduckgo"), &json!(5))
    );
    let other = json!({"queryString": format!("  {QUERY}\n "), "numResults": 3});
    let found = search.call("query", other).await.unwrap();
    assert_eq!(
        (&found["query"], &found["results_count"]),
        (&json!(QUERY), &json!(3))
    );
    let nothing = search
        .call("query", json!({"query": "nobody knows this"}))
        .await
        .unwrap();
    assert_eq!(
        (&nothing["results_count"], &nothing["error"]),
        (&json!(0), &json!(null))
    );
    let metrics = search.call("getMetrics", json!({})).await.unwrap();
    let figures = &metrics["metrics"];
    assert_eq!(figures["searches_performed"], 3);
    assert_eq!(figures["searches_by_engine"], json!({"duckduckgo": 3}));
    assert_eq!(figures["errors"], 0);
    assert!(figures["last_search_time"].is_string());
    search.running.stop().await;
}

#[tokio::test]
async fn region_and_filter_reach_each_engine_in_its_own_words() {
    let engines = Engines::start(1).await;
    let mut search = start_with_keys(&engines).await;
    for (engine, words) in [
        ("duckduckgo", &["kl=de-de", "kp=1"][..]),
        ("google", &["gl=de", "hl=de", "safe=active"]),
        ("bing", &["mkt=de-DE", "safeSearch=Strict"]),
        ("exa", &["\"userLocation\":\"DE\"", "\"moderation\":true"]),
        (
            "brave",
            &["country=DE", "search_lang=de", "safesearch=strict"],
        ),
        ("searxng", &["language=de-DE", "safesearch=2"]),
    ] {
        let arguments = json!({
            "query": QUERY, "engine": engine, "region": "de-de", "safe_search": "strict",
        });
        let found = search.call("query", arguments).await.unwrap();
        assert_eq!(found["results_count"], 1, "{engine}: {}", found["error"]);
        let asked = engines.asked().pop().unwrap();
        for word in words {
            assert!(asked.contains(word), "{engine}: {word} in {asked}");
        }
    }
    search.running.stop().await;
}

/// Acceptance: 101
#[tokio::test]
async fn queries_that_are_none_are_refused_and_nobody_is_asked() {
    let engines = Engines::start(1).await;
    let mut search = start_with_keys(&engines).await;
    for (arguments, field) in [
        (json!({}), "query"),
        (json!({"query": "   "}), "query"),
        (json!({"query": "a\u{1b}[2J"}), "query"),
        (json!({"query": "x".repeat(1001)}), "query"),
        (json!({"query": "a", "queryString": "b"}), "queryString"),
        (json!({"query": "a", "max_results": 0}), "max_results"),
        (json!({"query": "a", "max_results": 51}), "max_results"),
        (json!({"query": "a", "numResults": 51}), "numResults"),
        (json!({"query": "a", "engine": "altavista"}), "engine"),
        (json!({"query": "a", "region": "../x"}), "region"),
        (json!({"query": "a", "safe_search": "on"}), "safe_search"),
    ] {
        let error = search.call("query", arguments.clone()).await.unwrap_err();
        assert_eq!(
            (error.code, error.did_not_run),
            (Code::InvalidInput, true),
            "{arguments}"
        );
        assert_eq!(error.details.unwrap()["field"], field, "{arguments}");
    }
    assert_eq!(engines.asked(), Vec::<String>::new());
    search.running.stop().await;
}
