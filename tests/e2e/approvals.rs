//! A change is held, decided by somebody else, and made once.

use serde_json::{Value, json};
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
