//! Refusals and missing settings.

use crate::Place;
use serde_json::json;
use shared::error::Code;
use spoke_08_k8s_mcp::SERVICE;
use tests::rig::Rig;

const PODS: &str = "infra.k8s.pods.listPods";

#[tokio::test]
async fn refusals_are_told_by_their_code() {
    let mut place = Place::start().await;
    let said = json!({"kind": "Status", "message": "pods is forbidden: no list"});
    for (status, code, retryable) in [
        (403, Code::BadGateway, false),
        (429, Code::RateLimited, true),
        (500, Code::ServiceUnavailable, true),
    ] {
        place.cluster.refuse_next(status, said.clone());
        let error = place.k8s.call(PODS, json!({})).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, retryable), "{status}");
        // What is forbidden is for the caller to know; what broke inside is not.
        assert_eq!(error.message.contains("no list"), status == 403, "{error}");
    }
    place.cluster.refuse_next(200, json!({"items": 7}));
    let odd = place.k8s.call(PODS, json!({})).await.unwrap_err();
    assert_eq!(odd.code, Code::BadGateway);
    assert!(place.k8s.call(PODS, json!({})).await.is_ok());
    let (_, health) = place.k8s.probe("/health").await;
    assert_eq!(health["status"], "healthy", "{health}");
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_asked() {
    let mut place = Place::with(&[("WAYGATE_OUTBOUND_ALLOW", "10.0.0.0/8")]).await;
    let error = place.k8s.call(PODS, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::AddressRefused);
    assert!(place.cluster.seen().is_empty());
}

/// Acceptance: 50
#[tokio::test]
async fn without_a_kubeconfig_the_setting_is_named_and_health_says_so() {
    let mut k8s = Rig::start(&SERVICE, &[]).await;
    for tool in [
        PODS,
        "infra.k8s.cluster.getContexts",
        "infra.k8s.helm.listReleases",
    ] {
        let error = k8s.call(tool, json!({})).await.unwrap_err();
        assert_eq!(error.code, Code::NotConfigured, "{tool}");
        assert!(error.message.contains("KUBECONFIG"), "{error}");
    }
    let (_, health) = k8s.probe("/health").await;
    assert_eq!(health["status"], "degraded");
    assert!(health.to_string().contains("KUBECONFIG"), "{health}");
    let works = k8s.call("infra.k8s.list_templates", json!({})).await;
    assert_eq!(works.unwrap()["count"], 6);
}
