//! A change is held, decided by somebody else, and made once.

use orchestrator::approvals::sign_webhook;
use serde_json::{Value, json};
use shared::secret::Secret;
use tests::host::Host;
use tests::stack::Stack;

fn write(stack: &Stack, name: &str, content: &str) -> Value {
    json!({"path": stack.files().join(name).display().to_string(), "content": content})
}

fn request_id(held: &tests::host::Reply) -> String {
    assert_eq!(held.code(), "APPROVAL_REQUIRED", "{}", held.body);
    held.structured()["approval"]["request_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Acceptance: 37, 98, 99, 346
#[tokio::test]
async fn a_change_is_held_approved_by_another_and_made_once() {
    let stack = Stack::start(&[1], &[]);
    let host = Host::new(&stack.url, &stack.agent);
    let file = stack.files().join("note.txt");
    std::fs::write(&file, "old").unwrap();
    let arguments = write(&stack, "note.txt", "new");

    let held = host
        .call("os.linux.cli.writeFile", arguments.clone(), json!({}))
        .await;
    let id = request_id(&held);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");

    let mut declined = write(&stack, "other.txt", "new");
    declined["requires_approval"] = json!(false);
    let refused = host
        .call("os.linux.cli.writeFile", declined, json!({}))
        .await;
    assert_eq!(refused.code(), "ACCESS_DENIED", "{}", refused.body);
    let waiting = stack.cli_json(&stack.operator, &["approvals", "list"]);
    assert_eq!(waiting.as_array().unwrap().len(), 1, "somebody was asked");

    let own = stack.cli(&stack.agent, &["approvals", "approve", &id]);
    assert_eq!(own.status.code(), Some(77), "the requester approved itself");
    assert_eq!(
        stack.cli_json(&stack.operator, &["approvals", "approve", &id])["state"],
        "approved"
    );

    let token = stack.cli_json(&stack.agent, &["approvals", "show", &id])["token"].clone();
    let changed = host
        .call(
            "os.linux.cli.writeFile",
            write(&stack, "note.txt", "evil"),
            json!({"waygate/approvalToken": token}),
        )
        .await;
    assert_eq!(changed.code(), "APPROVAL_INVALID");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");

    let done = host
        .call(
            "os.linux.cli.writeFile",
            arguments.clone(),
            json!({"waygate/approvalToken": token}),
        )
        .await;
    assert_eq!(done.body["result"]["isError"], false, "{}", done.body);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
    let backup = done.structured()["backup_path"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(backup).unwrap(), "old");

    let again = host
        .call(
            "os.linux.cli.writeFile",
            arguments,
            json!({"waygate/approvalToken": token}),
        )
        .await;
    assert_eq!(again.code(), "APPROVAL_INVALID");
}

/// Acceptance: 345
#[tokio::test]
async fn an_approval_survives_a_crash_of_the_hub() {
    let mut stack = Stack::start(&[1], &[]);
    let arguments = write(&stack, "after.txt", "made");
    let held = Host::new(&stack.url, &stack.agent)
        .call("os.linux.cli.writeFile", arguments.clone(), json!({}))
        .await;
    let id = request_id(&held);
    stack.crash_hub();
    assert_eq!(
        stack.cli_json(&stack.operator, &["approvals", "approve", &id])["state"],
        "approved"
    );
    stack.crash_hub();
    let text = arguments.to_string();
    let call = [
        "tools",
        "call",
        "os.linux.cli.writeFile",
        &text,
        "--approval",
        &id,
    ];
    let made = stack.cli(&stack.agent, &call);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    assert_eq!(
        std::fs::read_to_string(stack.files().join("after.txt")).unwrap(),
        "made"
    );
    assert!(!stack.cli(&stack.agent, &call).status.success());
}

/// Acceptance: 349
#[tokio::test]
async fn an_idempotency_key_has_one_effect() {
    let stack = Stack::start(&[12], &[]);
    let host = Host::new(&stack.url, &stack.agent);
    let record = json!({"record": {"hostname": "web-1", "ip_address": "192.0.2.1"}});
    let key = json!({"waygate/idempotencyKey": "once-1"});
    let id = request_id(
        &host
            .call("cmdb.local.createServer", record.clone(), key)
            .await,
    );
    let _approved = stack.cli_json(&stack.operator, &["approvals", "approve", &id]);
    let token = stack.cli_json(&stack.agent, &["approvals", "show", &id])["token"].clone();
    let meta = json!({"waygate/idempotencyKey": "once-1", "waygate/approvalToken": token});
    let first = host
        .call("cmdb.local.createServer", record.clone(), meta.clone())
        .await;
    assert_eq!(first.structured()["server"]["hostname"], "web-1");
    let again = host
        .call(
            "cmdb.local.createServer",
            record,
            json!({"waygate/idempotencyKey": "once-1"}),
        )
        .await;
    assert_eq!(
        again.structured(),
        first.structured(),
        "a replay gives the stored result"
    );
    let other = json!({"record": {"hostname": "web-2", "ip_address": "192.0.2.2"}});
    let conflict = host
        .call(
            "cmdb.local.createServer",
            other,
            json!({"waygate/idempotencyKey": "once-1"}),
        )
        .await;
    assert_eq!(conflict.code(), "CONFLICT");
}

/// Acceptance: 99
#[tokio::test]
async fn another_system_decides_by_a_signed_message_once() {
    let given = "0123456789abcdef0123456789abcdef-e2e";
    let extra = [("WAYGATE_APPROVAL_WEBHOOK_SECRET", given)];
    let stack = Stack::start(&[1], &extra);
    let held = Host::new(&stack.url, &stack.agent)
        .call(
            "os.linux.cli.writeFile",
            write(&stack, "w.txt", "x"),
            json!({}),
        )
        .await;
    let id = request_id(&held);
    let body = json!({"request_id": id, "decision": "approve", "approver": "carol"}).to_string();
    let now = jiff::Timestamp::now().as_second();
    let send = async |signature: &str, body: &str| {
        let answer = reqwest::Client::new()
            .post(format!("{}/api/approvals/webhook", stack.url))
            .header("content-type", "application/json")
            .header("x-waygate-timestamp", now)
            .header("x-waygate-signature", signature)
            .body(body.to_owned())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap())
    };
    let signature = sign_webhook(&Secret::new(given), now, body.as_bytes());
    let forged = body.replace("carol", "mallory");
    assert_eq!(send(&signature, &forged).await.0, 401);
    let (status, decided) = send(&signature, &body).await;
    assert_eq!(
        (status, &decided["data"]["state"]),
        (200, &json!("approved"))
    );
    assert_eq!(decided["data"]["votes"][0]["approver"], "webhook:carol");
    assert_eq!(send(&signature, &body).await.0, 401, "a replay counted");
    let metrics = Host::new(&stack.url, &stack.operator)
        .text("/metrics")
        .await;
    for line in [
        r#"waygate_approvals_total{state="pending"} 1"#,
        r#"waygate_approvals_total{state="approved"} 1"#,
        "waygate_approvals_pending 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}
