//! What can be seen afterwards: correlation, audit, metrics, and no secrets.

use serde_json::{Value, json};
use tests::host::Host;
use tests::stack::Stack;

/// Acceptance: 75, 76, 97, 145
#[tokio::test]
async fn one_correlation_id_joins_hub_spoke_and_audit() {
    let mut stack = Stack::start(&[12], &[]);
    let host = Host::new(&stack.url, &stack.agent);
    let meta = json!({"waygate/correlationId": "corr-e2e-1"});
    let reply = host.call("cmdb.local.validate", json!({}), meta).await;
    assert_eq!(
        reply.body["result"]["_meta"]["waygate/correlationId"],
        "corr-e2e-1"
    );
    let operator = Host::new(&stack.url, &stack.operator);
    // A read is written soon, not before it is answered.
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(100));
    let mut rows = 0;
    for _ in 0..50 {
        pace.tick().await;
        let found = operator
            .get("/api/admin/audit?correlation_id=corr-e2e-1")
            .await;
        rows = found.body["data"].as_array().unwrap().len();
        if rows > 0 {
            break;
        }
    }
    assert!(rows > 0, "no audit row of the call");
    for log in [stack.hub.log(), stack.spoke(12).log()] {
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        lines.iter().for_each(is_complete);
        let joined = |line: &Value| line["correlation_id"] == "corr-e2e-1";
        assert!(lines.iter().any(joined), "{log}");
    }
}

/// Every log line has the fields an operator searches by.
fn is_complete(line: &Value) {
    for field in ["timestamp", "service", "level", "message", "event"] {
        assert!(line[field].is_string(), "{field} is missing in {line}");
    }
}

/// Acceptance: 350
#[tokio::test]
async fn a_changed_audit_row_is_found() {
    let mut stack = Stack::start(&[12], &[]);
    let host = Host::new(&stack.url, &stack.agent);
    for _ in 0..5 {
        assert_eq!(
            host.call("cmdb.local.validate", json!({}), json!({}))
                .await
                .status,
            200
        );
    }
    assert!(stack.hub.stop().success());
    assert_eq!(
        stack.cli_json(&stack.operator, &["audit", "verify"])["intact"],
        true
    );
}
