//! Deployments.

use crate::Place;
use serde_json::json;
use shared::error::Code;
use shared::tool::Effect;

const SCALE: &str = "infra.k8s.deployments.scaleDeployment";

#[tokio::test]
async fn deployments_are_listed_and_scaled() {
    let mut place = Place::start().await;
    let listed = place
        .k8s
        .call("infra.k8s.deployments.listDeployments", json!({}));
    let expected = json!({
        "name": "web", "namespace": "default", "replicas": 2, "available": 1, "ready": 1,
        "images": ["registry.example/web:1"], "created": "2026-11-01T08:00:00Z",
    });
    assert_eq!(listed.await.unwrap()["deployments"], json!([expected]));
    let arguments = json!({"name": "web", "replicas": 5});
    let summary = place.k8s.summary(SCALE, arguments.clone()).await;
    assert!(summary.contains("to 5 replicas, from 2"), "{summary}");
    let scaled = place.k8s.approved(SCALE, arguments, Effect::Mutate).await;
    let expected =
        json!({"name": "web", "namespace": "default", "replicas_before": 2, "replicas": 5});
    assert_eq!(scaled.unwrap(), expected);
    let absent = json!({"name": "nosuch", "replicas": 1});
    let absent = place.k8s.approved(SCALE, absent, Effect::Mutate).await;
    assert_eq!(absent.unwrap_err().code, Code::NotFound);
}
