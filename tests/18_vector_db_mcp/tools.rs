//! Each tool with hashed vectors.

use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::{Effect, ToolError};
use spoke_18_vector_db_mcp::SERVICE;
use tests::rig::Rig;

pub(crate) const HASH: &[(&str, &str)] = &[("EMBEDDING_BACKEND", "hash")];

/// A call that changes the spoke's own store: it has a key and needs no approval.
pub(crate) async fn own(rig: &mut Rig, tool: &str, arguments: Value) -> Result<Value, ToolError> {
    rig.approved(tool, arguments, Effect::MutateOwn).await
}

async fn ids(rig: &mut Rig, arguments: Value) -> Vec<String> {
    let found = rig.call("vector.search.semantic", arguments).await.unwrap();
    assert_eq!(found["count"], found["results"].as_array().unwrap().len());
    let results = found["results"].as_array().unwrap();
    results
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn filled(rig: &mut Rig) {
    let arguments = json!({
        "documents": ["restart the water pump", "cook a hot soup", "restart the web server"],
        "ids": ["pump", "soup", "web"],
        "metadatas": [{"kind": "guide", "level": 2}, null, {"kind": "guide", "level": 5}],
    });
    let added = own(rig, "vector.document.add", arguments).await.unwrap();
    assert_eq!(
        (&added["count"], &added["collection"]),
        (&json!(3), &json!("mcp_knowledge"))
    );
}

/// Acceptance: 66
#[tokio::test]
async fn the_document_that_was_put_in_is_found_first() {
    let mut vectors = Rig::start(&SERVICE, HASH).await;
    filled(&mut vectors).await;
    let query = json!({"query": "restarting a pump"});
    let found = vectors.call("vector.search.semantic", query).await.unwrap();
    let first = &found["results"][0];
    assert_eq!(
        (&first["id"], &first["document"]),
        (&json!("pump"), &json!("restart the water pump"))
    );
    assert_eq!(first["metadata"], json!({"kind": "guide", "level": 2}));
    let distance = |n: usize| found["results"][n]["distance"].as_f64().unwrap();
    assert!(
        distance(0) < distance(1) && distance(1) <= distance(2),
        "{found}"
    );
    let bare = json!({"query": "soup", "include_distance": false, "n_results": 1});
    let bare = vectors.call("vector.search.semantic", bare).await.unwrap();
    assert_eq!(
        (&bare["results"][0]["id"], &bare["results"][0]["distance"]),
        (&json!("soup"), &Value::Null)
    );
}

#[tokio::test]
async fn conditions_on_metadata_narrow_a_search() {
    let mut vectors = Rig::start(&SERVICE, HASH).await;
    filled(&mut vectors).await;
    for (conditions, wanted) in [
        (json!({"kind": "guide"}), vec!["pump", "web"]),
        (json!({"level": {"$gt": 2}}), vec!["web"]),
        (
            json!({"$or": [{"level": {"$lt": 3}}, {"level": {"$in": [5]}}]}),
            vec!["pump", "web"],
        ),
        (json!({"kind": "none"}), vec![]),
    ] {
        let query = json!({"query": "restart the water pump", "where": conditions});
        assert_eq!(ids(&mut vectors, query).await, wanted, "{conditions}");
    }
    let odd = json!({"query": "x", "where": {"kind": {"$regex": "."}}});
    let error = vectors
        .call("vector.search.semantic", odd)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::InvalidInput);
}

#[tokio::test]
async fn changed_and_removed_documents_are_found_as_they_are_now() {
    let mut vectors = Rig::start(&SERVICE, HASH).await;
    filled(&mut vectors).await;
    let query = json!({"query": "violins", "n_results": 1});
    let soup = json!({"query": "soup", "n_results": 1});
    assert_eq!(ids(&mut vectors, soup).await, ["soup"]);
    let update = json!({"document_id": "soup", "document": "tune some violins"});
    own(&mut vectors, "vector.document.update", update)
        .await
        .unwrap();
    assert_eq!(ids(&mut vectors, query.clone()).await, ["soup"]);
    let missing = json!({"document_id": "nobody", "document": "x"});
    let missing = own(&mut vectors, "vector.document.update", missing)
        .await
        .unwrap_err();
    assert_eq!(missing.code, Code::NotFound);
    let delete = json!({"ids": ["soup", "nobody"]});
    let held = vectors
        .call("vector.document.delete", delete.clone())
        .await
        .unwrap_err();
    assert_eq!(held.code, Code::ApprovalRequired);
    for count in [1, 0] {
        let gone = vectors
            .approved("vector.document.delete", delete.clone(), Effect::Mutate)
            .await
            .unwrap();
        assert_eq!(gone["count"], count);
    }
    assert_ne!(ids(&mut vectors, query).await, ["soup"]);
    let info = vectors
        .call("vector.collection.info", json!({}))
        .await
        .unwrap();
    assert_eq!(
        (&info["count"], &info["embedding_dimension"]),
        (&json!(2), &json!(384))
    );
}

