//! Each tool over a folder of its own.

use base64::Engine as _;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::{Effect, ToolError};
use spoke_11_documentation_mcp::SERVICE;
use std::collections::BTreeMap;
use std::io::Read;
use tests::rig::Rig;

async fn approved(rig: &mut Rig, tool: &str, arguments: Value) -> Result<Value, ToolError> {
    rig.approved(tool, arguments, Effect::Mutate).await
}

async fn created(rig: &mut Rig, title: &str, category: &str, content: &str) -> String {
    let arguments = json!({
        "title": title, "category": category, "content": content,
        "tags": ["ops"], "metadata": {"owner": "ann"},
    });
    let doc = approved(rig, "docs.create", arguments).await.unwrap();
    doc["id"].as_str().unwrap().to_owned()
}

/// Acceptance: 65
#[tokio::test]
async fn a_created_document_is_found_by_the_stem_of_its_words() {
    let mut docs = Rig::start(&SERVICE, &[]).await;
    let id = created(
        &mut docs,
        "Pump manual",
        "guides",
        "Start the pumps slowly.",
    )
    .await;
    created(&mut docs, "Cooks", "knowledge", "Soup and salad, slowly.").await;
    let found = docs
        .call("docs.search", json!({"query": "pump starting"}))
        .await
        .unwrap();
    assert_eq!(found["count"], 1, "{found}");
    let hit = &found["documents"][0];
    assert_eq!(
        (&hit["id"], &hit["path"]),
        (&json!(id), &json!("guides/pump-manual.md"))
    );
    assert_eq!(hit["snippet"], "**Start** the **pumps** slowly");
    let both = docs
        .call("docs.search", json!({"query": "slowly"}))
        .await
        .unwrap();
    assert_eq!(
        both["facets"]["categories"],
        json!([
            {"name": "guides", "count": 1}, {"name": "knowledge", "count": 1},
        ])
    );
    for (filter, count) in [
        (json!({"category": "knowledge"}), 1),
        (json!({"category": "api"}), 0),
        (json!({"tags": ["ops"]}), 2),
        (json!({"tags": ["ops", "none"]}), 0),
    ] {
        let mut arguments = filter.clone();
        arguments["query"] = json!("slowly");
        let found = docs.call("docs.search", arguments).await.unwrap();
        assert_eq!(found["count"], count, "{filter}");
    }
    let odd = json!({"query": "\"((pump: AND [ ^ ~ slowly"});
    docs.call("docs.search", odd).await.unwrap();
}

