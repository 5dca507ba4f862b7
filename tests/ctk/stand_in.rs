//! Answers for the hosts the features name, on loopback.

use async_trait::async_trait;
use orchestrator::calls::{Guarded, Lost, Web, WebRequest, WebResponse};
use serde_json::json;
use shared::outbound::Outbound;
use std::sync::Arc;
use wiremock::matchers::{header, method, path, path_regex, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Hosts that are answered here.
const HOSTS: &[&str] = &["petstore.swagger.io", "httpbin.org"];

/// The server.
pub(crate) struct StandIn {
    server: MockServer,
}

impl StandIn {
    /// Starts it.
    pub(crate) async fn start() -> Self {
        let server = MockServer::start().await;
        let pet = |id: u32| json!({"id": id, "name": "Rex", "status": "available"});
        let json = |body| ResponseTemplate::new(200).set_body_json(body);
        let get = |at: &str| Mock::given(method("GET")).and(path(at.to_owned()));
        let mocks = [
            get("/v2/swagger.json").respond_with(json(document())),
            get("/v2/pet/findByStatus")
                .and(query_param("status", "available"))
                .respond_with(json(json!([pet(1), pet(2)]))),
            get("/v2/pet/1").respond_with(json(pet(1))),
            get("/v2/pet/2").respond_with(json(pet(2))),
            // user:password of the scenario, in base64.
            get("/basic-auth/serverless-workflow/conformance-test")
                .and(header(
                    "authorization",
                    "Basic c2VydmVybGVzcy13b3JrZmxvdzpjb25mb3JtYW5jZS10ZXN0",
                ))
                .respond_with(json(json!({"authenticated": true}))),
            Mock::given(path_regex(".*"))
                .respond_with(ResponseTemplate::new(404))
                .with_priority(250),
        ];
        for mock in mocks {
            mock.mount(&server).await;
        }
        Self { server }
    }

    /// A web in which the hosts lead here.
    pub(crate) fn web(&self) -> Arc<dyn Web> {
        let outbound = Outbound::allowing(&["127.0.0.1"]).unwrap();
        Arc::new(Mapped {
            port: self.server.address().port(),
            guarded: Guarded::new(outbound).unwrap(),
        })
    }
}

struct Mapped {
    port: u16,
    guarded: Guarded,
}

#[async_trait]
impl Web for Mapped {
    async fn send(&self, mut request: WebRequest) -> Result<WebResponse, Lost> {
        let host = request.url.host_str().unwrap_or_default();
        assert!(HOSTS.contains(&host), "an unexpected host: {host}");
        request.url.set_scheme("http").unwrap();
        request.url.set_host(Some("127.0.0.1")).unwrap();
        request.url.set_port(Some(self.port)).unwrap();
        self.guarded.send(request).await
    }
}

fn document() -> serde_json::Value {
    let parameter = |name: &str, place: &str| json!({"name": name, "in": place, "required": true});
    json!({
        "swagger": "2.0",
        "host": "petstore.swagger.io",
        "basePath": "/v2",
        "schemes": ["https", "http"],
        "paths": {
            "/pet/findByStatus": {"get": {
                "operationId": "findPetsByStatus",
                "parameters": [parameter("status", "query")],
            }},
            "/pet/{petId}": {"get": {
                "operationId": "getPetById",
                "parameters": [parameter("petId", "path")],
            }},
        },
    })
}
