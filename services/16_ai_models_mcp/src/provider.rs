//! The providers of models: one question, one answer. Which provider speaks how is in the children.
//!
//! A call costs money and may have been made although no answer came, so only a failure that
//! certainly came before it is called safe to repeat.

mod anthropic;
mod gemini;

pub(crate) use anthropic::Anthropic;
pub(crate) use gemini::Gemini;

use crate::prices::Tokens;
use reqwest::{RequestBuilder, StatusCode};
use shared::error::Code;
use shared::remote::{Remote, Reply};
use shared::secret::Secret;
use shared::spoke::Health;
use shared::tool::ToolError;

/// Longest answer that is read, in bytes.
pub(crate) const MAX_ANSWER: usize = 2 * 1024 * 1024;
/// Most pages of a list of models.
const MAX_PAGES: usize = 10;

/// The providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gemini,
    Anthropic,
}

impl Kind {
    /// The word in results and in the store.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Gemini => "gemini",
            Self::Anthropic => "anthropic",
        }
    }
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) role: Role,
    pub(crate) content: String,
}

/// What a model is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) model: String,
    pub(crate) system: Option<String>,
    /// Oldest first; the last one is the user's.
    pub(crate) turns: Vec<Turn>,
    pub(crate) temperature: Option<f64>,
    /// Most tokens of the answer; `None`: the provider decides.
    pub(crate) max_tokens: Option<u32>,
}

/// What it answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The model that answered, as it calls itself.
    pub(crate) model: String,
    pub(crate) text: String,
    pub(crate) tokens: Tokens,
    /// Why it stopped, in the provider's word.
    pub(crate) stop: String,
}

/// A provider that can be asked.
#[derive(Debug)]
pub(crate) enum Provider {
    Gemini(Gemini),
    Anthropic(Anthropic),
}

impl Provider {
    pub(crate) async fn ask(&self, question: &Question) -> Result<Answer, ToolError> {
        match self {
            Self::Gemini(gemini) => gemini.ask(question).await,
            Self::Anthropic(anthropic) => anthropic.ask(question).await,
        }
    }

    /// Names of the models that can be asked, at most 1000 a page and ten pages.
    pub(crate) async fn models(&self) -> Result<Vec<String>, ToolError> {
        match self {
            Self::Gemini(gemini) => gemini.models().await,
            Self::Anthropic(anthropic) => anthropic.models().await,
        }
    }

    fn trouble(&self) -> Option<String> {
        match self {
            Self::Gemini(gemini) => gemini.remote.trouble(),
            Self::Anthropic(anthropic) => anthropic.remote.trouble(),
        }
    }
}

/// A provider, or the setting that is missing to ask it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) provider: Result<Provider, &'static str>,
}

impl Place {
    /// The provider.
    pub(crate) fn ready(&self) -> Result<&Provider, ToolError> {
        let provider = self.provider.as_ref();
        provider.map_err(|setting| ToolError::not_configured(setting))
    }

    /// How it answered last; nobody is asked, each question costs.
    pub(crate) fn health(&self) -> Health {
        match &self.provider {
            Err(setting) => Health::Degraded(format!("not configured: set {setting}")),
            Ok(provider) => provider.trouble().map_or(Health::Healthy, Health::Degraded),
        }
    }
}

/// Sends a question; failures say honestly whether it may have cost something.
async fn spend(
    remote: &Remote,
    request: RequestBuilder,
    key: &Secret,
    message: fn(&Reply) -> Option<String>,
) -> Result<Reply, ToolError> {
    let reply = remote.ask(request).await.map_err(|mut error| {
        error.retryable &= error.did_not_run;
        error
    })?;
    match reply.status.is_success() {
        true => Ok(reply),
        false => Err(refused(remote, &reply, key, message)),
    }
}

fn refused(
    remote: &Remote,
    reply: &Reply,
    key: &Secret,
    message: fn(&Reply) -> Option<String>,
) -> ToolError {
    // What is said of credentials or of a proxy is not for the caller.
    let theirs = match reply.status.as_u16() {
        400 | 404 | 413 | 422 | 429 => message(reply),
        _ => None,
    };
    let theirs = theirs.map(|text| text.replace(key.expose(), "[redacted]"));
    let mut error = remote.refused(reply, theirs.as_deref());
    let overloaded =
        reply.status == StatusCode::SERVICE_UNAVAILABLE || reply.status.as_u16() == 529;
    if reply.status.is_server_error() {
        error.did_not_run = overloaded;
        error.retryable = overloaded;
    }
    if reply.status == StatusCode::PAYLOAD_TOO_LARGE {
        error.code = Code::PayloadTooLarge;
    }
    error
}
