//! Steps of workflows that call services outside the hub: judged, recorded and sent once, like tools.

use crate::hub::TestHub;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A service outside: it remembers what it was sent.
#[derive(Clone, Default)]
pub(crate) struct Service(Arc<Mutex<Vec<(String, HeaderMap, String)>>>);

impl Service {
    /// Serves until the runtime ends; its address.
    pub(crate) async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        // Ends with the test's runtime.
        #[expect(
            clippy::disallowed_methods,
            reason = "a stand-in lives as long as its test"
        )]
        drop(tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        }));
        address
    }

    pub(crate) fn seen(&self) -> Vec<(String, HeaderMap, String)> {
        self.0.lock().clone()
    }
}

async fn answer(
    State(service): State<Service>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let line = format!("{method} {uri}");
    service.0.lock().push((line, headers, body));
    match uri.path() {
        "/busy" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "/gone" => (StatusCode::NOT_FOUND, Json(json!({"why": "gone"}))).into_response(),
        "/api.json" => Json(json!({
            "openapi": "3.1.0",
            "paths": {"/pets/{id}": {"get": {"operationId": "pet", "parameters": [
                {"name": "id", "in": "path", "required": true}]}}},
        }))
        .into_response(),
        path => Json(json!({"path": path})).into_response(),
    }
}

/// Starts a document and looks at the run once it is over or stands still.
pub(crate) async fn run(hub: &TestHub, tasks: Value) -> Value {
    let document = json!({
        "document": {"dsl": "1.0.3", "namespace": "test", "name": "calls", "version": "1.0.0"},
        "do": tasks,
    });
    let body = json!({"workflow": document, "wait": true, "timeout": 60});
    let answer = hub.post("/api/workflows", &hub.user, &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.json());
    answer.json()["data"].clone()
}