#[tokio::test]
async fn versions_are_kept_compared_and_brought_back() {
    let mut docs = Rig::start(&SERVICE, &[]).await;
    let id = created(&mut docs, "Pump", "guides", "one\ntwo\n").await;
    let update = json!({
        "doc_id": id, "content": "one\nthree\nfour\n", "version_note": "more", "expected_version": 1,
    });
    let updated = approved(&mut docs, "docs.update", update.clone())
        .await
        .unwrap();
    assert_eq!(
        (&updated["version"], &updated["version_note"]),
        (&json!(2), &json!("more"))
    );
    let stale = approved(&mut docs, "docs.update", update)
        .await
        .unwrap_err();
    assert_eq!(stale.code, Code::Conflict, "{stale}");
    let arguments = json!({"doc_id": id, "from_version": 1, "to_version": 2});
    let diff = docs.call("docs.versions.diff", arguments).await.unwrap();
    assert_eq!((&diff["added"], &diff["removed"]), (&json!(2), &json!(1)));
    let text = diff["diff"].as_str().unwrap();
    assert!(text.contains("-two\n+three\n+four\n"), "{text}");
    let gone = approved(&mut docs, "docs.delete", json!({"doc_id": id}))
        .await
        .unwrap();
    assert_eq!(gone["deleted"], true);
    let missing = docs
        .call("docs.get", json!({"doc_id": id}))
        .await
        .unwrap_err();
    assert_eq!(missing.code, Code::NotFound);
    let arguments = json!({"doc_id": id, "version": 1});
    let back = approved(&mut docs, "docs.revert", arguments).await.unwrap();
    assert_eq!(
        (&back["version"], &back["reverted_to"]),
        (&json!(3), &json!(1))
    );
    let whole = docs.call("docs.get", json!({"doc_id": id})).await.unwrap();
    assert_eq!(
        (&whole["content"], &whole["metadata"]["owner"]),
        (&json!("one\ntwo\n"), &json!("ann"))
    );
    let second = docs
        .call("docs.get", json!({"doc_id": id, "version": "2"}))
        .await
        .unwrap();
    assert_eq!(second["content"], "one\nthree\nfour\n");
    let listed = docs
        .call("docs.versions.list", json!({"doc_id": id}))
        .await
        .unwrap();
    let numbers: Vec<&Value> = listed["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["version"])
        .collect();
    assert_eq!(numbers, [&json!(3), &json!(2), &json!(1)]);
    let path = docs.path("data/11_documentation_mcp/docs/guides/pump.md");
    let file = std::fs::read_to_string(path).unwrap();
    assert!(
        file.starts_with("---\nid: pump\ntitle: Pump\n") && file.ends_with("one\ntwo\n"),
        "{file}"
    );
}

#[tokio::test]
async fn many_documents_are_changed_at_once_and_twice_is_as_once() {
    let mut docs = Rig::start(&SERVICE, &[]).await;
    let id = created(&mut docs, "Pump", "guides", "x").await;
    let arguments = json!({"doc_ids": [id, "nobody"], "set": {
        "category": "services", "add_tags": ["wet"], "remove_tags": ["ops"], "metadata": {"owner": null},
    }});
    for _ in 0..2 {
        let changed = approved(&mut docs, "docs.bulk_update", arguments.clone())
            .await
            .unwrap();
        assert_eq!(changed["updated"], json!([{"id": "pump", "version": 2}]));
        assert_eq!(changed["failed"][0]["id"], "nobody");
    }
    let page = docs
        .call("docs.list", json!({"category": "services"}))
        .await
        .unwrap();
    assert_eq!(page["documents"][0]["tags"], json!(["wet"]));
    let tags = docs.call("docs.tags.list", json!({})).await.unwrap();
    assert_eq!(tags["tags"], json!([{"name": "wet", "count": 1}]));
    let categories = docs.call("docs.categories.list", json!({})).await.unwrap();
    assert_eq!(
        categories["categories"][1],
        json!({"name": "services", "count": 1})
    );
}

#[tokio::test]
async fn lists_go_on_where_the_page_before_ended() {
    let mut docs = Rig::start(&SERVICE, &[]).await;
    for title in ["a", "b", "c"] {
        created(&mut docs, title, "api", "x").await;
    }
    let first = docs.call("docs.list", json!({"limit": 2})).await.unwrap();
    assert_eq!(
        (&first["count"], &first["next_cursor"]),
        (&json!(2), &json!("b"))
    );
    let second = docs
        .call("docs.list", json!({"limit": 2, "cursor": "b"}))
        .await
        .unwrap();
    assert_eq!(second["documents"][0]["id"], "c");
    assert_eq!(second["next_cursor"], Value::Null);
}

fn unpacked(exported: &Value) -> BTreeMap<String, String> {
    let archive = exported["archive"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(archive)
        .unwrap();
    assert_eq!(exported["size_bytes"], bytes.len());
    let mut archive = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(path, text);
    }
    files
}

#[tokio::test]
async fn an_export_holds_the_documents_in_each_format() {
    let mut docs = Rig::start(&SERVICE, &[]).await;
    created(&mut docs, "Pump", "guides", "# Pump\n<b onclick=x>").await;
    created(&mut docs, "Other", "api", "x").await;
    for (format, path, part) in [
        ("markdown", "guides/pump.md", "title: Pump"),
        ("json", "guides/pump.json", "\"owner\": \"ann\""),
        ("html", "guides/pump.html", "<h1>Pump</h1>\n&lt;b onclick"),
    ] {
        let arguments = json!({"category": "guides", "format": format});
        let exported = docs.call("docs.export", arguments).await.unwrap();
        assert_eq!(exported["count"], 1);
        let files = unpacked(&exported);
        assert!(files[path].contains(part), "{files:?}");
        assert_eq!(files.contains_key("index.html"), format == "html");
    }
    let unknown = docs
        .call("docs.export", json!({"doc_ids": ["nobody"]}))
        .await
        .unwrap_err();
    assert_eq!(unknown.code, Code::NotFound);
    let noise: String = (0..200_000)
        .map(|n: u64| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20).to_string())
        .collect();
    let noise: String = noise.chars().take(890_000).collect();
    for n in 0..3 {
        created(&mut docs, &format!("Noise {n}"), "knowledge", &noise).await;
    }
    let large = docs.call("docs.export", json!({})).await.unwrap_err();
    assert_eq!(large.code, Code::PayloadTooLarge, "{large}");
}

