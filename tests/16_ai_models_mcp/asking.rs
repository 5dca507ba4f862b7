//! Asking models: what is sent, what comes back, what goes wrong.

use crate::running::{CLAUDE, GEMINI, with};
use serde_json::{Value, json};
use shared::error::Code;
use spoke_16_ai_models_mcp::SERVICE;
use std::time::Duration;

/// Acceptance: 61
#[tokio::test]
async fn both_providers_answer_with_text_and_tokens() {
    assert_eq!(8000 + SERVICE.number, 8016);
    let mut models = with(&[]).await;
    let told = models
        .call(GEMINI, json!({"prompt": "hello"}))
        .await
        .unwrap();
    assert_eq!(
        told,
        json!({
            "model": "gemini-flash-latest", "generated_text": "you said hello",
            "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
            "finish_reason": "STOP", "cost_usd": 0.06,
        })
    );
    let told = models
        .call(CLAUDE, json!({"prompt": "hello"}))
        .await
        .unwrap();
    assert_eq!(
        told,
        json!({
            "model": "claude-haiku-4-5-20251001", "response": "you said hello",
            "input_tokens": 1000, "output_tokens": 200, "stop_reason": "end_turn",
            "cost_usd": 0.03,
        })
    );
    let asked = models.providers.questions();
    let expected = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    assert_eq!(asked[0], expected);
    let expected = json!({"model": "claude-haiku-4-5", "max_tokens": 1024,
        "messages": [{"role": "user", "content": "hello"}]});
    assert_eq!(asked[1], expected);
}

#[tokio::test]
async fn every_parameter_arrives() {
    let mut models = with(&[("AI_ANTHROPIC_MODEL", "claude-x")]).await;
    let gemini = json!({"prompt": "p", "model_name": "gemini-pro", "temperature": 1.5,
        "max_output_tokens": 7, "system": "be brief"});
    let told = models.call(GEMINI, gemini).await.unwrap();
    assert_eq!(
        (&told["model"], &told["cost_usd"]),
        (&json!("gemini-pro"), &Value::Null),
        "no price"
    );
    let claude = json!({"prompt": "p", "max_tokens": 9, "temperature": 0.5, "system": "be brief"});
    models.call(CLAUDE, claude).await.unwrap();
    let asked = models.providers.questions();
    assert_eq!(
        asked[0],
        json!({"contents": [{"role": "user", "parts": [{"text": "p"}]}],
            "generationConfig": {"temperature": 1.5, "maxOutputTokens": 7},
            "systemInstruction": {"parts": [{"text": "be brief"}]}})
    );
    assert_eq!(
        asked[1],
        json!({"model": "claude-x", "max_tokens": 9, "temperature": 0.5, "system": "be brief",
            "messages": [{"role": "user", "content": "p"}]})
    );
}

/// Acceptance: 61
#[tokio::test]
async fn without_a_key_the_setting_is_named_and_the_rest_works() {
    let mut models = with(&[("GEMINI_API_KEY", "")]).await;
    let error = models
        .call(GEMINI, json!({"prompt": "p"}))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (
            Code::NotConfigured,
            "not configured: set GEMINI_API_KEY_SECRET_PATH"
        )
    );
    assert!(models.call(CLAUDE, json!({"prompt": "p"})).await.is_ok());
    let health = models.health().await;
    let checks = health["checks"].as_array().unwrap();
    let status =
        |name: &str| checks.iter().find(|it| it["name"] == name).unwrap()["status"].clone();
    assert_eq!(health["status"], "degraded");
    assert_eq!(
        (status("gemini"), status("anthropic")),
        (json!("degraded"), json!("healthy"))
    );
    let listed = models
        .call("ai.models.listAvailable", json!({}))
        .await
        .unwrap();
    assert_eq!(
        listed,
        json!({
            "gemini": {"configured": false, "models": [], "count": 0},
            "anthropic": {"configured": true, "models": ["claude-a", "claude-b"], "count": 2},
        })
    );
}

#[tokio::test]
async fn models_are_listed_page_by_page_and_one_provider_does_not_hide_the_other() {
    let mut models = with(&[("ANTHROPIC_API_KEY", "wrong")]).await;
    let listed = models
        .call("ai.models.listAvailable", json!({}))
        .await
        .unwrap();
    assert_eq!(
        listed["gemini"]["models"],
        json!(["gemini-a", "gemini-b", "gemini-c"])
    );
    assert_eq!(listed["anthropic"]["configured"], true);
    let error = listed["anthropic"]["error"].as_str().unwrap();
    assert!(error.contains("ANTHROPIC_API_KEY_SECRET_PATH"), "{error}");
}

