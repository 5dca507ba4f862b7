//! What is put on a request so that the server knows who asks.

use crate::kubeconfig::{Plugin, bytes_of};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use shared::error::Code;
use shared::exec::{Executor, Run};
use shared::remote::{Token, Tokens};
use shared::secret::Secret;
use shared::tool::ToolError;
use std::path::PathBuf;
use std::time::Duration;

/// Tokens that say nothing of their end are asked for again after this, in seconds.
const LIFE: u64 = 600;

/// How a user signs in.
pub(super) enum Credential {
    /// By certificate, or not at all: nothing on the request.
    Connection,
    Token(Secret),
    /// Read again and again: it is replaced while we run.
    File(PathBuf, Tokens),
    Plugin(Box<Plugin>, Executor, Tokens),
}

impl Credential {
    pub(super) async fn sign(&self, request: RequestBuilder) -> Result<RequestBuilder, ToolError> {
        let token = match self {
            Self::Connection => return Ok(request),
            Self::Token(token) => token.clone(),
            Self::File(path, tokens) => tokens.get(from_file(path.clone())).await?,
            Self::Plugin(plugin, executor, tokens) => {
                tokens.get(from_plugin(plugin, executor)).await?
            }
        };
        Ok(request.bearer_auth(token.expose()))
    }

    /// Drops what may be had anew; `false` when nothing may.
    pub(super) async fn forget(&self) -> bool {
        match self {
            Self::Connection | Self::Token(_) => false,
            Self::File(_, tokens) | Self::Plugin(_, _, tokens) => tokens.forget().await,
        }
    }
}

async fn from_file(path: PathBuf) -> Result<Token, ToolError> {
    let read = tokio::task::spawn_blocking(move || bytes_of(&path)).await;
    let bytes = read
        .ok()
        .and_then(Result::ok)
        .ok_or_else(|| unusable("the file of the token cannot be read"))?;
    let text = std::str::from_utf8(&bytes).or(Err(unusable("the token is no text")))?;
    token(text.trim())
}

/// Source: `client.authentication.k8s.io/v1`, `ExecCredential`.
async fn from_plugin(plugin: &Plugin, executor: &Executor) -> Result<Token, ToolError> {
    let mut run = Run::new(&plugin.command, plugin.args.clone().unwrap_or_default());
    run = run.timeout(Duration::from_secs(30));
    let given = plugin.env.iter().flatten();
    run.environment = given
        .map(|it| (it.name.clone(), it.value.clone()))
        .collect();
    let asked = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "spec": {"interactive": false}});
    let info = ("KUBERNETES_EXEC_INFO".to_owned(), asked.to_string());
    run.environment.push(info);
    let failed = || unusable("the program that gives the token failed");
    let finished = executor.run(run).await.map_err(|error| {
        tracing::warn!(event = "k8s.plugin", %error, "the program did not run");
        failed()
    })?;
    let told: Option<Value> = serde_json::from_slice(&finished.stdout.bytes).ok();
    let given = told.as_ref().and_then(|it| it.get("status")?.get("token"));
    match given.and_then(Value::as_str) {
        Some(text) if finished.succeeded() => token(text),
        _ => Err(failed()),
    }
}

fn token(text: &str) -> Result<Token, ToolError> {
    let document = json!({"access_token": text, "expires_in": LIFE});
    serde_json::from_value(document).or(Err(unusable("the token cannot be used")))
}

fn unusable(why: &str) -> ToolError {
    ToolError::refused(Code::NotConfigured, format!("{why}: check KUBECONFIG"))
}
