//! Contexts, and the ways to sign in.

use crate::{Place, names};
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::Effect;
use tests::rig::now;

const CURRENT: &str = "infra.k8s.cluster.getCurrentContext";
const SWITCH: &str = "infra.k8s.cluster.switchContext";
const PODS: &str = "infra.k8s.pods.listPods";

async fn switched(place: &mut Place, name: &str) -> Result<Value, Code> {
    let wanted = json!({"contextName": name});
    let switched = place.k8s.approved(SWITCH, wanted, Effect::Mutate).await;
    switched.map_err(|error| error.code)
}

#[tokio::test]
async fn a_choice_counts_for_the_caller_only_and_is_not_written_down() {
    let mut place = Place::start().await;
    let before = std::fs::read(place.folder.path().join("config")).unwrap();
    let contexts = place.k8s.call("infra.k8s.cluster.getContexts", json!({}));
    let contexts = contexts.await.unwrap();
    let expected = ["broken", "other", "program", "test"];
    assert_eq!(names(&contexts["contexts"]), expected);
    assert_eq!(contexts["contexts"][3]["current"], true);
    let done = switched(&mut place, "other").await.unwrap();
    assert_eq!(done, json!({"name": "other", "previous": "test"}));
    let current = place.k8s.call(CURRENT, json!({})).await.unwrap();
    let expected = json!({"name": "other", "cluster": "stub", "namespace": "shop"});
    assert_eq!(current, expected);
    let mut theirs = now(CURRENT, &json!({}));
    theirs.principal = "key:somebody-else".into();
    assert_eq!(place.k8s.hub.call(&theirs).await.unwrap()["name"], "test");
    assert_eq!(switched(&mut place, "nosuch").await, Err(Code::NotFound));
    assert_eq!(
        std::fs::read(place.folder.path().join("config")).unwrap(),
        before
    );
}

#[tokio::test]
async fn a_server_that_shall_not_be_checked_and_a_program_are_refused() {
    let mut place = Place::start().await;
    for (context, why) in [
        ("broken", "not to check"),
        ("program", "K8S_ALLOW_EXEC_PLUGINS"),
    ] {
        switched(&mut place, context).await.unwrap();
        let error = place.k8s.call(PODS, json!({})).await.unwrap_err();
        assert_eq!(error.code, Code::NotConfigured);
        assert!(error.message.contains(why), "{error}");
    }
    assert!(place.cluster.seen().is_empty());
}

#[tokio::test]
async fn a_wrong_token_is_told_without_the_token() {
    let mut place = Place::start().await;
    switched(&mut place, "other").await.unwrap();
    let error = place.k8s.call(PODS, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::BadGateway);
    assert!(error.message.contains("KUBECONFIG"), "{error}");
    let (_, health) = place.k8s.probe("/health").await;
    assert_eq!(health["status"], "degraded", "{health}");
}
