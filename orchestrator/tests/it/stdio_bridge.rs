//! Programs of the hub's machine over plain HTTP.

use crate::hub::{Answer, TestHub, a};
use axum::body::Body;
use serde_json::{Value, json};

async fn post(hub: &TestHub, path: &str, key: &str, body: &Value) -> Value {
    hub.post(path, key, body).await.json()
}

fn alive(pid: &Value) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// The same request again, after somebody else has agreed.
async fn approved(hub: &TestHub, path: &str, key: &str, body: &Value) -> Answer {
    let asked = hub.post(path, key, body).await;
    let document = asked.json();
    assert_eq!(document["error"]["code"], "APPROVAL_REQUIRED", "{document}");
    let pending = hub
        .get("/api/approvals?state=pending", &hub.admin)
        .await
        .json();
    let id = pending["data"][0]["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let decided = hub
        .post(
            &format!("/api/approvals/{id}/approve"),
            &hub.admin,
            &json!({}),
        )
        .await;
    assert_eq!(decided.status, 200, "{:?}", decided.body);
    let seen = hub.get(&format!("/api/approvals/{id}"), key).await.json();
    let token = seen["data"]["token"].as_str().unwrap().to_owned();
    let request = a("POST", path, key)
        .header("content-type", "application/json")
        .header("x-approval-token", token);
    hub.send(request.body(Body::from(body.to_string())).unwrap())
        .await
}

/// Acceptance: 280
#[tokio::test]
async fn a_listed_program_is_run_for_who_may_and_others_are_refused() {
    let hub = TestHub::start().await;
    let key = hub.key(&["read", "execute", "stdio:execute"]).await;
    let ran = post(
        &hub,
        "/stdio/execute",
        &key,
        &json!({"command": "uname", "args": ["-s"]}),
    )
    .await;
    assert_eq!(
        (&ran["success"], &ran["output"]),
        (&json!(true), &json!("Linux\n")),
        "{ran}"
    );
    assert_eq!(
        (&ran["command"], &ran["args"]),
        (&json!("uname"), &json!(["-s"]))
    );
    assert!(ran["session_id"].is_string() && ran["timestamp"].is_string());
    for (body, code) in [
        (json!({"command": "id"}), "POLICY_VIOLATION"),
        (json!({"command": "/usr/bin/uname"}), "POLICY_VIOLATION"),
        (
            json!({"command": "sh", "args": ["-c", "id"]}),
            "POLICY_VIOLATION",
        ),
        (
            json!({"command": "uname", "env": {"LD_PRELOAD": "/x.so"}}),
            "INVALID_INPUT",
        ),
        (json!({"command": "uname", "timeout": 31}), "INVALID_INPUT"),
        (json!({}), "INVALID_INPUT"),
    ] {
        let refused = post(&hub, "/stdio/execute", &key, &body).await;
        assert_eq!(refused["error"]["code"], code, "{body}: {refused}");
    }
    for path in ["/stdio/execute", "/stdio/process", "/stdio/send"] {
        let refused = post(&hub, path, &hub.user, &json!({"command": "uname"})).await;
        assert_eq!(refused["error"]["code"], "INSUFFICIENT_RIGHTS", "{refused}");
        assert_eq!(hub.post(path, "", &json!({})).await.status, 401);
    }
    // By MCP as well.
    let called = hub.call("stdio.execute", json!({"command": "uname"})).await;
    let code = &called["structuredContent"]["error"]["code"];
    assert_eq!(*code, "INSUFFICIENT_RIGHTS", "{called}");
    let late = json!({"command": "sleep", "args": ["20"], "timeout": 1});
    let late = approved(&hub, "/stdio/execute", &key, &late).await.json();
    assert_eq!(
        (&late["success"], &late["exit_code"]),
        (&json!(false), &Value::Null),
        "{late}"
    );
}

/// Acceptance: 281
#[tokio::test]
async fn a_process_is_started_looked_at_talked_to_and_stopped() {
    let hub = TestHub::start().await;
    let key = hub.key(&["read", "execute", "stdio:execute"]).await;
    let start = json!({"action": "start", "command": "cat"});
    let started = approved(&hub, "/stdio/process", &key, &start).await.json();
    let process = &started["processes"][0];
    assert_eq!(
        (&started["success"], &process["status"]),
        (&json!(true), &json!("running"))
    );
    let (id, pid) = (process["process_id"].clone(), process["pid"].clone());
    assert!(alive(&pid));
    let line = json!({"process_id": id, "message": "say it back", "timeout": 25});
    let sent = post(&hub, "/stdio/send", &key, &line).await;
    assert_eq!(
        (&sent["output"], &sent["pid"]),
        (&json!("say it back"), &pid),
        "{sent}"
    );
    let two = json!({"process_id": id, "message": "a\nb"});
    let refused = post(&hub, "/stdio/send", &key, &two).await;
    assert_eq!(refused["error"]["code"], "INVALID_INPUT", "{refused}");
    let seen = hub.get("/stdio/process", &key).await.json();
    assert_eq!(
        seen["processes"][0]["output"],
        json!(["say it back"]),
        "{seen}"
    );
    let other = hub.key(&["read", "execute", "stdio:execute"]).await;
    let theirs = hub.get("/stdio/process", &other).await.json();
    assert_eq!(theirs["processes"], json!([]));
    let refused = post(&hub, "/stdio/send", &other, &line).await;
    assert_eq!(refused["error"]["code"], "NOT_FOUND", "{refused}");
    let stop = json!({"action": "stop", "process_id": id});
    let stopped = post(&hub, "/stdio/process", &key, &stop).await;
    assert_eq!(stopped["processes"][0]["status"], "ended", "{stopped}");
    assert!(!alive(&pid));
    let refused = post(&hub, "/stdio/send", &key, &line).await;
    assert_eq!(refused["error"]["code"], "CONFLICT", "{refused}");
}
