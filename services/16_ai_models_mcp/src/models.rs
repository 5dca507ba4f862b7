//! `ai.models.listAvailable`.

use crate::exchange::Exchange;
use crate::provider::Place;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `ai.models.listAvailable`.
pub(crate) struct ListAvailable(pub(crate) Arc<Exchange>);

/// Arguments of `ai.models.listAvailable`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoArguments {}

/// Result of `ai.models.listAvailable`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Available {
    /// Google's models.
    gemini: Models,
    /// Anthropic's models.
    anthropic: Models,
}

/// The models of one provider.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Models {
    /// Whether there is a key for it.
    configured: bool,
    /// Their names.
    models: Vec<String>,
    /// How many.
    count: usize,
    /// Why there are none, when the provider did not answer; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[async_trait]
impl TypedTool for ListAvailable {
    type Arguments = NoArguments;
    type Output = Available;

    fn spec(&self) -> Spec {
        Spec::new(
            "ai.models.listAvailable",
            Effect::Read,
            "List the models of each provider that can be asked here, and whether a key for it is \
             configured.",
        )
        .open_world()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Available, ToolError> {
        let (gemini, anthropic) =
            futures::future::join(models(&self.0.gemini), models(&self.0.anthropic)).await;
        Ok(Available { gemini, anthropic })
    }
}

/// One provider that does not answer does not hide the other.
async fn models(place: &Place) -> Models {
    let (configured, listed) = match &place.provider {
        Err(_) => (false, Ok(Vec::new())),
        Ok(provider) => (true, provider.models().await),
    };
    let (models, error) = match listed {
        Ok(mut models) => {
            models.sort();
            models.dedup();
            (models, None)
        }
        Err(error) => (Vec::new(), Some(error.message)),
    };
    Models {
        configured,
        count: models.len(),
        models,
        error,
    }
}