pub(crate) async fn until(hub: &TestHub, id: &Value, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let path = format!("/api/workflows/{}", id.as_str().unwrap());
    loop {
        let run = hub.get(&path, &hub.admin).await.json()["data"].clone();
        if wanted(&run) {
            return run;
        }
        assert!(tokio::time::Instant::now() < deadline, "not in time: {run}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Intent and outcome of the call of one tool, newest first.
async fn recorded(hub: &TestHub, tool: &str) -> Value {
    let path = format!("/api/admin/audit?tool={tool}");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let records = hub.get(&path, &hub.admin).await.json();
        if records["meta"]["total"] == 2 {
            return records["data"].clone();
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "not in time: {records}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_reads_is_a_read_and_is_recorded() {
    let hub = TestHub::start().await;
    let service = Service::default();
    let address = service.serve().await;
    let endpoint = json!({
        "uri": format!("{address}/pets/{{id}}"),
        "authentication": {"bearer": {"token": "t0ken-of-the-service"}},
    });
    let tasks = json!([
        {"one": {"set": {"id": 7}}},
        {"ask": {"call": "http", "with": {"method": "get", "endpoint": endpoint}}},
        {"describe": {"call": "openapi", "with": {
            "document": {"endpoint": format!("{address}/api.json")},
            "operationId": "pet", "parameters": {"id": "a/b"}}}},
    ]);
    let run = run(&hub, tasks).await;
    assert_eq!(run["status"], "completed", "{run}");
    assert_eq!(run["results"][1]["result"]["path"], "/pets/7");
    assert_eq!(run["output"]["path"], "/pets/a%2Fb");
    let seen = service.seen();
    assert_eq!(seen[0].0, "GET /pets/7");
    assert_eq!(seen[0].1["authorization"], "Bearer t0ken-of-the-service");
    for tool in ["workflow.callHttp", "workflow.callOpenApi"] {
        let records = recorded(&hub, tool).await;
        assert_eq!(records[0]["code"], "OK", "{records}");
        assert!(!records.to_string().contains("t0ken"), "{records}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_changes_something_asks_people_and_is_sent_once() {
    let hub = TestHub::start().await;
    let service = Service::default();
    let address = service.serve().await;
    let with = json!({
        "method": "post", "endpoint": {
            "uri": format!("{address}/orders"),
            "authentication": {"basic": {"username": "u", "password": "s3cret-word"}},
        },
        "body": {"item": "ladder"},
    });
    let run = run(&hub, json!([{"order": {"call": "http", "with": with}}])).await;
    assert_eq!(run["status"], "waiting", "{run}");
    assert!(service.seen().is_empty());
    let asked = &run["approval"];
    assert_eq!(asked["tool"], "workflow.callHttp");
    assert!(
        asked["text"].as_str().unwrap().contains("/orders"),
        "{asked}"
    );
    assert!(
        asked["text"].as_str().unwrap().contains("ladder"),
        "{asked}"
    );
    assert!(!asked.to_string().contains("s3cret-word"), "{asked}");
    let path = format!(
        "/api/approvals/{}/approve",
        asked["request_id"].as_str().unwrap()
    );
    hub.post(&path, &hub.admin, &json!({})).await;
    let run = until(&hub, &run["workflow_id"], |run| {
        run["status"] == "completed"
    })
    .await;
    assert_eq!(run["output"]["path"], "/orders");
    let seen = service.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].2, r#"{"item":"ladder"}"#);
    let key = run["steps"][0]["idempotency_key"].as_str().unwrap();
    assert_eq!(seen[0].1["idempotency-key"], key);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_a_service_can_be_caught() {
    let hub = TestHub::start().await;
    let address = Service::default().serve().await;
    let call =
        json!({"call": "http", "with": {"method": "get", "endpoint": format!("{address}/gone")}});
    let errors = json!({"with": {"status": 404,
        "type": "https://serverlessworkflow.io/spec/1.0.0/errors/communication"}});
    let tasks = json!([{"ask": {
        "try": [{"ask": call}],
        "catch": {"errors": errors, "do": [{"miss": {"set": {"missed": true}}}]},
    }}]);
    let run = run(&hub, tasks).await;
    assert_eq!(run["output"], json!({"missed": true}), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_the_inside_is_refused() {
    let hub = TestHub::start().await;
    let with = json!({"method": "get", "endpoint": "http://169.254.169.254/latest/meta-data"});
    let run = run(&hub, json!([{"steal": {"call": "http", "with": with}}])).await;
    assert_ne!(run["status"], "completed", "{run}");
    assert!(run.to_string().contains("is not public"), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_service_is_down_waits_for_it() {
    let hub = TestHub::start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let document = json!({
        "document": {"dsl": "1.0.3", "namespace": "test", "name": "calls", "version": "1.0.0"},
        "do": [{"ask": {"call": "http", "with": {"method": "get", "endpoint": format!("http://{address}/")}}}],
    });
    let started = hub
        .post("/api/workflows", &hub.user, &json!({"workflow": document}))
        .await
        .json();
    let id = &started["data"]["workflow_id"];
    until(&hub, id, |run| {
        run["waits"].to_string().contains("\"breaker\"")
    })
    .await;
    let path = format!("/api/workflows/{}/kill", id.as_str().unwrap());
    hub.post(&path, &hub.user, &json!({"reason": "test"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_called_from_here_is_refused_before_anything_runs() {
    let hub = TestHub::start().await;
    let grpc = json!({"call": "grpc", "with": {
        "proto": {"endpoint": "https://h.example/p.proto"},
        "service": {"name": "S", "host": "h.example"}, "method": "M"}});
    let stdio = json!({"call": "mcp", "with": {"method": "tools/list",
        "transport": {"stdio": {"command": "sh"}}}});
    for (task, part) in [
        (grpc, "call: grpc is not supported"),
        (stdio, "register the server"),
    ] {
        let document = json!({
            "document": {"dsl": "1.0.3", "namespace": "test", "name": "calls", "version": "1.0.0"},
            "do": [{"ask": task}],
        });
        let body = json!({"workflow": document});
        let answer = hub.post("/api/workflows/validate", &hub.user, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            answer.json().to_string().contains(part),
            "{}",
            answer.json()
        );
    }
    let document = json!({
        "document": {"dsl": "1.0.3", "namespace": "test", "name": "calls", "version": "1.0.0"},
        "use": {"extensions": [{"log": {"extend": "all", "before": [{"a": {"set": {"b": 1}}}]}}]},
        "do": [{"a": {"set": {"b": 1}}}],
    });
    let answer = hub
        .post(
            "/api/workflows/validate",
            &hub.user,
            &json!({"workflow": document}),
        )
        .await;
    assert!(
        answer.json().to_string().contains("/use/extensions"),
        "{}",
        answer.json()
    );
}

/// A server nobody registered is not called, whatever its address.
#[tokio::test(flavor = "multi_thread")]
async fn an_unregistered_mcp_server_is_not_called() {
    let hub = TestHub::start().await;
    let service = Service::default();
    let address = service.serve().await;
    let with = json!({"method": "tools/list", "transport": {"http": {"endpoint": format!("{address}/mcp")}}});
    let run = run(&hub, json!([{"ask": {"call": "mcp", "with": with}}])).await;
    assert!(run.to_string().contains("register it first"), "{run}");
    assert!(service.seen().is_empty());
}
