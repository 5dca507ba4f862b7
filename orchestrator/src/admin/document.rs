//! The `OpenAPI` document, made from the table of routes and the schemas of their documents.

use super::table::{Route, Shape};
use crate::transport::access::Need;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Version of the API, not of the product.
pub(crate) const API_VERSION: &str = "2.0.0";

/// The document of these routes.
pub(super) fn of(routes: &[Route], header: &str) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let operations = paths.entry(route.path).or_default();
        operations.insert(route.method.as_str().to_ascii_lowercase(), operation(route));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Waygate",
            "version": API_VERSION,
            "description": "One hub through which AI hosts call tools.",
            "license": {"name": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas(routes),
            "securitySchemes": {
                "ApiKeyAuth": {"type": "apiKey", "in": "header", "name": header},
                "BearerAuth": {"type": "http", "scheme": "bearer"},
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "summary": route.summary,
        "operationId": operation_id(route),
        "tags": [tag(route.path)],
        "parameters": parameters(route.path),
        "responses": {
            "200": answer(route),
            "default": {
                "description": "Refused or failed.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorDocument"}}},
            },
        },
    });
    let Value::Object(members) = &mut operation else {
        return operation;
    };
    if let Some(shape) = route.request {
        let content = json!({"application/json": {"schema": reference(shape)}});
        members.insert(
            "requestBody".into(),
            json!({"required": true, "content": content}),
        );
    }
    let security = match route.need {
        Need::Nothing => json!([]),
        _ => json!([{"ApiKeyAuth": []}, {"BearerAuth": []}]),
    };
    members.insert("security".into(), security);
    if let Need::Permission(resource, verb) = route.need {
        let needed = format!("Needs permission {resource}:{}.", verb.as_str());
        members.insert("description".into(), needed.into());
    } else if route.need == Need::Admin {
        members.insert("description".into(), "Needs role admin.".into());
    }
    operation
}

fn answer(route: &Route) -> Value {
    let Some(shape) = route.answer else {
        return json!({"description": "Done."});
    };
    let schema = if route.enveloped {
        json!({
            "type": "object",
            "required": ["success", "data"],
            "properties": {"success": {"const": true}, "data": reference(shape)},
        })
    } else {
        reference(shape)
    };
    json!({"description": "Done.", "content": {"application/json": {"schema": schema}}})
}

fn reference(shape: Shape) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", (shape.name)())})
}

fn schemas(routes: &[Route]) -> BTreeMap<String, Value> {
    let mut collected = Vec::new();
    for shape in routes
        .iter()
        .flat_map(|route| [route.request, route.answer])
        .flatten()
    {
        (shape.collect)(&mut collected);
    }
    let mut schemas: BTreeMap<String, Value> = collected
        .into_iter()
        .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()))
        .collect();
    schemas.insert("ErrorDocument".into(), error_document());
    schemas
}

fn error_document() -> Value {
    let codes: Vec<&str> = shared::error::Code::ALL
        .iter()
        .map(|code| code.as_str())
        .collect();
    json!({
        "type": "object",
        "required": ["success", "error"],
        "properties": {
            "success": {"const": false},
            "error": {
                "type": "object",
                "required": ["code", "message", "details", "timestamp", "request_id"],
                "properties": {
                    "code": {"type": "string", "enum": codes},
                    "message": {"type": "string"},
                    "details": {"type": "object"},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "request_id": {"type": "string"},
                },
            },
        },
    })
}

fn parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect()
}

/// The first part of the path that says something.
fn tag(path: &str) -> &str {
    let mut parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != "api");
    parts.next().unwrap_or("service")
}

fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '-', '{', '}', '.']);
    let words = words.filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("_");
    let method = route.method.as_str().to_ascii_lowercase();
    format!(
        "{method}_{}",
        if joined.is_empty() { "root" } else { &joined }
    )
}
