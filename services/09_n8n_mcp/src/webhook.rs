//! The webhook node of a workflow: where it listens, and whether we may call it.
//!
//! Source: parameters `path`, `httpMethod` and `authentication` of the node `n8n-nodes-base.webhook`; a
//! production address is `/webhook/<path>`.

use crate::model::{Workflow, is_enabled, type_of};
use reqwest::Method;
use serde_json::{Map, Value};
use shared::error::Code;
use shared::remote::join;
use shared::tool::ToolError;
use url::Url;

const KIND: &str = "n8n-nodes-base.webhook";

/// Where and how a workflow is called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Webhook {
    pub(crate) method: Method,
    pub(crate) url: Url,
}

impl Webhook {
    /// The first webhook of a workflow that can be called.
    ///
    /// # Errors
    /// `NOT_SUPPORTED` when there is none we can call; `CONFLICT` when the workflow is not active.
    pub(crate) fn of(workflow: &Workflow, root: &Url) -> Result<Self, ToolError> {
        let nodes = workflow.nodes.iter().filter(|node| is_enabled(node));
        let webhooks: Vec<_> = nodes.filter(|node| type_of(node) == Some(KIND)).collect();
        if webhooks.is_empty() {
            return Err(unsupported(
                "the workflow has no webhook: n8n's public API cannot start it",
            ));
        }
        let open: Vec<_> = webhooks.into_iter().filter(|node| is_open(node)).collect();
        if open.is_empty() {
            return Err(unsupported(
                "the webhooks of the workflow want credentials of their own, which this service has not",
            ));
        }
        let found = open.into_iter().find_map(|node| Self::at(node, root));
        let webhook = found.ok_or_else(|| {
            unsupported(
                "the path of the workflow's webhook has variable parts: it cannot be called",
            )
        })?;
        match workflow.active {
            true => Ok(webhook),
            false => Err(ToolError::refused(
                Code::Conflict,
                "the workflow is not active: activate it before it is triggered",
            )),
        }
    }

    fn at(node: &Map<String, Value>, root: &Url) -> Option<Self> {
        let path = parameter(node, "path")?.trim_matches('/');
        let fixed = |part: &str| !part.is_empty() && !part.starts_with(':') && part != "..";
        if !path.split('/').all(fixed) {
            return None;
        }
        let method = match parameter(node, "httpMethod").unwrap_or("GET") {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            "HEAD" => Method::HEAD,
            _ => return None,
        };
        let url = join(root, std::iter::once("webhook").chain(path.split('/')));
        Some(Self { method, url })
    }
}

fn is_open(node: &Map<String, Value>) -> bool {
    parameter(node, "authentication").is_none_or(|kind| kind == "none")
}

fn parameter<'a>(node: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    node.get("parameters")?.get(name)?.as_str()
}

fn unsupported(message: &str) -> ToolError {
    ToolError::refused(Code::NotSupported, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(active: bool, nodes: Value) -> Result<(Method, String), Code> {
        let workflow: Workflow = serde_json::from_value(json!({
            "id": "w", "name": "n", "active": active, "nodes": nodes,
            "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        let root = "https://n8n.example/base".parse().unwrap();
        let found = Webhook::of(&workflow, &root);
        found
            .map(|it| (it.method, it.url.to_string()))
            .map_err(|error| {
                assert!(error.did_not_run);
                error.code
            })
    }

    fn node(parameters: Value) -> Value {
        json!({"type": KIND, "parameters": parameters})
    }

    #[test]
    fn the_first_open_webhook_is_called() {
        let locked = node(json!({"path": "a", "authentication": "headerAuth"}));
        let variable = node(json!({"path": "user/:id"}));
        let open = node(json!({"path": "deploy/pro d", "httpMethod": "POST"}));
        let url = "https://n8n.example/base/webhook/deploy/pro%20d".to_owned();
        assert_eq!(
            check(true, json!([locked, variable, open])),
            Ok((Method::POST, url))
        );
        let plain = node(json!({"path": "x", "authentication": "none"}));
        let url = "https://n8n.example/base/webhook/x".to_owned();
        assert_eq!(check(true, json!([plain])), Ok((Method::GET, url)));
    }

    #[test]
    fn a_workflow_that_cannot_be_called_says_why() {
        let open = node(json!({"path": "x"}));
        let off = json!({"type": KIND, "disabled": true, "parameters": {"path": "x"}});
        let odd = node(json!({"path": "../api/v1/users"}));
        let locked = node(json!({"path": "a", "authentication": "basicAuth"}));
        assert_eq!(check(false, json!([open])), Err(Code::Conflict));
        for nodes in [json!([]), json!([off]), json!([odd]), json!([locked])] {
            assert_eq!(check(true, nodes), Err(Code::NotSupported));
        }
    }
}
