//! Charts, by a stand-in for helm that writes down what it is given.

use crate::Place;
use serde_json::json;
use shared::error::Code;
use shared::tool::Effect;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const LIST: &str = "infra.k8s.helm.listReleases";
const INSTALL: &str = "infra.k8s.helm.installChart";
const UPGRADE: &str = "infra.k8s.helm.upgradeChart";
const UNINSTALL: &str = "infra.k8s.helm.uninstallRelease";

/// Answers as helm 3 does, and writes words and input beside itself.
const HELM: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$@ KUBECONFIG=$KUBECONFIG" >> "$here/words"
case $1 in
list) printf '%s\n' '[{"name":"shop","namespace":"default","revision":"3","status":"deployed","chart":"shop-1.2.0","app_version":"7.1","updated":"2026-11-20 10:11:12.5 +0100 CET"}]' ;;
install | upgrade)
  cat > "$here/values"
  echo "{\"name\":\"$2\",\"namespace\":\"default\",\"version\":4,\"info\":{\"status\":\"deployed\",\"notes\":\"Enjoy.\"}}" ;;
status)
  case $2 in
  shop) printf '%s\n' '{"info":{"status":"deployed"},"manifest":"kind: Service\nmetadata: {name: web}\n---\nkind: Deployment\nmetadata: {name: web}\n"}' ;;
  stuck) printf '%s\n' '{"info":{"status":"pending-upgrade"},"manifest":""}' ;;
  *) echo 'Error: release: not found' >&2; exit 1 ;;
  esac ;;
uninstall) echo "release \"$2\" uninstalled" ;;
esac
"#;

async fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("helm");
    std::fs::write(&path, HELM).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Place::within(folder, &[("HELM_PATH", "<folder>/helm")]).await
}

fn written(place: &Place, name: &str) -> String {
    std::fs::read_to_string(Path::new(place.folder.path()).join(name)).unwrap_or_default()
}

#[tokio::test]
async fn releases_are_listed_installed_and_upgraded_with_values_by_input() {
    let mut place = place().await;
    let listed = place.k8s.call(LIST, json!({"allNamespaces": true})).await;
    let expected = json!({
        "name": "shop", "namespace": "default", "revision": 3, "status": "deployed",
        "chart": "shop-1.2.0", "app_version": "7.1", "updated": "2026-11-20T09:11:12.5Z",
    });
    assert_eq!(listed.unwrap()["releases"], json!([expected]));
    let arguments = json!({
        "name": "shop", "chart": "shop", "repo": "https://charts.example", "version": "1.2.0",
        "values": {"password": "hunter2 $(id)"}, "create_namespace": true, "timeout": 60,
    });
    let summary = place.k8s.summary(INSTALL, arguments.clone()).await;
    assert!(summary.contains("https://charts.example"), "{summary}");
    assert!(!summary.contains("hunter2"), "{summary}");
    let installed = place.k8s.approved(INSTALL, arguments, Effect::Mutate).await;
    let expected = json!({
        "name": "shop", "namespace": "default", "revision": 4, "status": "deployed",
        "notes": "Enjoy.",
    });
    assert_eq!(installed.unwrap(), expected);
    assert_eq!(written(&place, "values"), r#"{"password":"hunter2 $(id)"}"#);
    let arguments =
        json!({"name": "shop", "chart": "oci://registry.example/shop", "install": true});
    place
        .k8s
        .approved(UPGRADE, arguments, Effect::Mutate)
        .await
        .unwrap();
    let words = written(&place, "words");
    for part in [
        "install shop shop --namespace default --output json --values - --version 1.2.0 --repo \
         https://charts.example --wait --timeout 60s --create-namespace --kube-context test",
        "upgrade shop oci://registry.example/shop",
        "--install",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(!words.contains("hunter2"), "{words}");
}

#[tokio::test]
async fn a_release_is_uninstalled_when_it_is_there_and_at_rest() {
    let mut place = place().await;
    for (name, check) in [("stuck", "not_pending"), ("nosuch", "release_exists")] {
        let arguments = json!({"name": name});
        let error = place
            .k8s
            .approved(UNINSTALL, arguments, Effect::Critical)
            .await;
        let error = error.unwrap_err();
        assert_eq!(error.code, Code::NotReady, "{error}");
        assert!(error.details.unwrap().to_string().contains(check));
    }
    let arguments = json!({"name": "shop", "keep_history": true});
    let done = place
        .k8s
        .approved(UNINSTALL, arguments, Effect::Critical)
        .await;
    assert_eq!(done.unwrap()["status"], "uninstalled");
    let words = written(&place, "words");
    assert_eq!(words.matches("uninstall ").count(), 1, "{words}");
    assert!(
        words.contains("uninstall shop --namespace default --keep-history"),
        "{words}"
    );
}

#[tokio::test]
async fn charts_of_the_host_and_flags_in_disguise_are_refused() {
    let mut place = place().await;
    for chart in [
        "/etc/chart",
        "./chart",
        "../chart",
        "-f",
        "a/b/c",
        "http://x.example/c.tgz",
        "a b",
    ] {
        let arguments = json!({"name": "shop", "chart": chart});
        let error = place.k8s.approved(INSTALL, arguments, Effect::Mutate).await;
        assert_eq!(error.unwrap_err().code, Code::InvalidInput, "{chart}");
    }
    for (field, value) in [
        ("repo", "file:///etc"),
        ("version", "--post-renderer=x"),
        ("name", "-x"),
    ] {
        let mut arguments = json!({"name": "shop", "chart": "stable/shop"});
        arguments[field] = json!(value);
        let error = place.k8s.approved(INSTALL, arguments, Effect::Mutate).await;
        assert_eq!(error.unwrap_err().code, Code::InvalidInput, "{field}");
    }
    assert!(written(&place, "words").is_empty());
}

#[tokio::test]
async fn without_helm_the_setting_is_named() {
    let mut place = Place::with(&[("HELM_PATH", "<folder>/nothing")]).await;
    let error = place.k8s.call(LIST, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
    assert!(error.message.contains("HELM_PATH"), "{error}");
}
