//! Pages over made-up tools.

use super::*;
use crate::upstream::scripted::Scripted;
use shared::id::ToolId;

fn item(id: &str, effect: Effect) -> Item {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let tool = ToolFacts {
        id: ToolId::parse(id).unwrap(),
        title: "A title".into(),
        description: "Says \"hello\".".into(),
        input_schema: raw(r#"{"type":"object", "properties":{"z":{},"a":{"default":1.0}}}"#),
        output_schema: Some(raw(r#"{"type":"array"}"#)),
        effect,
        effect_per_call: false,
        idempotent: true,
        long_running: false,
        destructive: false,
        open_world: true,
        sensitive: false,
        live: false,
        aliases: vec!["other.id".into()],
        wire: None,
        digest: format!("digest of {id}"),
    };
    let route = Route {
        tool: Arc::new(tool),
        alias: id.replace('.', "_").into(),
        owner: None,
        service: "12_cmdb_mcp".into(),
        schema: None,
        upstream: Scripted::answering(Vec::new()),
        quarantined: false,
    };
    Item {
        name: Arc::clone(&route.alias),
        description: None,
        route: Arc::new(route),
        needs_approval: effect >= Effect::Mutate,
        available: true,
    }
}

fn many(count: usize) -> Vec<Item> {
    (0..count)
        .map(|number| item(&format!("a.t{number:05}"), Effect::Read))
        .collect()
}

fn check(lists: &Lists, items: &[Item], cursor: Option<&Value>) -> Value {
    let cursor = cursor.map(|cursor| RawValue::from_string(cursor.to_string()).unwrap());
    let result = lists
        .result(items, Revision::July2026, cursor.as_deref())
        .unwrap();
    serde_json::from_slice(&result).unwrap()
}

#[test]
fn definitions_are_copied_and_marked() {
    let items = [
        item("a.read", Effect::Read),
        item("a.write", Effect::Mutate),
    ];
    let lists = Lists::default();
    let text = lists.result(&items, Revision::July2026, None).unwrap();
    let text = std::str::from_utf8(&text).unwrap();
    assert!(
        text.contains(
            r#""inputSchema":{"type":"object", "properties":{"z":{},"a":{"default":1.0}}}"#
        )
    );
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(value["tools"][0]["name"], "a_read");
    assert_eq!(value["tools"][0]["_meta"]["waygate/id"], "a.read");
    assert_eq!(value["tools"][0]["_meta"]["waygate/approval"], "none");
    assert_eq!(value["tools"][0]["annotations"]["readOnlyHint"], true);
    assert_eq!(value["tools"][1]["_meta"]["waygate/approval"], "required");
    assert_eq!(value["tools"][1]["_meta"]["waygate/aliases"][0], "other.id");
    assert_eq!(value["tools"][0]["outputSchema"]["type"], "array");
    assert_eq!(
        (&value["cacheScope"], &value["ttlMs"]),
        (&"private".into(), &60_000.into())
    );
}

#[test]
fn older_revisions_get_what_they_know() {
    let items = [item("a.read", Effect::Read)];
    let lists = Lists::default();
    let of = |revision| -> Value {
        serde_json::from_slice(&lists.result(&items, revision, None).unwrap()).unwrap()
    };
    let november = of(Revision::November2025);
    assert!(november["tools"][0].get("outputSchema").is_none());
    assert_eq!(november["tools"][0]["title"], "A title");
    assert!(november.get("ttlMs").is_none() && november.get("resultType").is_none());
    let march = of(Revision::March2025);
    assert!(march["tools"][0].get("title").is_none());
    assert_eq!(march["tools"][0]["annotations"]["title"], "A title");
}

#[test]
fn pages_cover_every_tool_once_in_order() {
    let (lists, items) = (Lists::default(), many(1201));
    let mut names: Vec<String> = Vec::new();
    let mut cursor = None;
    loop {
        let page = check(&lists, &items, cursor.as_ref());
        let tools = page["tools"].as_array().unwrap();
        assert!(tools.len() <= PAGE);
        names.extend(
            tools
                .iter()
                .map(|tool| tool["name"].as_str().unwrap().to_owned()),
        );
        cursor = page.get("nextCursor").cloned();
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names.len(), 1201);
    assert!(names.is_sorted());
}

#[test]
fn a_cursor_goes_on_after_a_change() {
    let (lists, items) = (Lists::default(), many(700));
    let cursor = check(&lists, &items, None)["nextCursor"].clone();
    let fewer = &items[10..];
    let rest = check(&lists, fewer, Some(&cursor));
    assert_eq!(rest["tools"].as_array().unwrap().len(), 200);
    assert_eq!(rest["tools"][0]["name"], "a_t00500");
    let none = check(&lists, &items[..3], Some(&cursor));
    assert!(none["tools"].as_array().unwrap().is_empty());
}

#[test]
fn a_foreign_cursor_is_refused() {
    let lists = Lists::default();
    let long = format!("\"{}\"", "x".repeat(600));
    for bad in ["1", "\"\"", "\"abc\"", "\"bm8\"", "null", &long] {
        let raw = RawValue::from_string(bad.to_owned()).unwrap();
        let fault = lists
            .result(&many(1), Revision::July2026, Some(&raw))
            .unwrap_err();
        assert_eq!(fault.code, proto::mcp::code::INVALID_PARAMS, "{bad}");
    }
}

#[test]
fn different_visible_sets_have_different_pages() {
    let (lists, items) = (Lists::default(), many(3));
    for shown in [&items[..], &items[..1], &items[1..], &[]] {
        let page = check(&lists, shown, None);
        assert_eq!(page["tools"].as_array().unwrap().len(), shown.len());
    }
    for count in 0..200 {
        check(&lists, &many(count % 70), None);
    }
    assert!(lists.made.lock().len() <= MAX_SETS);
}
