//! Routes for operators: sample calls of policies, repeated requests, namespaces.

use crate::hub::{Answer, TestHub, a};
use axum::body::Body;
use orchestrator::store::Statement;
use serde_json::{Value, json};

async fn create(hub: &TestHub, key: &str, body: &Value) -> Answer {
    let request = a("POST", "/auth/api-keys", &hub.admin)
        .header("content-type", "application/json")
        .header("idempotency-key", key);
    hub.send(request.body(Body::from(body.to_string())).unwrap())
        .await
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let hub = TestHub::start().await;
    let asked = json!({"name": "once"});
    let first = create(&hub, "k-1", &asked).await;
    assert_eq!(first.status, 201, "{}", first.json());
    let again = create(&hub, "k-1", &asked).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = create(&hub, "k-1", &json!({"name": "other"})).await;
    assert_eq!(other.status, 409);
    let named = hub.get("/auth/api-keys", &hub.admin).await.json();
    let keys = named["data"].as_array().unwrap().iter();
    assert_eq!(keys.filter(|key| key["name"] == "once").count(), 1);
    // What is kept cannot be read in the store.
    let find = Statement::new("SELECT answer FROM idempotency_keys");
    let rows = hub.hub.store.read(find).await.unwrap();
    assert!(!rows[0].text("answer").unwrap().contains("wgk_"));
    // A refused request leaves its key free.
    assert_eq!(create(&hub, "k-2", &json!({"name": ""})).await.status, 422);
    assert_eq!(create(&hub, "k-2", &json!({"name": "x"})).await.status, 201);
    assert_eq!(create(&hub, "k 3", &asked).await.status, 400);
}

#[tokio::test]
async fn a_request_may_name_a_namespace_of_its_organisation() {
    let hub = TestHub::start().await;
    let sql = "INSERT INTO namespaces (id, organization_id, name, slug, created_at, updated_at) \
               VALUES ('ns-2', 'default', 'Two', 'two', 0, 0)";
    let others = [
        "INSERT INTO organizations (id, name, slug, created_at, updated_at) \
         VALUES ('abroad', 'Abroad', 'abroad', 0, 0)",
        "INSERT INTO namespaces (id, organization_id, name, slug, created_at, updated_at) \
         VALUES ('ns-3', 'abroad', 'Three', 'three', 0, 0)",
    ];
    let mut batch = vec![Statement::new(sql)];
    batch.extend(others.map(Statement::new));
    hub.hub.store.write(batch).await.unwrap();
    let call = async |namespace: &str| {
        let body = json!({"server_name": "77_test_mcp", "tool_name": "test.echo", "parameters": {"text": "a"}});
        let request = a("POST", "/mcp/tools/execute", &hub.user)
            .header("content-type", "application/json")
            .header("x-namespace", namespace);
        hub.send(request.body(Body::from(body.to_string())).unwrap())
            .await
            .status
    };
    assert_eq!(call("two").await, 200);
    assert_eq!(call("ns-2").await, 200);
    assert_eq!(call("three").await, 404, "of another organisation");
    assert_eq!(call("nowhere").await, 404);
    let find = Statement::new(
        "SELECT COUNT(*) AS count FROM audit_logs WHERE namespace_id = 'ns-2' AND phase = 'intent'",
    );
    crate::fixture::eventually("both calls are recorded in their namespace", async || {
        let rows = hub.hub.store.read(find.clone()).await.unwrap();
        rows[0].integer("count").unwrap() == 2
    })
    .await;
}

/// Acceptance: 140
#[tokio::test]
async fn policies_are_tried_with_sample_calls() {
    let hub = TestHub::start().await;
    let path = "/api/admin/policies/test";
    let say = async |sample: Value| {
        let answer = hub.post(path, &hub.admin, &sample).await;
        let data = answer.json()["data"].clone();
        assert_eq!(answer.status, 200, "{}", answer.json());
        (data["decision"].as_str().unwrap().to_owned(), data)
    };
    let (read, said) = say(json!({"tool": "test.echo", "role": "api_user"})).await;
    assert_eq!((read.as_str(), &said["listed"]), ("allow", &json!(true)));
    let (change, said) = say(json!({"tool": "test.add", "role": "api_user"})).await;
    assert_eq!((change.as_str(), &said["approvers"]), ("ask", &json!(1)));
    let viewer = json!({"tool": "test.echo", "permissions": ["write"]});
    let (denied, said) = say(viewer).await;
    assert_eq!((denied.as_str(), &said["listed"]), ("deny", &json!(false)));
    let unknown = json!({"tool": "nobody.knows", "effect": "critical", "role": "user"});
    assert_eq!(say(unknown).await.0, "ask");
    for bad in [
        json!({"tool": "nobody.knows"}),
        json!({"tool": "test.echo", "role": "king"}),
        json!({"tool": "test.echo", "effect": "odd"}),
    ] {
        assert_eq!(hub.post(path, &hub.admin, &bad).await.status, 422, "{bad}");
    }
    let sample = json!({"tool": "test.echo"});
    assert_eq!(hub.post(path, &hub.user, &sample).await.status, 403);
    let waiting = hub.get("/api/approvals", &hub.admin).await.json();
    assert_eq!(waiting["data"], json!([]), "nobody was asked");
}
