//! Manifests, and the templates they begin with.

use crate::Place;
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::Effect;

const APPLY: &str = "infra.k8s.apply.applyManifest";
const TWO: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {KEY: one}
---
apiVersion: v1
kind: Secret
metadata: {name: b, namespace: shop}
stringData: {PASSWORD: hunter2}
";

fn statuses(applied: &Value) -> Vec<&str> {
    let results = applied["results"].as_array().unwrap().iter();
    results.map(|it| it["status"].as_str().unwrap()).collect()
}

/// Acceptance: 50
#[tokio::test]
async fn manifests_are_tried_for_nothing_and_applied_after_approval() {
    let mut place = Place::start().await;
    let refused = place.k8s.call(APPLY, json!({"yamlContent": TWO})).await;
    assert_eq!(refused.unwrap_err().code, Code::ApprovalRequired);
    let tried = json!({"yamlContent": TWO, "dry_run": true});
    let tried = place.k8s.call(APPLY, tried).await.unwrap();
    assert_eq!(statuses(&tried), ["created", "created"]);
    assert!(place.changes().is_empty(), "{:?}", place.changes());
    let arguments = json!({"yamlContent": TWO});
    let first = place
        .k8s
        .approved(APPLY, arguments.clone(), Effect::Mutate)
        .await;
    let first = first.unwrap();
    assert_eq!(statuses(&first), ["created", "created"]);
    assert_eq!(first["results"][1]["namespace"], "shop");
    let again = place.k8s.approved(APPLY, arguments, Effect::Mutate).await;
    assert_eq!(statuses(&again.unwrap()), ["unchanged", "unchanged"]);
    let other = TWO.replace("one", "two").replace("hunter2", "hunter3");
    let arguments = json!({"yamlContent": other});
    let summary = place.k8s.summary(APPLY, arguments.clone()).await;
    assert!(summary.contains(r#"data.KEY: "one" → "two""#), "{summary}");
    assert!(!summary.contains("hunter"), "{summary}");
    let changed = place.k8s.approved(APPLY, arguments, Effect::Mutate).await;
    let changed = changed.unwrap();
    assert_eq!(statuses(&changed), ["configured", "configured"]);
    assert!(!changed.to_string().contains("hunter"), "{changed}");
}

#[tokio::test]
async fn one_that_fails_does_not_stop_the_others_and_force_takes_over() {
    let mut place = Place::start().await;
    let owned = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {owner: somebody}}}";
    let arguments = json!({"yamlContent": owned});
    place
        .k8s
        .approved(APPLY, arguments, Effect::Mutate)
        .await
        .unwrap();
    let arguments = json!({"yamlContent": TWO});
    let mixed = place
        .k8s
        .approved(APPLY, arguments, Effect::Mutate)
        .await
        .unwrap();
    assert_eq!(statuses(&mixed), ["failed", "created"]);
    let message = mixed["results"][0]["message"].as_str().unwrap();
    assert!(message.contains("conflict with"), "{message}");
    let forced = json!({"yamlContent": TWO, "force": true});
    let forced = place
        .k8s
        .approved(APPLY, forced, Effect::Mutate)
        .await
        .unwrap();
    assert_eq!(statuses(&forced), ["configured", "unchanged"]);
}

#[tokio::test]
async fn what_may_not_be_applied_is_refused_before_anything_is_asked() {
    let mut place = Place::with(&[("K8S_ALLOWED_KINDS", "ConfigMap,Namespace")]).await;
    for yaml in [
        "{apiVersion: v1, kind: Pod, metadata: {name: a}}",
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a}}",
        "{apiVersion: v2, kind: ConfigMap, metadata: {name: a}}",
        "{apiVersion: v1, kind: ConfigMap}",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: ../x}}",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: ../x}}",
        "{apiVersion: v1, kind: Namespace, metadata: {name: a, namespace: b}}",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: elsewhere}}",
        "a: [b",
        "---",
    ] {
        let arguments = json!({"yamlContent": yaml, "namespace": "shop"});
        let error = place.k8s.approved(APPLY, arguments, Effect::Mutate).await;
        assert_eq!(error.unwrap_err().code, Code::InvalidInput, "{yaml}");
    }
    assert!(place.cluster.seen().is_empty());
}

#[tokio::test]
async fn every_template_can_be_applied_and_notes_are_found() {
    let mut place = Place::start().await;
    let listed = place.k8s.call("infra.k8s.list_templates", json!({})).await;
    let listed = listed.unwrap();
    assert_eq!(listed["count"], 6);
    for template in listed["templates"].as_array().unwrap() {
        for format in ["yaml", "json"] {
            let wanted = json!({"name": template["name"], "format": format});
            let given = place
                .k8s
                .call("infra.k8s.get_template", wanted)
                .await
                .unwrap();
            let tried = json!({"yamlContent": given["content"], "dry_run": true});
            let tried = place.k8s.call(APPLY, tried).await.unwrap();
            assert_eq!(tried["results"][0]["status"], "created", "{tried}");
            assert_eq!(tried["results"][0]["kind"], template["kind"]);
        }
    }
    let wanted = json!({"query": "why does my pod not start?", "limit": 3});
    let found = place
        .k8s
        .call("infra.k8s.search_docs", wanted)
        .await
        .unwrap();
    assert_eq!(
        found["hits"][0]["title"], "Why a pod does not start",
        "{found}"
    );
    assert_eq!(found["count"], 3);
}
