//! Google's Gemini API, v1beta: `generateContent`. The key travels in a header, never in the address.

use super::{Answer, MAX_PAGES, Question, Role, spend};
use crate::prices::Tokens;
use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::remote::{Remote, Reply, join};
use shared::secret::Secret;
use shared::tool::ToolError;
use std::fmt;

const METHOD: &str = "generateContent";

/// The API with a key.
pub(crate) struct Gemini {
    pub(super) remote: Remote,
    base: reqwest::Url,
    key: Secret,
}

impl fmt::Debug for Gemini {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gemini").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generated {
    #[serde(default)]
    candidates: Vec<Candidate>,
    #[serde(default)]
    prompt_feedback: Option<Feedback>,
    #[serde(default)]
    usage_metadata: Usage,
    #[serde(default)]
    model_version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    content: Content,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
    /// What the model thought, not what it says.
    #[serde(default)]
    thought: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    #[serde(default)]
    block_reason: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Usage {
    #[serde(default)]
    prompt_token_count: u64,
    #[serde(default)]
    candidates_token_count: u64,
    #[serde(default)]
    thoughts_token_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    models: Vec<Model>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Model {
    name: String,
    #[serde(default)]
    supported_generation_methods: Vec<String>,
}

impl Gemini {
    pub(crate) const fn new(remote: Remote, base: reqwest::Url, key: Secret) -> Self {
        Self { remote, base, key }
    }

    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, ToolError> {
        let method = format!("{}:{METHOD}", question.model);
        let url = join(&self.base, ["v1beta", "models", &method]);
        let request = self.signed(self.remote.post(url))?.json(&body(question));
        let reply = spend(&self.remote, request, &self.key, message).await?;
        let generated: Generated = self.remote.read(&reply)?;
        let blocked = generated.prompt_feedback.and_then(|it| it.block_reason);
        let candidate = generated.candidates.into_iter().next();
        let (text, stop) = match (candidate, blocked) {
            (Some(candidate), _) => {
                let said = candidate.content.parts.iter().filter(|part| !part.thought);
                let text = said.map(|part| part.text.as_str()).collect();
                (text, candidate.finish_reason.unwrap_or_default())
            }
            (None, Some(reason)) => (String::new(), reason),
            (None, None) => return Err(self.remote.nonsense()),
        };
        let usage = generated.usage_metadata;
        Ok(Answer {
            model: generated
                .model_version
                .unwrap_or_else(|| question.model.clone()),
            text,
            tokens: Tokens {
                input: usage.prompt_token_count,
                output: usage
                    .candidates_token_count
                    .saturating_add(usage.thoughts_token_count),
            },
            stop,
        })
    }

    pub(super) async fn models(&self) -> Result<Vec<String>, ToolError> {
        let mut models = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = self.remote.get(join(&self.base, ["v1beta", "models"]));
            let mut request = self.signed(request)?.query(&[("pageSize", "1000")]);
            if let Some(next) = &next {
                request = request.query(&[("pageToken", next)]);
            }
            let page: Page = self.remote.json(request).await?;
            let able = page.models.into_iter().filter(|model| {
                let mut methods = model.supported_generation_methods.iter();
                methods.any(|method| method == METHOD)
            });
            models.extend(able.map(|model| {
                let name = model.name.strip_prefix("models/");
                name.unwrap_or(&model.name).to_owned()
            }));
            match page.next_page_token {
                Some(token) if !token.is_empty() => next = Some(token),
                _ => break,
            }
        }
        Ok(models)
    }

    fn signed(&self, request: RequestBuilder) -> Result<RequestBuilder, ToolError> {
        let key = HeaderValue::from_str(self.key.expose());
        let mut key = key.or(Err(ToolError::not_configured("GEMINI_API_KEY_SECRET_PATH")))?;
        key.set_sensitive(true);
        Ok(request.header("x-goog-api-key", key))
    }
}

fn body(question: &Question) -> Value {
    let contents: Vec<Value> = question
        .turns
        .iter()
        .map(|turn| {
            let role = match turn.role {
                Role::User => "user",
                Role::Assistant => "model",
            };
            json!({"role": role, "parts": [{"text": turn.content}]})
        })
        .collect();
    let mut settings = Map::new();
    if let Some(temperature) = question.temperature {
        settings.insert("temperature".into(), json!(temperature));
    }
    if let Some(tokens) = question.max_tokens {
        settings.insert("maxOutputTokens".into(), json!(tokens));
    }
    let mut body = Map::from_iter([("contents".to_owned(), json!(contents))]);
    if !settings.is_empty() {
        body.insert("generationConfig".into(), Value::Object(settings));
    }
    if let Some(system) = &question.system {
        let system = json!({"parts": [{"text": system}]});
        body.insert("systemInstruction".into(), system);
    }
    Value::Object(body)
}

/// What the API says of a refusal.
fn message(reply: &Reply) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    Some(body.pointer("/error/message")?.as_str()?.to_owned())
}