#[tokio::test]
async fn paths_and_odd_texts_are_refused_before_anything_is_written() {
    let mut docs = Rig::start(&SERVICE, &[]).await;
    for id in ["../x", "a/b", "A", ".versions", "%2e%2e", "x\u{0}"] {
        for (tool, mut arguments) in [
            ("docs.get", json!({"version": "1"})),
            ("docs.versions.list", json!({})),
            (
                "docs.versions.diff",
                json!({"from_version": 1, "to_version": 2}),
            ),
        ] {
            arguments["doc_id"] = json!(id);
            let error = docs.call(tool, arguments).await.unwrap_err();
            assert!(
                matches!(error.code, Code::InvalidInput | Code::NotFound),
                "{tool} {id:?}: {error}"
            );
        }
        for (tool, mut arguments) in [
            ("docs.delete", json!({})),
            ("docs.revert", json!({"version": 1})),
        ] {
            arguments["doc_id"] = json!(id);
            let error = approved(&mut docs, tool, arguments).await.unwrap_err();
            assert!(
                matches!(error.code, Code::InvalidInput | Code::NotFound),
                "{tool} {id:?}: {error}"
            );
        }
    }
    for (field, value) in [
        ("title", json!("  ")),
        ("title", json!("a\nb")),
        ("content", json!("a\u{1b}[2J")),
        ("category", json!("../guides")),
        ("tags", json!(["", "x"])),
        ("tags", json!(["a\tb"])),
        ("metadata", json!({"x": "y".repeat(20_000)})),
    ] {
        let mut arguments = json!({"title": "t", "content": "c", "category": "api"});
        arguments[field] = value.clone();
        let hub = docs
            .call("docs.create", arguments.clone())
            .await
            .unwrap_err();
        assert!(
            matches!(hub.code, Code::InvalidInput | Code::ApprovalRequired),
            "{field}: {hub}"
        );
        let error = approved(&mut docs, "docs.create", arguments)
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::InvalidInput, "{field} {value}: {error}");
    }
    assert!(!docs.path("data/11_documentation_mcp/docs").exists());
}

#[tokio::test]
async fn own_documents_need_no_approval_when_the_operator_says_so() {
    let mut docs = Rig::start(&SERVICE, &[("REQUIRE_APPROVAL", "false")]).await;
    let arguments = json!({"title": "t", "content": "c", "category": "api"});
    let doc = rig_own(&mut docs, arguments).await.unwrap();
    assert_eq!(doc["id"], "t");
    let refused = docs
        .call("docs.delete", json!({"doc_id": "t"}))
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::ApprovalRequired);
}

async fn rig_own(rig: &mut Rig, arguments: Value) -> Result<Value, ToolError> {
    let call = tests::rig::now("docs.create", &arguments).key("own");
    rig.hub.call(&call).await
}

#[tokio::test]
async fn health_names_a_file_that_is_no_document() {
    let folder = tempfile::tempdir().unwrap();
    let api = folder.path().join("docs/api");
    std::fs::create_dir_all(&api).unwrap();
    std::fs::write(api.join("bad.md"), b"\xff\xfe").unwrap();
    std::fs::write(api.join("good.md"), "text").unwrap();
    let root = folder.path().join("docs").display().to_string();
    let mut docs = Rig::start(&SERVICE, &[("DOCS_ROOT", &root)]).await;
    let page = docs.call("docs.list", json!({})).await.unwrap();
    assert_eq!(page["documents"][0]["id"], "good");
    let (_, health) = docs.probe("/health").await;
    assert!(health.to_string().contains("api/bad.md"), "{health}");
    let metrics = docs.call("docs.getMetrics", json!({})).await.unwrap();
    assert_eq!(metrics["metrics"]["documents"], 1);
    assert!(metrics["metrics"]["index_size_bytes"].as_u64().unwrap() > 0);
}
