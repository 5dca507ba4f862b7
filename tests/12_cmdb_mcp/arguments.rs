//! A walk over every tool: arguments that do not fit are refused by name and nothing runs.

use crate::running::{CSV, over};
use proto::spoke::Effect;
use serde_json::{Map, Value, json};
use shared::error::Code;

/// Acceptance: 101
#[tokio::test]
async fn wrong_missing_and_unknown_parameters_are_named_for_every_tool() {
    let mut cmdb = over(Some(CSV), &[]).await;
    let tools = cmdb.hub.spoke.tools.clone();
    assert_eq!(tools.len(), 16);
    for tool in tools {
        let schema: Value = serde_json::from_slice(&tool.input_schema_json).unwrap();
        for (arguments, field) in misfits(&schema) {
            let error = cmdb.call(&tool.id, arguments.clone()).await.unwrap_err();
            let said = format!("{} {arguments}: {error}", tool.id);
            assert_eq!(
                (error.code, error.did_not_run),
                (Code::InvalidInput, true),
                "{said}"
            );
            assert_eq!(error.details.unwrap()["field"], json!(field), "{said}");
        }
    }
    assert_eq!(cmdb.csv(), CSV);
}

#[tokio::test]
async fn the_catalogue_s_tools_are_there_with_their_effects_and_other_names() {
    let cmdb = over(Some(CSV), &[]).await;
    let tool = |id: &str| {
        cmdb.hub
            .spoke
            .tools
            .iter()
            .find(|tool| tool.id == id)
            .unwrap()
    };
    for (id, effect, idempotent) in [
        ("cmdb.local.getServerInfo", Effect::Read, true),
        ("cmdb.local.findServers", Effect::Read, true),
        ("cmdb.local.services.getServiceInfo", Effect::Read, true),
        ("cmdb.local.validate", Effect::Read, true),
        ("cmdb.local.createServer", Effect::Mutate, false),
        ("cmdb.local.updateServer", Effect::Mutate, true),
        ("cmdb.local.deleteServer", Effect::Mutate, true),
        ("cmdb.servicenow.getCiDetails", Effect::Read, true),
        ("cmdb.servicenow.getIncident", Effect::Read, true),
        ("cmdb.queryAssets", Effect::Read, true),
        ("cmdb.getMetrics", Effect::Read, true),
    ] {
        let tool = tool(id);
        assert_eq!(
            (tool.effect(), tool.idempotent),
            (effect, idempotent),
            "{id}"
        );
    }
    for (id, other) in [
        (
            "cmdb.local.getServerInfo",
            "cmdb.local.servers.getServerInfo",
        ),
        (
            "cmdb.servicenow.getCiDetails",
            "cmdb.servicenow.ci.getCiDetails",
        ),
    ] {
        assert_eq!(tool(id).aliases, [other]);
    }
}

/// Sets of arguments that are wrong in one field each, and that field.
fn misfits(schema: &Value) -> Vec<(Value, String)> {
    let properties = schema["properties"].as_object().unwrap();
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|names| names.iter().map(|name| name.as_str().unwrap()).collect())
        .unwrap_or_default();
    let good: Map<String, Value> = required
        .iter()
        .map(|name| ((*name).to_owned(), fitting(&properties[*name])))
        .collect();
    let mut misfits = Vec::new();
    let mut with = |name: &str, value: Value| {
        let mut arguments = good.clone();
        arguments.insert(name.to_owned(), value);
        misfits.push((Value::Object(arguments), name.to_owned()));
    };
    with("no_such_parameter", json!(1));
    for (name, property) in properties {
        let wrong = match &property["type"] {
            Value::String(kind) if kind == "object" => json!("text"),
            _ => json!({"an": "object"}),
        };
        with(name, wrong);
    }
    for name in required {
        let mut arguments = good.clone();
        arguments.remove(name);
        misfits.push((Value::Object(arguments), name.to_owned()));
    }
    misfits
}

fn fitting(property: &Value) -> Value {
    if let Some(words) = property["enum"].as_array() {
        return words[0].clone();
    }
    if let Some(words) = property["oneOf"].as_array() {
        return words[0]["const"].clone();
    }
    match property["type"].as_str() {
        Some("object") => {
            let required = property["required"].as_array().cloned().unwrap_or_default();
            let fields = required.iter().map(|name| {
                let name = name.as_str().unwrap();
                (name.to_owned(), fitting(&property["properties"][name]))
            });
            Value::Object(fields.collect())
        }
        Some("integer") => json!(1),
        _ => json!("xx"),
    }
}