#[tokio::test]
async fn refusals_are_told_honestly_and_without_keys() {
    let mut models = with(&[("AI_CALLS_PER_MINUTE", "1000")]).await;
    let key = crate::providers::ANTHROPIC_KEY;
    for (status, code, retryable, did_not_run) in [
        (400, Code::InvalidInput, false, true),
        (403, Code::BadGateway, false, true),
        (429, Code::RateLimited, true, true),
        (500, Code::ServiceUnavailable, false, false),
        (503, Code::ServiceUnavailable, true, true),
        (529, Code::ServiceUnavailable, true, true),
    ] {
        let message = format!("said\nby the server with {key}");
        let body = json!({"type": "error", "error": {"type": "x", "message": message}});
        models.providers.answer_next(status, body);
        let error = models
            .call(CLAUDE, json!({"prompt": "p"}))
            .await
            .unwrap_err();
        assert_eq!(
            (error.code, error.retryable, error.did_not_run),
            (code, retryable, did_not_run),
            "{status}"
        );
        assert!(!error.message.contains(key), "{error}");
    }
    let unknown = json!({"prompt": "p", "model": "nobody"});
    let error = models.call(CLAUDE, unknown).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    assert!(error.message.contains("model: nobody"), "{error}");
    models.providers.answer_next(200, json!({"hello": 1}));
    let error = models
        .call(CLAUDE, json!({"prompt": "p"}))
        .await
        .unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::BadGateway, false));
    let mut wrong = with(&[("GEMINI_API_KEY", "wrong")]).await;
    let error = wrong
        .call(GEMINI, json!({"prompt": "p"}))
        .await
        .unwrap_err();
    assert!(
        error.message.contains("GEMINI_API_KEY_SECRET_PATH"),
        "{error}"
    );
    assert!(!error.message.contains("AIza"), "{error}");
}

#[tokio::test]
async fn a_blocked_question_has_no_text_and_says_why() {
    let mut models = with(&[]).await;
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}});
    models.providers.answer_next(200, blocked);
    let arguments = json!({"prompt": "p", "conversation_id": "c"});
    let told = models.call(GEMINI, arguments.clone()).await.unwrap();
    assert_eq!(
        (&told["generated_text"], &told["finish_reason"]),
        (&json!(""), &json!("SAFETY"))
    );
    models.call(GEMINI, arguments).await.unwrap();
    let asked = models.providers.questions();
    assert_eq!(
        asked[1]["contents"].as_array().unwrap().len(),
        1,
        "what was blocked is not said again"
    );
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_refused() {
    let mut models = with(&[]).await;
    for name in ["../../x", "a/b", "a?key=1", "a#b", "a b", ".."] {
        let arguments = json!({"prompt": "p", "model_name": name});
        let error = models.call(GEMINI, arguments).await.unwrap_err();
        assert_eq!(
            (error.code, error.did_not_run),
            (Code::InvalidInput, true),
            "{name}"
        );
    }
    assert!(models.providers.questions().is_empty());
}

#[tokio::test]
async fn a_late_answer_is_not_asked_for_again_and_a_missing_server_is() {
    let url = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", gone.local_addr().unwrap())
    };
    let mut models = with(&[("GEMINI_API_URL", &url)]).await;
    let error = models
        .call(GEMINI, json!({"prompt": "p"}))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.retryable, error.did_not_run),
        (Code::ProxyError, true, true)
    );
    models.providers.wait(Duration::from_secs(3));
    let mut call = models.prepared(CLAUDE, &json!({"prompt": "p"}));
    call.deadline_ms = 500;
    let error = models.hub.call(&call).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::Timeout, false));
    // Nobody waits any more, and yet the call was paid for: it is counted.
    let usage = json!({"group_by": "provider"});
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let used = models
            .call("ai.models.usage.get", usage.clone())
            .await
            .unwrap();
        if used["total"]["requests"] == 1 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{used}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Acceptance: 303
#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_asked() {
    let mut models = with(&[("WAYGATE_OUTBOUND_ALLOW", "192.0.2.1")]).await;
    assert!(models.url().starts_with("http://127.0.0.1"));
    let error = models
        .call(GEMINI, json!({"prompt": "p"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::AddressRefused);
    assert!(models.providers.questions().is_empty());
}
