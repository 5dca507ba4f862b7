//! Vectors from an endpoint, played by a stub that checks what it is asked; and without any setting.

use crate::tools::{HASH, own};
use serde_json::json;
use shared::error::Code;
use spoke_18_vector_db_mcp::SERVICE;
use tests::rig::Rig;
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn before(stub: &MockServer, folder: &str) -> Rig {
    Rig::start(
        &SERVICE,
        &[
            ("EMBEDDING_BACKEND", "http"),
            ("EMBEDDING_MODEL", "small"),
            ("EMBEDDING_URL", &stub.uri()),
            ("EMBEDDING_API_KEY", "embedding-key-0123456789"),
            ("VECTOR_DATA_DIR", folder),
            ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1"),
        ],
    )
    .await
}

async fn answers(stub: &MockServer, input: &[&str], vectors: &[&[f32]]) {
    let data = vectors.iter().enumerate().rev();
    let data: Vec<_> = data
        .map(|(n, it)| json!({"index": n, "embedding": it}))
        .collect();
    Mock::given(method("POST"))
        .and(path("/v1/embeddings"))
        .and(header("authorization", "Bearer embedding-key-0123456789"))
        .and(body_partial_json(json!({"model": "small", "input": input})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": data})))
        .mount(stub)
        .await;
}

#[tokio::test]
async fn vectors_of_an_endpoint_are_used_and_models_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    let stub = MockServer::start().await;
    answers(&stub, &["left", "up"], &[&[3.0, 0.0], &[0.0, 2.0]]).await;
    answers(&stub, &["above"], &[&[0.1, 1.0]]).await;
    answers(&stub, &["three"], &[&[1.0, 1.0, 1.0]]).await;
    let mut vectors = before(&stub, &place).await;
    let documents = json!({"documents": ["left", "up"], "ids": ["l", "u"]});
    own(&mut vectors, "vector.document.add", documents)
        .await
        .unwrap();
    let query = json!({"query": "above"});
    let found = vectors
        .call("vector.search.semantic", query.clone())
        .await
        .unwrap();
    assert_eq!(found["results"][0]["id"], "u");
    let odd = json!({"documents": ["three"]});
    let odd = own(&mut vectors, "vector.document.add", odd)
        .await
        .unwrap_err();
    assert_eq!(odd.code, Code::Conflict, "another dimension: {odd}");
    let info = vectors
        .call("vector.collection.info", json!({}))
        .await
        .unwrap();
    assert_eq!(
        (&info["embedding_model"], &info["count"]),
        (&json!("small"), &json!(2))
    );
    vectors.running.stop().await;
    let mut hashed = Rig::start(&SERVICE, &[HASH[0], ("VECTOR_DATA_DIR", &place)]).await;
    let mixed = hashed
        .call("vector.search.semantic", query)
        .await
        .unwrap_err();
    assert_eq!(mixed.code, Code::Conflict, "{mixed}");
}

#[tokio::test]
async fn trouble_of_the_endpoint_is_told_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    for (answer, code) in [
        (ResponseTemplate::new(401), Code::BadGateway),
        (
            ResponseTemplate::new(429).insert_header("retry-after", "7"),
            Code::RateLimited,
        ),
        (ResponseTemplate::new(500), Code::ServiceUnavailable),
        (
            ResponseTemplate::new(200).set_body_string("{"),
            Code::BadGateway,
        ),
        (
            ResponseTemplate::new(200).set_body_json(json!({"data": []})),
            Code::BadGateway,
        ),
        (
            ResponseTemplate::new(200)
                .set_body_json(json!({"data": [{"index": 1, "embedding": [1.0]}]})),
            Code::BadGateway,
        ),
    ] {
        let stub = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(answer)
            .mount(&stub)
            .await;
        let mut vectors = before(&stub, &place).await;
        let add = json!({"documents": ["a"]});
        let error = own(&mut vectors, "vector.document.add", add)
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(!error.to_string().contains("embedding-key"), "{error}");
        let info = vectors
            .call("vector.collection.info", json!({}))
            .await
            .unwrap();
        assert_eq!(info["count"], 0);
    }
}

#[tokio::test]
async fn without_any_setting_words_are_found_and_health_says_that_there_is_no_model() {
    let mut vectors = Rig::start(&SERVICE, &[]).await;
    let add = json!({"documents": ["restart the pump", "cook a soup"], "ids": ["pump", "soup"]});
    own(&mut vectors, "vector.document.add", add).await.unwrap();
    let query = json!({"query": "pumps", "n_results": 1});
    let found = vectors.call("vector.search.semantic", query).await.unwrap();
    assert_eq!(found["results"][0]["id"], "pump");
    let info = vectors
        .call("vector.collection.info", json!({}))
        .await
        .unwrap();
    assert_eq!(info["embedding_model"], "feature-hashing-384");
    let (_, health) = vectors.probe("/health").await;
    assert!(health.to_string().contains("no model is set"), "{health}");
}

#[tokio::test]
async fn a_model_that_cannot_be_run_is_not_replaced_in_silence() {
    let path = [("EMBEDDING_MODEL_PATH", "models/all-MiniLM-L6-v2")];
    let mut vectors = Rig::start(&SERVICE, &path).await;
    let add = json!({"documents": ["a"]});
    let error = own(&mut vectors, "vector.document.add", add)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
    assert!(error.message.contains("EMBEDDING_BACKEND"), "{error}");
    let (_, health) = vectors.probe("/health").await;
    assert!(health.to_string().contains("EMBEDDING_BACKEND"), "{health}");
}
