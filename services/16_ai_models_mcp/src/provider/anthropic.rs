//! Anthropic's Messages API, version 2023-06-01.

use super::{Answer, MAX_PAGES, Question, Role, spend};
use crate::prices::Tokens;
use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::remote::{Remote, Reply, join};
use shared::secret::Secret;
use shared::tool::ToolError;
use std::fmt;

const VERSION: &str = "2023-06-01";
/// What the API wants when a caller does not say how long the answer may be.
const DEFAULT_TOKENS: u32 = 1024;

/// The API with a key.
pub(crate) struct Anthropic {
    pub(super) remote: Remote,
    base: reqwest::Url,
    key: Secret,
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anthropic").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Message {
    model: String,
    content: Vec<Block>,
    stop_reason: Option<String>,
    usage: Usage,
}

#[derive(Deserialize)]
struct Block {
    r#type: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Model>,
    #[serde(default)]
    has_more: bool,
    last_id: Option<String>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

impl Anthropic {
    pub(crate) const fn new(remote: Remote, base: reqwest::Url, key: Secret) -> Self {
        Self { remote, base, key }
    }

    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, ToolError> {
        let messages: Vec<Value> = question
            .turns
            .iter()
            .map(|turn| {
                let role = match turn.role {
                    Role::User => "user",
                    Role::Assistant => "assistant",
                };
                json!({"role": role, "content": turn.content})
            })
            .collect();
        let mut body = json!({
            "model": question.model,
            "max_tokens": question.max_tokens.unwrap_or(DEFAULT_TOKENS),
            "messages": messages,
        });
        if let Some(object) = body.as_object_mut() {
            if let Some(temperature) = question.temperature {
                object.insert("temperature".into(), json!(temperature));
            }
            if let Some(system) = &question.system {
                object.insert("system".into(), json!(system));
            }
        }
        let request = self.remote.post(join(&self.base, ["v1", "messages"]));
        let request = self.signed(request)?.json(&body);
        let reply = spend(&self.remote, request, &self.key, message).await?;
        let answer: Message = self.remote.read(&reply)?;
        let texts = answer.content.iter().filter(|it| it.r#type == "text");
        let usage = answer.usage;
        let cached = [
            usage.cache_creation_input_tokens,
            usage.cache_read_input_tokens,
        ];
        let cached: u64 = cached.into_iter().flatten().sum();
        Ok(Answer {
            model: answer.model,
            text: texts.map(|block| block.text.as_str()).collect(),
            tokens: Tokens {
                input: usage.input_tokens.saturating_add(cached),
                output: usage.output_tokens,
            },
            stop: answer.stop_reason.unwrap_or_default(),
        })
    }

    pub(super) async fn models(&self) -> Result<Vec<String>, ToolError> {
        let mut models = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = self.remote.get(join(&self.base, ["v1", "models"]));
            let mut request = self.signed(request)?.query(&[("limit", "1000")]);
            if let Some(after) = &after {
                request = request.query(&[("after_id", after)]);
            }
            let page: Page = self.remote.json(request).await?;
            models.extend(page.data.into_iter().map(|model| model.id));
            match page.last_id {
                Some(last) if page.has_more => after = Some(last),
                _ => break,
            }
        }
        Ok(models)
    }

    fn signed(&self, request: RequestBuilder) -> Result<RequestBuilder, ToolError> {
        let key = HeaderValue::from_str(self.key.expose());
        let mut key = key.or(Err(ToolError::not_configured(
            "ANTHROPIC_API_KEY_SECRET_PATH",
        )))?;
        key.set_sensitive(true);
        Ok(request
            .header("x-api-key", key)
            .header("anthropic-version", VERSION))
    }
}

/// What the API says of a refusal.
fn message(reply: &Reply) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    Some(body.pointer("/error/message")?.as_str()?.to_owned())
}
