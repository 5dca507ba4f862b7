//! One port, several protocols, and who may pass.

use crate::direct::{self, client, rpc};
use proto::spoke::DescribeRequest;
use proto::spoke::spoke_client::SpokeClient;
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use shared::spoke::Health;
use shared::testkit::{HubCall, SPOKE_TOKEN, TestSpoke};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Acceptance: 337
#[tokio::test]
async fn one_port_answers_grpc_and_mcp_and_probes() {
    let spoke = TestSpoke::start().await;

    let mut hub = spoke.client().await;
    assert_eq!(hub.spoke.service, "99_test_mcp");
    assert_eq!(hub.spoke.boot_id, spoke.running.boot_id);
    assert!(hub.spoke.tools.is_sorted_by(|a, b| a.id < b.id));
    let echo = HubCall::new("test.echo", &json!({"text": "over gRPC"}));
    assert_eq!(hub.call(&echo).await.unwrap()["text"], "over gRPC");

    let transport = StreamableHttpClientTransport::with_client(
        client(),
        StreamableHttpClientTransportConfig::with_uri(spoke.url("/mcp")).auth_header(SPOKE_TOKEN),
    );
    let mcp = ().serve(transport).await.unwrap();
    assert_eq!(
        mcp.list_all_tools().await.unwrap().len(),
        hub.spoke.tools.len()
    );
    let arguments = json!({"text": "over MCP"}).as_object().unwrap().clone();
    let params = CallToolRequestParams::new("test_echo").with_arguments(arguments);
    let result = mcp.call_tool(params).await.unwrap();
    assert_eq!(result.structured_content.unwrap()["text"], "over MCP");

    let channel = tonic::transport::Endpoint::from_shared(spoke.url("")).unwrap();
    let mut health = HealthClient::new(channel.connect().await.unwrap());
    let request = HealthCheckRequest {
        service: "waygate.spoke.v1.Spoke".into(),
    };
    let status = health.check(request).await.unwrap().into_inner().status();
    assert_eq!(status, ServingStatus::Serving);

    for path in ["/", "/health", "/ready", "/metrics"] {
        let answer = client().get(spoke.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
}

/// Acceptance: 100
#[tokio::test]
async fn both_doors_ask_for_the_credential_and_probes_do_not() {
    let spoke = TestSpoke::start().await;
    for bearer in [None, Some("wrong-token-0123456789")] {
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
        let mut request = direct::request(&spoke).body(list);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["error"]["code"], "UNAUTHORIZED");

        let channel = tonic::transport::Endpoint::from_shared(spoke.url("")).unwrap();
        let mut grpc = SpokeClient::new(channel.connect().await.unwrap());
        let mut request = tonic::Request::new(DescribeRequest {});
        if let Some(bearer) = bearer {
            let value = format!("Bearer {bearer}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        let refused = grpc.describe(request).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    }
    assert_eq!(rpc(&spoke, "tools/list", json!({})).await.status, 200);
}

/// Acceptance: 100
#[tokio::test]
async fn without_a_credential_only_loopback_is_served() {
    let spoke = TestSpoke::with(&[("WAYGATE_SPOKE_AUTH", "none")]).await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let answer = direct::request(&spoke).body(ping).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn strange_hosts_and_origins_are_refused() {
    let spoke = TestSpoke::start().await;
    let check = async |header: &str, value: &str| {
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
        let request = direct::request(&spoke).bearer_auth(SPOKE_TOKEN).body(list);
        let answer = request.header(header, value).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(check("host", "evil.example").await, 403);
    assert_eq!(check("host", "99_test_mcp:8099").await, 200);
    assert_eq!(check("origin", "http://evil.example").await, 403);
    assert_eq!(check("origin", "null").await, 403);
}

/// Every tool tells a host what it needs to know.
#[tokio::test]
async fn the_tools_list_carries_ids_effects_and_hints() {
    let spoke = TestSpoke::start().await;
    let answer = rpc(&spoke, "tools/list", json!({})).await;
    let tools = answer.body["result"]["tools"].as_array().unwrap();
    let named = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    let echo = named("test_echo");
    assert_eq!(echo["title"], "Echo");
    assert_eq!(echo["annotations"]["readOnlyHint"], true);
    assert_eq!(echo["annotations"]["idempotentHint"], true);
    assert_eq!(echo["annotations"]["openWorldHint"], false);
    assert_eq!(echo["inputSchema"]["additionalProperties"], false);
    assert!(echo["outputSchema"]["properties"]["text"].is_object());
    assert_eq!(
        echo["_meta"],
        json!({
            "waygate/id": "test.echo",
            "waygate/effect": "read",
            "waygate/approval": "none",
            "waygate/aliases": ["test.parrot"],
        })
    );
    assert_eq!(
        named("test_destroy")["annotations"]["destructiveHint"],
        true
    );
    assert_eq!(
        named("test_destroy")["_meta"]["waygate/approval"],
        "required"
    );
    assert_eq!(named("test_judge")["_meta"]["waygate/approval"], "per_call");
    assert_eq!(named("test_note")["_meta"]["waygate/approval"], "none");
    for name in ["test_echo", "test.echo", "test.parrot"] {
        let said = direct::call(&spoke, name, json!({"text": "x"})).await;
        assert_eq!(said.structured()["text"], "x", "{name}");
    }
}

#[tokio::test]
async fn health_tells_the_truth_and_readiness_ends_with_the_service() {
    let spoke = TestSpoke::start().await;
    let health = async || {
        let answer = client().get(spoke.url("/health")).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    spoke
        .script
        .set_health(Health::Degraded("set SERVICENOW_URL".into()));
    let (status, document) = health().await;
    assert_eq!((status, &document["status"]), (200, &json!("degraded")));
    assert_eq!(document["checks"][0]["name"], "store");
    assert_eq!(document["checks"][1]["detail"], "set SERVICENOW_URL");
}

#[tokio::test]
async fn an_unhealthy_service_answers_503() {
    let spoke = TestSpoke::start().await;
    spoke.script.set_health(Health::Unhealthy("gone".into()));
    let answer = client().get(spoke.url("/health")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let metrics = client().get(spoke.url("/metrics")).send().await.unwrap();
    let text = metrics.text().await.unwrap();
    assert!(
        text.contains("mcp_service_health{service=\"99_test_mcp\"} 0"),
        "{text}"
    );
}
