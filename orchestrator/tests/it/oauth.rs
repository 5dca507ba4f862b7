//! The hub as OAuth client of a third-party server, against a stand-in for server and issuer.

use crate::authority::Authority;
use crate::hub::TestHub;
use orchestrator::admin;
use orchestrator::keys::Seal;
use orchestrator::resilience::ResilienceConfig;
use orchestrator::servers::{Servers, ServersConfig, ServersParts};
use orchestrator::store::Statement;
use serde_json::{Value, json};
use shared::outbound::Outbound;
use shared::secret::MapSecrets;
use std::sync::Arc;

const PUBLIC: &str = "http://127.0.0.1:9";

/// A hub that may ask the stand-in.
async fn hub() -> TestHub {
    let mut test = TestHub::start().await;
    let gateway = &test.hub.gateway;
    let servers = Servers::new(ServersParts {
        config: ServersConfig {
            programs: Vec::new(),
            starts_per_minute: 5,
            resilience: ResilienceConfig::default(),
        },
        store: test.hub.store.clone(),
        registry: Arc::clone(&test.hub.registry),
        audit: Arc::clone(&gateway.audit),
        metrics: Arc::clone(&gateway.metrics),
        clock: Arc::clone(&gateway.clock),
        tasks: gateway.tasks.clone(),
        secrets: Arc::new(MapSecrets::from([("SERVER_SECRET", "given secret")])),
        outbound: Outbound::allowing(&["127.0.0.1"]).unwrap(),
        executor: None,
        seal: Arc::new(Seal::fleeting()),
        public_url: PUBLIC.to_owned(),
    });
    test.hub.servers = Some(servers);
    test.router = admin::router(test.hub.clone());
    test
}

async fn register(hub: &TestHub, authority: &Authority, oauth: Value) -> Value {
    let body = json!({
        "name": "notes", "protocol": "http", "url": format!("{}/mcp", authority.base),
        "effects": {"*": "read"}, "oauth": oauth,
    });
    let made = hub.post("/gateway/servers", &hub.admin, &body).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    made.json()["data"].clone()
}

async fn begin(hub: &TestHub) -> Value {
    let path = "/gateway/servers/notes/authorize";
    hub.post(path, &hub.admin, &json!({})).await.json()
}

/// Begins, agrees in the place of a person, and gives back the path they are sent to.
async fn agreed(hub: &TestHub, authority: &Authority) -> String {
    let begun = begin(hub).await;
    let url = begun["data"]["authorization_url"].as_str().unwrap();
    assert!(url.starts_with(&authority.base), "{begun}");
    let back = authority.agree(url).await;
    back.strip_prefix(PUBLIC).unwrap().to_owned()
}

async fn call(hub: &TestHub, tool: &str) -> Value {
    let path = format!("/gateway/servers/notes/tools/{tool}");
    hub.post(&path, &hub.admin, &json!({})).await.json()
}

fn said(answer: &Value) -> &Value {
    &answer["data"]["content"][0]["text"]
}

#[tokio::test]
async fn a_person_agrees_once_and_the_server_is_used_from_then_on() {
    let (hub, authority) = (hub().await, Authority::start().await);
    let registered = register(&hub, &authority, json!({})).await;
    assert_eq!(registered["tools"], json!([]), "{registered}");
    let back = agreed(&hub, &authority).await;
    let page = hub.get(&back, "").await;
    assert_eq!(page.status, 200, "{:?}", page.body);
    assert_eq!(said(&call(&hub, "look").await), "read");
    // What is kept cannot be read in the store.
    let select = Statement::new("SELECT body FROM server_tokens WHERE server = $1").bind("notes");
    let rows = hub.hub.store.read(select).await.unwrap();
    let body = rows[0].text("body").unwrap();
    assert!(!authority.tokens().iter().any(|token| body.contains(token)));
    // An authorization counts once.
    assert_ne!(hub.get(&back, "").await.status, 200);
    assert_eq!(authority.registrations(), 1);
    hub.send(
        crate::hub::a("DELETE", "/gateway/servers/notes", &hub.admin)
            .body(axum::body::Body::empty())
            .unwrap(),
    )
    .await;
    let select = Statement::new("SELECT body FROM server_tokens WHERE server = $1").bind("notes");
    assert!(hub.hub.store.read(select).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_token_that_is_over_is_renewed_and_more_rights_are_asked_for_together() {
    let (hub, authority) = (hub().await, Authority::start().await);
    register(&hub, &authority, json!({})).await;
    let back = agreed(&hub, &authority).await;
    hub.get(&back, "").await;
    authority.forget_access();
    assert_eq!(said(&call(&hub, "look").await), "read");
    assert_eq!(authority.refreshes(), 1);
    let refused = call(&hub, "change").await;
    assert!(refused["error"].is_object(), "{refused}");
    let back = agreed(&hub, &authority).await;
    hub.get(&back, "").await;
    assert_eq!(said(&call(&hub, "change").await), "read write");
    assert_eq!(authority.registrations(), 1, "it is known there");
}

#[tokio::test]
async fn answers_of_others_are_not_taken() {
    let (hub, authority) = (hub().await, Authority::start().await);
    register(&hub, &authority, json!({})).await;
    for (from, to) in [
        ("state=", "state=x"),
        ("iss=", "iss=https%3A%2F%2Fevil.example%2F"),
        ("&iss=", "&nothing="),
        ("code=", "error=access_denied&nothing="),
    ] {
        let back = agreed(&hub, &authority).await;
        let forged = back.replace(from, to);
        assert_ne!(forged, back);
        assert_ne!(hub.get(&forged, "").await.status, 200, "{to}");
        assert!(authority.tokens().is_empty(), "{to}");
    }
    assert_eq!(hub.get("/oauth/callback", "").await.status, 502);
    authority.rename("https://other.example");
    let refused = begin(&hub).await;
    assert_eq!(refused["error"]["code"], "PROXY_ERROR", "{refused}");
    let nothing = json!({});
    let keyless = hub.post("/gateway/servers/notes/authorize", "", &nothing);
    assert_eq!(keyless.await.status, 401);
}

#[tokio::test]
async fn the_hub_gets_tokens_with_a_secret_of_its_own() {
    let (hub, authority) = (hub().await, Authority::start().await);
    let oauth = json!({
        "grant": "client_credentials", "client_id": "given",
        "client_secret": "secret:SERVER_SECRET",
    });
    let registered = register(&hub, &authority, oauth).await;
    assert_eq!(registered["tools"].as_array().unwrap().len(), 2);
    assert_eq!(said(&call(&hub, "look").await), "read");
    assert_eq!(said(&call(&hub, "change").await), "read write");
    assert_eq!(authority.registrations(), 0);
    let shown = hub.get("/gateway/servers/notes", &hub.admin).await;
    assert!(!shown.json().to_string().contains("given secret"));
}
