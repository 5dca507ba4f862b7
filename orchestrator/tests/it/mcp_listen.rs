//! Subscriptions of revision 2026-07-28.

use crate::hub::{TestHub, modern};
use axum::body::Body;
use axum::extract::ConnectInfo;
use http_body_util::BodyExt;
use orchestrator::upstream::local::LocalUpstream;
use serde_json::{Value, json};
use shared::testkit::Script;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

async fn next(body: &mut Body) -> Value {
    let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let text = std::str::from_utf8(&data).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap_or("null");
    serde_json::from_str(line).unwrap()
}

#[tokio::test]
async fn a_subscription_is_acknowledged_told_and_ended() {
    let hub = TestHub::start().await;
    let filter = json!({"notifications": {"toolsListChanged": true, "promptsListChanged": true}});
    let mut request = modern(&hub.user, "subscriptions/listen", filter);
    request
        .headers_mut()
        .insert("host", "localhost".parse().unwrap());
    request
        .extensions_mut()
        .insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
    let mut body = hub
        .router
        .clone()
        .oneshot(request)
        .await
        .unwrap()
        .into_body();
    let acknowledged = next(&mut body).await;
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({"toolsListChanged": true, "promptsListChanged": true})
    );
    assert_eq!(
        acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
        1
    );
    let more = LocalUpstream::new(
        "78_more_mcp",
        "1",
        &["more"],
        vec![Script::read_named("more.tool")],
    );
    hub.hub
        .registry
        .add_own(Arc::new(more.unwrap()))
        .await
        .unwrap();
    let changed = next(&mut body).await;
    assert_eq!(changed["method"], "notifications/tools/list_changed");
    assert_eq!(
        changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
        1
    );
    let stop = hub.hub.gateway.tasks.shutdown(Duration::from_secs(5));
    let (_, end) = tokio::join!(stop, next(&mut body));
    assert_eq!(end["result"]["resultType"], "complete");
    assert_eq!(
        end["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
        1
    );
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_subscription_needs_a_filter() {
    let hub = TestHub::start().await;
    for params in [
        json!({}),
        json!({"notifications": 1}),
        json!({"notifications": {"toolsListChanged": "yes"}}),
    ] {
        let answer = hub.modern("subscriptions/listen", params).await;
        assert_eq!(answer.json()["error"]["code"], -32602);
    }
}
