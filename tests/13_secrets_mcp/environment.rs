//! The environment, rules, permissions, names: what needs no other system.

use crate::running::{ALL, attempt, with};
use serde_json::json;
use shared::error::Code;
use spoke_13_secrets_mcp::SERVICE;

const GET: &str = "secrets.getSecret";
const SETTINGS: &[(&str, &str)] = &[
    ("SECRETS_ENV_ALLOW", "DB_PASSWORD,API_KEY"),
    ("DB_PASSWORD", "correct horse"),
    ("OTHER_KEY", "battery staple"),
];

/// Acceptance: 56
#[tokio::test]
async fn a_listed_variable_is_read_and_no_other() {
    assert_eq!(8000 + SERVICE.number, 8013);
    let mut secrets = with(ALL, SETTINGS).await;
    let found = secrets
        .call(GET, json!({"secretName": "env-DB_PASSWORD"}))
        .await
        .unwrap();
    assert_eq!(
        (&found["value"], &found["backend"]),
        (&json!("correct horse"), &json!("env"))
    );
    assert_eq!(found.get("version"), None);
    for name in ["env-OTHER_KEY", "env-API_KEY"] {
        let error = secrets.call(GET, json!({"secretName": name})).await;
        assert_eq!(error.unwrap_err().code, Code::NotFound, "{name}");
    }
    let versioned = json!({"secretName": "env-DB_PASSWORD", "version": "1"});
    let error = secrets.call(GET, versioned).await.unwrap_err();
    assert_eq!(error.code, Code::InvalidInput);
}

/// Acceptance: 56
#[tokio::test]
async fn a_name_without_a_known_prefix_is_an_error() {
    let mut secrets = with(ALL, SETTINGS).await;
    for name in [
        "DB_PASSWORD",
        "aws-x",
        "env",
        "Env-DB_PASSWORD",
        "-x",
        "vault-../x",
    ] {
        let error = secrets
            .call(GET, json!({"secretName": name}))
            .await
            .unwrap_err();
        assert_eq!(
            (error.code, error.did_not_run),
            (Code::InvalidInput, true),
            "{name}"
        );
        assert_eq!(error.details.unwrap()["field"], "secretName");
    }
}

/// Acceptance: 56
#[tokio::test]
async fn without_a_rule_that_reveals_there_is_a_reference_only() {
    let rules = "rules: [{principal: 'key:*', name: env-DB_PASSWORD, mode: handle}]";
    let mut secrets = with(rules, SETTINGS).await;
    let found = secrets
        .call(GET, json!({"secretName": "env-DB_PASSWORD"}))
        .await
        .unwrap();
    assert_eq!(found.get("value"), None);
    let reference = found["ref"].as_str().unwrap();
    assert!(
        reference.starts_with("secretref://env-DB_PASSWORD?for=&until="),
        "{reference}"
    );
    assert!(!found.to_string().contains("correct horse"));
}

#[tokio::test]
async fn permission_and_rule_are_both_needed_and_refusals_do_not_tell_what_exists() {
    let rules = "rules: [{principal: 'key:1', name: env-DB_PASSWORD, mode: handle}]";
    let mut secrets = with(rules, SETTINGS).await;
    let known = json!({"secretName": "env-DB_PASSWORD"});
    let error = secrets.call_without(GET, known).await.unwrap_err();
    assert_eq!(error.code, Code::InsufficientRights);
    let mut refusals = Vec::new();
    for name in ["env-API_KEY", "env-NOBODY", "vault-app/db", "gcpsm-x"] {
        let error = secrets.call(GET, json!({"secretName": name})).await;
        refusals.push(error.unwrap_err());
    }
    assert_eq!(refusals.pop().unwrap().code, Code::NotConfigured);
    for refusal in refusals {
        assert_eq!(refusal.code, Code::AccessDenied);
        assert_eq!(
            refusal.message,
            "no rule of SECRETS_RULES_PATH lets this caller have this secret"
        );
    }
    assert_eq!(secrets.figure("denied").await, 4);
    assert_eq!(secrets.figure("reads").await, 0);
}

#[tokio::test]
async fn without_rules_nothing_is_given_and_health_says_so() {
    let mut secrets = with("", SETTINGS).await;
    let known = json!({"secretName": "env-DB_PASSWORD"});
    let error = secrets.call(GET, known).await.unwrap_err();
    assert_eq!(error.code, Code::AccessDenied);
    let (status, detail) = secrets.health("rules").await;
    assert_eq!(status, "degraded");
    assert!(detail.contains("SECRETS_RULES_PATH"), "{detail}");
}

#[tokio::test]
async fn rules_that_cannot_be_used_stop_the_start() {
    let error = attempt("rules: [{name: x, mode: handle}]", &[], "").await;
    let error = error.err().unwrap();
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert!(
        source
            .clone()
            .is_some_and(|it| it.contains("rule 1 of the file")),
        "{error}: {source:?}"
    );
}

/// Acceptance: 58
#[tokio::test]
async fn a_value_is_kept_nowhere() {
    let mut secrets = with(ALL, SETTINGS).await;
    let call = crate::running::now(GET, &json!({"secretName": "env-DB_PASSWORD"}))
        .permitted("secrets:read")
        .key("once");
    let found = secrets.hub.call(&call).await.unwrap();
    assert_eq!(found["value"], "correct horse");
    let stored = secrets.stored();
    let value = b"correct horse";
    assert!(!stored.is_empty());
    assert!(!stored.windows(value.len()).any(|it| it == value));
}
