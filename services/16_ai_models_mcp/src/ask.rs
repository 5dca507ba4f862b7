//! `ai.models.gemini.generateContent` and `ai.models.anthropic.createMessage`.

use crate::config::Model;
use crate::exchange::{Asked, Exchange};
use crate::provider::Kind;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `ai.models.gemini.generateContent`.
pub(crate) struct GenerateContent(pub(crate) Arc<Exchange>);

/// `ai.models.anthropic.createMessage`.
pub(crate) struct CreateMessage(pub(crate) Arc<Exchange>);

/// Arguments of `ai.models.gemini.generateContent`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GeminiArguments {
    /// What to ask.
    #[schemars(length(min = 1, max = 400_000))]
    prompt: String,
    /// Name of the model, as listAvailable gives it.
    #[serde(default = "gemini_model")]
    #[schemars(length(min = 1, max = 100))]
    model_name: String,
    /// How freely it answers: 0 to 2.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2))]
    temperature: Option<f64>,
    /// Most tokens of the answer, thinking included.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    max_output_tokens: Option<u32>,
    /// What the model is told about how to answer; said anew with each call.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100_000))]
    system: Option<String>,
    /// A name of your choice: calls with the same one know what was said before.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    conversation_id: Option<String>,
}

/// Arguments of `ai.models.anthropic.createMessage`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnthropicArguments {
    /// What to ask.
    #[schemars(length(min = 1, max = 400_000))]
    prompt: String,
    /// Name of the model, as listAvailable gives it.
    #[serde(default = "anthropic_model")]
    #[schemars(length(min = 1, max = 100))]
    model: String,
    /// Most tokens of the answer.
    #[serde(default = "max_tokens")]
    #[schemars(range(min = 1, max = 200_000))]
    max_tokens: u32,
    /// How freely it answers: 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    temperature: Option<f64>,
    /// What the model is told about how to answer; said anew with each call.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100_000))]
    system: Option<String>,
    /// A name of your choice: calls with the same one know what was said before.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    conversation_id: Option<String>,
}

/// Result of `ai.models.gemini.generateContent`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Generated {
    /// The model that answered, as it calls itself.
    model: String,
    /// What it said; empty when it was blocked.
    generated_text: String,
    /// Tokens sent, what was said before included.
    prompt_tokens: u64,
    /// Tokens received, thinking included.
    completion_tokens: u64,
    /// Both together.
    total_tokens: u64,
    /// Why it stopped: `STOP`, `MAX_TOKENS`, or what blocked it.
    finish_reason: String,
    /// US dollars; null when the model has no price in the table.
    cost_usd: Option<f64>,
    /// The conversation it was kept in; absent when none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
}

/// Result of `ai.models.anthropic.createMessage`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Message {
    /// The model that answered, as it calls itself.
    model: String,
    /// What it said.
    response: String,
    /// Tokens sent, what was said before included.
    input_tokens: u64,
    /// Tokens received.
    output_tokens: u64,
    /// Why it stopped: `end_turn`, `max_tokens`, `refusal` and the like.
    stop_reason: String,
    /// US dollars; null when the model has no price in the table.
    cost_usd: Option<f64>,
    /// The conversation it was kept in; absent when none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
}

// What the catalogue says; `defaults` puts the configured names into the schemas.

fn gemini_model() -> String {
    "gemini-flash-latest".into()
}

fn anthropic_model() -> String {
    "claude-haiku-4-5".into()
}

const fn max_tokens() -> u32 {
    1024
}

/// A name that is one: it becomes a part of an address.
fn checked_model(field: &str, name: String) -> Result<String, ToolError> {
    let model = Model::try_from(name).map_err(|rule| ToolError::invalid(field, rule))?;
    Ok(model.as_str().to_owned())
}

#[async_trait]
impl TypedTool for GenerateContent {
    type Arguments = GeminiArguments;
    type Output = Generated;

    fn spec(&self) -> Spec {
        Spec::new(
            "ai.models.gemini.generateContent",
            Effect::MutateOwn,
            "Ask a Gemini model of Google and get its answer with what it cost. Name a conversation \
             to go on with it in later calls.",
        )
        .long_running()
        .open_world()
    }

    async fn run(&self, arguments: GeminiArguments, call: &Call) -> Result<Generated, ToolError> {
        let asked = Asked {
            kind: Kind::Gemini,
            model: checked_model("model_name", arguments.model_name)?,
            prompt: arguments.prompt,
            system: arguments.system,
            temperature: arguments.temperature,
            max_tokens: arguments.max_output_tokens,
            conversation: arguments.conversation_id,
        };
        let told = self.0.ask(asked, call).await?;
        let tokens = told.answer.tokens;
        Ok(Generated {
            model: told.answer.model,
            generated_text: told.answer.text,
            prompt_tokens: tokens.input,
            completion_tokens: tokens.output,
            total_tokens: tokens.input.saturating_add(tokens.output),
            finish_reason: told.answer.stop,
            cost_usd: told.cost,
            conversation_id: told.conversation,
        })
    }
}

#[async_trait]
impl TypedTool for CreateMessage {
    type Arguments = AnthropicArguments;
    type Output = Message;

    fn spec(&self) -> Spec {
        Spec::new(
            "ai.models.anthropic.createMessage",
            Effect::MutateOwn,
            "Ask a Claude model of Anthropic and get its answer with what it cost. Name a \
             conversation to go on with it in later calls.",
        )
        .long_running()
        .open_world()
    }

    async fn run(&self, arguments: AnthropicArguments, call: &Call) -> Result<Message, ToolError> {
        let asked = Asked {
            kind: Kind::Anthropic,
            model: checked_model("model", arguments.model)?,
            prompt: arguments.prompt,
            system: arguments.system,
            temperature: arguments.temperature,
            max_tokens: Some(arguments.max_tokens),
            conversation: arguments.conversation_id,
        };
        let told = self.0.ask(asked, call).await?;
        Ok(Message {
            model: told.answer.model,
            response: told.answer.text,
            input_tokens: told.answer.tokens.input,
            output_tokens: told.answer.tokens.output,
            stop_reason: told.answer.stop,
            cost_usd: told.cost,
            conversation_id: told.conversation,
        })
    }
}
