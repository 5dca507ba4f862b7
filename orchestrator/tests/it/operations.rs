//! Keys, approvals, audit and services for operators, through the front door.

use crate::hub::{TestHub, a};
use axum::body::Body;
use orchestrator::approvals::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign_webhook};
use serde_json::json;
use shared::secret::Secret;

#[tokio::test]
async fn a_key_is_shown_once_works_and_ends() {
    let hub = TestHub::start().await;
    let made = hub
        .post("/api/auth/api-keys", &hub.admin, &json!({"name": "k"}))
        .await;
    assert_eq!(made.status, 201);
    let data = made.json()["data"].clone();
    let (id, key) = (data["id"].as_str().unwrap(), data["key"].as_str().unwrap());
    assert_eq!(made.header("location"), format!("/auth/api-keys/{id}"));
    assert_eq!(hub.get("/mcp/tools", key).await.status, 200);
    let listed = hub.get("/auth/api-keys?limit=2", &hub.admin).await;
    assert!(!listed.json().to_string().contains(key));
    assert_eq!(listed.header("x-total-count"), "3");
    assert_eq!(
        listed.json()["meta"],
        json!({"page": 1, "limit": 2, "total": 3})
    );
    assert!(listed.header("link").contains("page=2&limit=2"));
    let delete = a("DELETE", &format!("/auth/api-keys/{id}"), &hub.admin).body(Body::empty());
    assert_eq!(
        hub.send(delete.unwrap()).await.json()["data"]["is_active"],
        false
    );
    assert_eq!(hub.get("/mcp/tools", key).await.status, 401);
    for query in ["page=0", "limit=0", "limit=101", "page=x"] {
        let answer = hub
            .get(&format!("/auth/api-keys?{query}"), &hub.admin)
            .await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[tokio::test]
async fn nobody_makes_a_key_that_may_more_than_they() {
    let hub = TestHub::start().await;
    for body in [
        json!({"name": "k", "permissions": ["manage"]}),
        json!({"name": "k", "key_type": "a2a"}),
        json!({"name": "k", "role": "admin"}),
    ] {
        let answer = hub.post("/auth/api-keys", &hub.user, &body).await;
        assert_eq!(
            answer.json()["error"]["code"],
            "INSUFFICIENT_RIGHTS",
            "{body}"
        );
    }
    for body in [
        json!({"name": "k", "role": "king"}),
        json!({"name": "k", "permissions": ["rule"]}),
        json!({"name": "k", "expires_in_days": 0}),
    ] {
        let answer = hub.post("/auth/api-keys", &hub.admin, &body).await;
        assert_eq!(answer.status, 422, "{body}");
        assert!(answer.json()["error"]["details"]["fields"].is_object());
    }
}

#[tokio::test]
async fn what_operators_do_is_in_the_trail_and_the_chain_holds() {
    let hub = TestHub::start().await;
    hub.post("/auth/api-keys", &hub.admin, &json!({"name": "k"}))
        .await;
    hub.call("test.echo", json!({})).await;
    let audit = async |query: &str| {
        hub.get(&format!("/api/admin/audit{query}"), &hub.admin)
            .await
            .json()
    };
    let created = audit("?action=key.created").await;
    assert_eq!(created["data"][0]["resource_type"], "api_key");
    crate::fixture::eventually("the call is written", async || {
        audit("?tool=test.echo").await["meta"]["total"].as_u64() >= Some(2)
    })
    .await;
    let verified = hub.get("/admin/audit/verify", &hub.admin).await.json();
    assert_eq!(verified["data"]["valid"], true, "{verified}");
    assert_eq!(
        hub.get("/api/admin/audit?from=yesterday", &hub.admin)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn services_are_listed_and_unknown_ones_are_not_reset() {
    let hub = TestHub::start().await;
    let services = hub.get("/api/admin/services", &hub.admin).await.json();
    assert_eq!(services["data"][0]["service"], "77_test_mcp");
    assert_eq!(
        hub.get("/api/admin/breakers", &hub.admin).await.json()["data"],
        json!([])
    );
    let none = hub
        .post("/api/admin/breakers/none/reset", &hub.admin, &json!({}))
        .await;
    assert_eq!(none.status, 404);
    assert_eq!(
        hub.get("/api/admin/pins", &hub.admin).await.json()["data"],
        json!([])
    );
    let accept = hub
        .post(
            "/api/admin/pins/test.echo/accept",
            &hub.admin,
            &json!({"digest": "x"}),
        )
        .await;
    assert_eq!(accept.status, 409);
}

#[tokio::test]
async fn requests_are_listed_to_their_own_and_decided_by_others() {
    let hub = TestHub::start().await;
    let asked = hub.call("test.add", json!({"amount": 1})).await;
    let id = asked["structuredContent"]["approval"]["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let stranger = hub.key(&["read", "execute"]).await;
    let path = format!("/api/approvals/{id}");
    assert_eq!(hub.get(&path, &stranger).await.status, 404);
    assert_eq!(
        hub.get("/api/approvals", &stranger).await.json()["data"],
        json!([])
    );
    for key in [&hub.user, &hub.admin] {
        let listed = hub.get("/api/approvals?state=pending", key).await.json();
        assert_eq!(listed["data"][0]["request_id"], id.as_str());
    }
    let rejected = hub
        .post(
            &format!("{path}/reject"),
            &hub.admin,
            &json!({"note": "no"}),
        )
        .await;
    assert_eq!(rejected.json()["data"]["state"], "rejected");
    let late = hub
        .post(&format!("{path}/approve"), &hub.admin, &json!({}))
        .await;
    assert_eq!(late.status, 409);
    assert_eq!(
        hub.get("/api/approvals?state=odd", &hub.user).await.status,
        400
    );
}

#[tokio::test]
async fn a_signed_decision_counts_once() {
    let mut hub = TestHub::start().await;
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    assert_eq!(
        hub.post("/api/approvals/webhook", "", &json!({}))
            .await
            .status,
        503
    );
    hub.hub.webhook_secret = Some(secret.clone());
    hub.router = orchestrator::admin::router(hub.hub.clone());
    let asked = hub.call("test.add", json!({"amount": 1})).await;
    let id = asked["structuredContent"]["approval"]["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({"request_id": id, "decision": "approve", "approver": "carol"}).to_string();
    let now = jiff::Timestamp::now().as_second();
    let send = |signature: String| {
        let request = a("POST", "/api/approvals/webhook", "")
            .header("content-type", "application/json")
            .header(TIMESTAMP_HEADER, now)
            .header(SIGNATURE_HEADER, signature);
        request.body(Body::from(body.clone())).unwrap()
    };
    assert_eq!(hub.send(send("00".repeat(32))).await.status, 401);
    let signature = sign_webhook(&secret, now, body.as_bytes());
    let decided = hub.send(send(signature.clone())).await;
    assert_eq!(
        decided.json()["data"]["state"],
        "approved",
        "{}",
        decided.json()
    );
    assert_eq!(hub.send(send(signature)).await.status, 401);
}
