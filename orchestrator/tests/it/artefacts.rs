//! Results too large for a host.

use crate::hub::{TestHub, modern};
use serde_json::{Value, json};

/// A text of lines, larger than the limit.
fn large() -> String {
    let lines = (0..12_000).map(|at| format!("line {at} holds ä value\n"));
    lines.collect()
}

fn note(result: &Value) -> &str {
    let blocks = result["content"].as_array().unwrap();
    let texts = blocks.iter().filter_map(|block| block["text"].as_str());
    let mut notes = texts.filter(|text| text.starts_with("The result has "));
    notes.next().unwrap()
}

fn id(note: &str) -> String {
    let at = note.find("art_").unwrap();
    note.get(at..at + 36).unwrap().to_owned()
}

#[tokio::test]
async fn a_large_result_is_shown_in_part_and_read_in_parts() {
    let hub = TestHub::start().await;
    let text = large();
    let result = hub
        .call("test.echo", json!({"text": text, "times": 1}))
        .await;
    assert!(result.to_string().len() < 20_000);
    let shown = result["structuredContent"]["text"].as_str().unwrap();
    assert!(text.starts_with(shown.trim_end_matches('…')), "{shown}");
    assert_eq!(result["isError"], false);
    let (note, id) = (note(&result), id(note(&result)));
    assert!(note.contains("artefacts_read"), "{note}");
    let (mut whole, mut offset) = (String::new(), json!(0));
    while !offset.is_null() {
        let arguments = json!({"id": id, "offset": offset, "length": 65_536});
        let part = hub.call("artefacts_read", arguments).await;
        let part = &part["structuredContent"];
        whole.push_str(part["text"].as_str().unwrap());
        offset = part["next_offset"].clone();
    }
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(whole["text"], text);
}

#[tokio::test]
async fn places_are_found_in_it_by_text_and_by_pattern() {
    let hub = TestHub::start().await;
    let result = hub.call("test.echo", json!({"text": large()})).await;
    let id = id(note(&result));
    let search = async |arguments: Value| {
        let found = hub.call("artefacts.search", arguments).await;
        found["structuredContent"].clone()
    };
    let found = search(json!({"id": id, "query": "LINE 777 holds"})).await;
    assert_eq!(found["total"], 1, "{found}");
    let excerpt = found["matches"][0]["excerpt"].as_str().unwrap();
    assert!(excerpt.contains("line 777 holds ä"), "{excerpt}");
    let found =
        search(json!({"id": id, "query": "line 77[0-9] ", "regex": true, "limit": 3})).await;
    assert_eq!(found["total"], 10, "{found}");
    assert_eq!(found["matches"].as_array().unwrap().len(), 3);
    let odd = search(json!({"id": id, "query": "(", "regex": true})).await;
    assert_eq!(odd["error"]["code"], "INVALID_INPUT", "{odd}");
}

#[tokio::test]
async fn it_belongs_to_its_caller_and_a_caller_who_could_not_read_it_gets_all() {
    let hub = TestHub::start().await;
    let text = large();
    let arguments = json!({"text": text});
    let result = hub.call("test.echo", arguments.clone()).await;
    let id = id(note(&result));
    let other = hub.key(&["read", "execute"]).await;
    let params = json!({"name": "artefacts.read", "arguments": {"id": id}});
    let refused = hub.send(modern(&other, "tools/call", params)).await.json();
    let code = &refused["result"]["structuredContent"]["error"]["code"];
    assert_eq!(*code, "NOT_FOUND", "{refused}");
    // An endpoint of one server is that server, as it is.
    let mut request = modern(
        &hub.user,
        "tools/call",
        json!({"name": "test_echo", "arguments": arguments}),
    );
    *request.uri_mut() = "/servers/77_test_mcp/mcp".parse().unwrap();
    let whole = hub.send(request).await.json();
    assert_eq!(whole["result"]["structuredContent"]["text"], text);
    let small = hub.call("test.echo", json!({"text": "hi"})).await;
    assert_eq!(small["structuredContent"]["text"], "hi");
    assert_eq!(small["content"].as_array().unwrap().len(), 1);
}
