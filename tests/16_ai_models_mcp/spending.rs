//! What calls cost: allowance, usage, budget.

use crate::running::{CLAUDE, GEMINI, with};
use serde_json::{Value, json};
use shared::error::Code;

const USAGE: &str = "ai.models.usage.get";

/// Acceptance: 62
#[tokio::test]
async fn the_eleventh_call_in_a_minute_is_refused_and_the_limit_is_a_setting() {
    for (variables, calls) in [(vec![], 10), (vec![("AI_CALLS_PER_MINUTE", "3")], 3)] {
        let mut models = with(&variables).await;
        for _ in 0..calls {
            models.call(GEMINI, json!({"prompt": "p"})).await.unwrap();
        }
        let error = models
            .call(CLAUDE, json!({"prompt": "p"}))
            .await
            .unwrap_err();
        assert_eq!(
            (error.code, error.retryable, error.did_not_run),
            (Code::RateLimited, true, true)
        );
        assert_eq!(models.providers.questions().len(), calls);
        models.principal = "key:2";
        assert!(models.call(CLAUDE, json!({"prompt": "p"})).await.is_ok());
    }
}

/// Acceptance: 64
#[tokio::test]
async fn usage_adds_up_by_model_provider_and_principal_also_after_a_restart() {
    let mut models = with(&[]).await;
    for _ in 0..3 {
        models.call(GEMINI, json!({"prompt": "p"})).await.unwrap();
    }
    models.call(CLAUDE, json!({"prompt": "p"})).await.unwrap();
    models.principal = "key:2";
    let other = json!({"prompt": "p", "model": "claude-of-no-price"});
    models.call(CLAUDE, other).await.unwrap();
    models.principal = "key:1";
    let mut models = models.restart().await;
    let used = models.call(USAGE, json!({})).await.unwrap();
    let near = |value: &Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 1e-9;
    assert_eq!(used["period"], "day");
    assert_eq!(used["groups"][0]["key"], "gemini-flash-latest");
    assert_eq!(used["groups"][0]["requests"], 3);
    assert_eq!(used["groups"][0]["input_tokens"], 300);
    assert_eq!(used["groups"][0]["output_tokens"], 150);
    assert!(near(&used["groups"][0]["cost_usd"], 0.18), "{used}");
    assert_eq!(used["groups"][1]["key"], "claude-haiku-4-5");
    assert_eq!(used["total"]["requests"], 4, "one's own");
    assert!(near(&used["total"]["cost_usd"], 0.21), "{used}");
    let by = json!({"group_by": "principal", "period": "all"});
    let used = models.call_with("system:manage", USAGE, by).await.unwrap();
    let keys: Vec<&Value> = used["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["key"])
        .collect();
    assert_eq!(keys, ["key:1", "key:2"]);
    assert_eq!(used["groups"][1]["cost_usd"], 0.0, "no price");
    models.later(3601);
    let used = models.call(USAGE, json!({"period": "hour"})).await.unwrap();
    assert_eq!(
        (&used["total"]["requests"], &used["groups"]),
        (&json!(0), &json!([]))
    );
    let used = models
        .call(USAGE, json!({"group_by": "provider"}))
        .await
        .unwrap();
    assert_eq!(used["count"], 2);
}

#[tokio::test]
async fn a_budget_refuses_when_it_is_spent_and_is_new_a_day_later() {
    let mut models = with(&[("AI_BUDGET_USD", "0.1")]).await;
    let ask = json!({"prompt": "p"});
    for _ in 0..2 {
        models.call(GEMINI, ask.clone()).await.unwrap();
    }
    let error = models.call(GEMINI, ask.clone()).await.unwrap_err();
    assert_eq!((error.code, error.did_not_run), (Code::QuotaExceeded, true));
    assert_eq!(models.providers.questions().len(), 2);
    models.principal = "key:2";
    assert!(models.call(GEMINI, ask.clone()).await.is_ok());
    models.principal = "key:1";
    models.later(86_401);
    assert!(models.call(GEMINI, ask).await.is_ok());
}

#[tokio::test]
async fn the_same_call_sent_twice_is_asked_and_paid_once() {
    let mut models = with(&[]).await;
    let call = models.prepared(GEMINI, &json!({"prompt": "p"}));
    let first = models.hub.call(&call).await.unwrap();
    let second = models.hub.call(&call).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(models.providers.questions().len(), 1);
}
