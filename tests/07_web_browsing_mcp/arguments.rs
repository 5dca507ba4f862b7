//! A walk over every tool: arguments that do not fit are refused by name and nothing runs.

use crate::running::start_with;
use serde_json::{Map, Value, json};
use shared::error::Code;

/// Acceptance: 101
#[tokio::test(flavor = "multi_thread")]
async fn wrong_missing_and_unknown_parameters_are_named_for_every_tool() {
    let mut browse = start_with(&[], "").await;
    let tools = browse.hub.spoke.tools.clone();
    assert_eq!(tools.len(), 11);
    for tool in tools {
        let schema: Value = serde_json::from_slice(&tool.input_schema_json).unwrap();
        let name = tool.id.strip_prefix("web.browse.").unwrap();
        for (arguments, field) in misfits(&schema) {
            let error = browse.call(name, arguments.clone()).await.unwrap_err();
            let said = format!("{name} {arguments}: {error}");
            assert_eq!(
                (error.code, error.did_not_run),
                (Code::InvalidInput, true),
                "{said}"
            );
            assert_eq!(error.details.unwrap()["field"], json!(field), "{said}");
        }
    }
    let metrics = browse.call("getMetrics", json!({})).await.unwrap();
    assert_eq!(metrics["metrics"]["browser_active"], false, "something ran");
    browse.running.stop().await;
}

/// Sets of arguments that are wrong in one field each, and that field.
fn misfits(schema: &Value) -> Vec<(Value, String)> {
    let properties = schema["properties"].as_object().unwrap();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let required: Vec<&str> = required.iter().map(|name| name.as_str().unwrap()).collect();
    let good: Map<String, Value> = required
        .iter()
        .map(|name| ((*name).to_owned(), json!("x")))
        .collect();
    let mut misfits = Vec::new();
    let mut with = |name: &str, value: Value| {
        let mut arguments = good.clone();
        arguments.insert(name.to_owned(), value);
        misfits.push((Value::Object(arguments), name.to_owned()));
    };
    with("no_such_parameter", json!(1));
    for (name, property) in properties {
        with(name, json!({"an": "object"}));
        if property["maxLength"].is_number() {
            with(name, json!("x".repeat(100_000)));
        }
        if property["minLength"].is_number() {
            with(name, json!(""));
        }
        if property["pattern"].is_string() {
            with(name, json!("../../\u{7}"));
        }
        if property["minimum"].is_number() {
            with(name, json!(-1));
            with(name, json!(1.5));
        }
    }
    for name in required {
        let mut arguments = good.clone();
        arguments.remove(name);
        misfits.push((Value::Object(arguments), name.to_owned()));
    }
    misfits
}