#[tokio::test]
async fn what_services_know_is_searched_across_their_collections() {
    let mut vectors = Rig::start(&SERVICE, HASH).await;
    filled(&mut vectors).await;
    for (service, data_type, text) in [
        ("cmdb", "servers", "web server in Bern"),
        ("n8n", "flows", "nightly backup of the web server"),
    ] {
        let arguments = json!({
            "service": service, "data_type": data_type,
            "documents": [{"text": text, "metadata": {"a": 1}}],
        });
        for _ in 0..2 {
            let indexed = own(&mut vectors, "vector.index.service", arguments.clone())
                .await
                .unwrap();
            assert_eq!(indexed["collection"], format!("{service}_{data_type}"));
        }
    }
    let query = json!({"query": "web server in Bern", "services": ["cmdb", "n8n"]});
    let found = vectors
        .call("vector.search.cross_service", query)
        .await
        .unwrap();
    assert_eq!(
        found["collections_searched"],
        json!(["cmdb_servers", "n8n_flows"])
    );
    assert_eq!(found["count"], 2, "the same text is there once: {found}");
    assert_eq!(found["results"][0]["collection"], "cmdb_servers");
    assert_eq!(
        found["results"][0]["metadata"],
        json!({"a": 1, "service": "cmdb", "data_type": "servers"})
    );
    let all = json!({"query": "pump", "n_results": 1});
    let all = vectors
        .call("vector.search.cross_service", all)
        .await
        .unwrap();
    assert_eq!(all["collections_searched"].as_array().unwrap().len(), 3);
    assert_eq!(all["results"][0]["id"], "pump");
}

#[tokio::test]
async fn collections_and_vectors_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    let settings = [HASH[0], ("VECTOR_DATA_DIR", place.as_str())];
    let mut first = Rig::start(&SERVICE, &settings).await;
    filled(&mut first).await;
    let new = json!({"name": "other", "description": "d", "metadata": {"a": 1}});
    for message in ["made", "it was there"] {
        let made = own(&mut first, "vector.collection.create", new.clone())
            .await
            .unwrap();
        assert_eq!(made["message"], message);
    }
    let odd = json!({"name": "other", "description": "another"});
    let odd = own(&mut first, "vector.collection.create", odd)
        .await
        .unwrap_err();
    assert_eq!(odd.code, Code::AlreadyExists);
    first.running.stop().await;
    let mut second = Rig::start(&SERVICE, &settings).await;
    assert_eq!(
        ids(&mut second, json!({"query": "pump", "n_results": 1})).await,
        ["pump"]
    );
    let listed = second
        .call("vector.collection.list", json!({}))
        .await
        .unwrap();
    assert_eq!(listed["count"], 2);
    assert_eq!(listed["collections"][1]["metadata"], json!({"a": 1}));
}

#[tokio::test]
async fn odd_names_texts_and_counts_are_refused_and_nothing_is_written() {
    let mut vectors = Rig::start(&SERVICE, HASH).await;
    for (tool, arguments) in [
        ("vector.collection.create", json!({"name": "../x"})),
        ("vector.collection.create", json!({"name": "a b"})),
        (
            "vector.document.add",
            json!({"documents": ["a"], "collection": "a/b"}),
        ),
        (
            "vector.document.add",
            json!({"documents": ["a", "b"], "ids": ["1"]}),
        ),
        (
            "vector.document.add",
            json!({"documents": ["a", "b"], "ids": ["1", "1"]}),
        ),
        (
            "vector.document.add",
            json!({"documents": ["a"], "ids": ["a\nb"]}),
        ),
        (
            "vector.document.add",
            json!({"documents": ["a"], "metadatas": []}),
        ),
        (
            "vector.document.add",
            json!({"documents": ["a"], "metadatas": ["x"]}),
        ),
        ("vector.document.add", json!({"documents": [" "]})),
        (
            "vector.document.add",
            json!({"documents": ["x".repeat(100_001)]}),
        ),
        (
            "vector.index.service",
            json!({"service": "a;b", "data_type": "x", "documents": [{"text": "a"}]}),
        ),
    ] {
        let error = own(&mut vectors, tool, arguments.clone())
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::InvalidInput, "{tool}: {error}");
    }
    let unknown = json!({"documents": ["a"], "collection": "nowhere"});
    let unknown = own(&mut vectors, "vector.document.add", unknown)
        .await
        .unwrap_err();
    assert_eq!(unknown.code, Code::NotFound);
    let listed = vectors
        .call("vector.collection.list", json!({}))
        .await
        .unwrap();
    assert_eq!(listed["count"], 0);
}
