//! Which service a call goes to: the one with the longest namespace that fits.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use shared::spoke::{BuildError, BuildInput, Parts, Service};
use shared::testkit::Script;
use shared::tool::Tool;
use std::sync::Arc;
use tests::contract::Contract;
use tests::contract::door::Way;
use tests::contract::installation::Installation;

/// Services and namespaces of the catalogue, and one inside the namespace of another.
const SERVICES: &[(&str, &[&str])] = &[
    ("01_linux_cli_mcp", &["os.linux", "linux"]),
    ("02_windows_mcp", &["os.windows"]),
    ("03_azure_mcp", &["cloud.azure"]),
    ("04_google_cloud_mcp", &["cloud.gcloud"]),
    ("05_vmware_mcp", &["infra.vmware"]),
    ("06_web_search_mcp", &["web.search"]),
    ("07_web_browsing_mcp", &["web.browse"]),
    ("08_k8s_mcp", &["infra.k8s"]),
    ("09_n8n_mcp", &["workflows.n8n"]),
    ("10_macos_mcp", &["os.macos"]),
    ("11_documentation_mcp", &["docs"]),
    ("12_cmdb_mcp", &["cmdb"]),
    ("13_secrets_mcp", &["secrets"]),
    ("14_aider_mcp", &["aider"]),
    ("15_freqtrade_mcp", &["freqtrade", "trading.freqtrade"]),
    ("16_ai_models_mcp", &["ai.models"]),
    ("17_crypto_trader_mcp", &["crypto"]),
    ("18_vector_db_mcp", &["vector"]),
    ("19_special_mcp", &["os.linux.special"]),
];

/// One tool per namespace.
fn stub(namespace: &str) -> &'static str {
    match namespace {
        "os.linux" => "os.linux.cli.readFile",
        "trading.freqtrade" => "trading.freqtrade.knowledge.x",
        other => Box::leak(format!("{other}.probe").into_boxed_str()),
    }
}

/// Never asked: the tools are given.
fn build(_: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    async { Ok(Parts::default()) }.boxed()
}

fn service(
    name: &'static str,
    namespaces: &'static [&'static str],
) -> (&'static Service, Vec<Arc<dyn Tool>>) {
    let ids: Vec<&'static str> = namespaces.iter().map(|namespace| stub(namespace)).collect();
    let service = Service {
        name,
        number: name.split('_').next().unwrap().parse().unwrap(),
        version: "1.0.0",
        namespaces,
        canary: ids[0],
        defaults: "",
        variables: &[],
        build,
    };
    (
        Box::leak(Box::new(service)),
        ids.into_iter().map(Script::read_named).collect(),
    )
}

/// Acceptance: 27, 28
#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_to_the_service_with_the_longest_namespace_that_fits() {
    let services = SERVICES
        .iter()
        .map(|(name, namespaces)| service(name, namespaces));
    let all = Installation::of(
        services
            .map(|(service, tools)| (Contract::bare(service), Some(tools)))
            .collect(),
    )
    .await;
    let door = all.door(Way::Modern).await;
    let mut expected = 0;
    for spoke in &all.spokes {
        for namespace in spoke.service.namespaces {
            let tool = stub(namespace);
            let answer = door.call(tool, &json!({})).await;
            assert!(answer.result.is_object(), "{tool}: {}", answer.body);
            expected += 1;
            assert_eq!(
                (spoke.runs.of_tool(tool), all.runs()),
                (1, expected),
                "{tool}"
            );
        }
    }
    for unknown in [
        "os.nowhere.probe",
        "nowhere.probe",
        "os.linux.special.other",
    ] {
        let answer = door.call(unknown, &json!({})).await;
        assert_eq!(
            answer.rpc,
            i64::from(proto::mcp::code::INVALID_PARAMS),
            "{}",
            answer.body
        );
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(
            message.contains(unknown.rsplit_once('.').unwrap().0),
            "{message}"
        );
    }
    assert_eq!(all.runs(), expected, "an unknown name was called somewhere");
}
