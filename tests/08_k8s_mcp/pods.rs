//! Pods, their logs, and namespaces.

use crate::{Place, names};
use serde_json::json;
use shared::error::Code;
use shared::tool::Effect;

const LIST: &str = "infra.k8s.pods.listPods";
const GET: &str = "infra.k8s.pods.getPod";
const LOGS: &str = "infra.k8s.pods.getPodLogs";
const DELETE: &str = "infra.k8s.pods.deletePod";

/// Acceptance: 50
#[tokio::test]
async fn pods_are_listed_over_pages_with_state_address_and_node() {
    let mut place = Place::start().await;
    let listed = place.k8s.call(LIST, json!({})).await.unwrap();
    let first = json!({
        "name": "web-1", "namespace": "default", "status": "Running", "ip": "10.1.0.7",
        "node": "node-1", "created": "2026-11-01T08:00:00Z",
    });
    assert_eq!((&listed["count"], &listed["pods"][0]), (&json!(2), &first));
    assert_eq!(listed["pods"][1]["status"], "CrashLoopBackOff");
    let all = json!({"allNamespaces": true, "labelSelector": "app=web"});
    let all = place.k8s.call(LIST, all).await.unwrap();
    assert_eq!(names(&all["pods"]), ["web-1", "web-2", "dns"]);
    let none = json!({"labelSelector": "app=other"});
    assert_eq!(place.k8s.call(LIST, none).await.unwrap()["count"], 0);
    let whole = place.k8s.call(GET, json!({"name": "web-2"})).await.unwrap();
    let container = json!({
        "name": "app", "image": "registry.example/web:1", "resources": {}, "ready": false,
        "restart_count": 4, "state": "waiting: CrashLoopBackOff",
    });
    assert_eq!(whole["containers"], json!([container]));
    assert_eq!(whole["labels"], json!({"app": "web"}));
    let spaces = place.k8s.call("infra.k8s.list_namespaces", json!({}));
    let spaces = spaces.await.unwrap();
    assert_eq!(names(&spaces["namespaces"]), ["default", "kube-system"]);
}

#[tokio::test]
async fn the_end_of_a_log_is_read_and_what_comes_later_is_waited_for() {
    let mut place = Place::start().await;
    let end = json!({"name": "web-1", "tail": 2, "container": "app", "since_seconds": 60});
    let end = place.k8s.call(LOGS, end).await.unwrap();
    let expected = json!({
        "pod": "web-1", "container": "app", "text": "two\nthree\n", "truncated": false,
    });
    assert_eq!(end, expected);
    let other = json!({"name": "web-1", "tail_lines": 1});
    let other = place.k8s.call(LOGS, other).await.unwrap();
    assert_eq!(other["text"], "three\n");
    let followed = json!({"name": "web-1", "follow": true});
    let followed = place.k8s.call(LOGS, followed).await.unwrap();
    assert_eq!(followed["text"], "one\ntwo\nthree\nfour\n");
    let odd = json!({"name": "web-1", "container": "nosuch"});
    let odd = place.k8s.call(LOGS, odd).await.unwrap_err();
    assert_eq!(odd.code, Code::InvalidInput);
    assert!(odd.message.contains("nosuch is not valid"), "{odd}");
}

/// Acceptance: 50
#[tokio::test]
async fn a_pod_is_deleted_after_approval_and_only_the_one_that_was_meant() {
    let mut place = Place::start().await;
    let arguments = json!({"name": "web-1", "grace_period_seconds": 5});
    let refused = place.k8s.call(DELETE, arguments.clone()).await;
    assert_eq!(refused.unwrap_err().code, Code::ApprovalRequired);
    assert!(place.changes().is_empty());
    let gone = place.k8s.approved(DELETE, arguments, Effect::Mutate).await;
    let expected = json!({
        "name": "web-1", "namespace": "default", "status": "Terminating", "uid": "uid-web-1",
    });
    assert_eq!(gone.unwrap(), expected);
    let sent = place.changes().remove(0);
    assert!(
        sent.contains(r#""preconditions":{"uid":"uid-web-1"}"#),
        "{sent}"
    );
    assert!(sent.contains(r#""gracePeriodSeconds":5"#), "{sent}");
}

#[tokio::test]
async fn names_lead_nowhere_else() {
    let mut place = Place::start().await;
    for (tool, arguments) in [
        (LIST, json!({"namespace": "a/b"})),
        (GET, json!({"name": "../../secrets/x"})),
        (GET, json!({"name": "a", "namespace": ".."})),
        (LOGS, json!({"name": "a?b"})),
    ] {
        let error = place.k8s.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.code, error.did_not_run), (Code::InvalidInput, true));
    }
    assert!(place.cluster.seen().is_empty());
}
