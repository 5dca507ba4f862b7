//! Processes and services of a host.

use crate::windows::usual;
use serde_json::json;
use shared::error::Code;

/// Acceptance: 65
#[tokio::test]
async fn processes_are_listed_and_ended() {
    let mut windows = usual().await;
    let (get, stop) = (
        "os.windows.process.getProcess",
        "os.windows.process.stopProcess",
    );
    assert_eq!(windows.answer(get, json!({})).await["count"], 3);
    let found = windows.answer(get, json!({"id": 4})).await;
    assert_eq!(found["processes"][0]["name"], "System");
    for bad in [
        json!({}),
        json!({"name": "a", "id": 1}),
        json!({"name": " "}),
    ] {
        let error = windows.approved(stop, bad).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidInput);
    }
    let error = windows.call(stop, json!({"name": "notepad"})).await;
    assert_eq!(error.unwrap_err().code, Code::ApprovalRequired);
    let done = windows
        .approved(stop, json!({"name": "notepad"}))
        .await
        .unwrap();
    assert_eq!(
        (&done["count"], &done["stopped"][1]["id"]),
        (&json!(2), &json!(900))
    );
    let error = windows
        .approved(stop, json!({"id": 812}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    assert_eq!(
        windows.answer(get, json!({"name": "notepad"})).await["count"],
        0
    );
}

/// Acceptance: 65
#[tokio::test]
async fn services_are_told_and_switched() {
    let mut windows = usual().await;
    let service = |verb: &str| format!("os.windows.service.{verb}Service");
    let found = windows
        .answer(&service("get"), json!({"name": "W3SVC"}))
        .await;
    assert_eq!(
        (&found["state"], &found["can_stop"]),
        (&json!("Running"), &json!(true))
    );
    for (verb, before, after) in [
        ("stop", "Running", "Stopped"),
        ("start", "Stopped", "Running"),
        ("restart", "Running", "Running"),
    ] {
        let error = windows.call(&service(verb), json!({"name": "W3SVC"})).await;
        assert_eq!(error.unwrap_err().code, Code::ApprovalRequired, "{verb}");
        let done = windows
            .approved(&service(verb), json!({"name": "W3SVC"}))
            .await
            .unwrap();
        assert_eq!(
            (&done["state_before"], &done["state"]),
            (&json!(before), &json!(after))
        );
    }
    let error = windows.call(&service("get"), json!({"name": "*"})).await;
    assert_eq!(error.unwrap_err().code, Code::NotFound);
}
