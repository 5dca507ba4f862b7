//! `freqtrade.knowledge.*`: what one should know, built in.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};

const HYPEROPT: &str = include_str!("knowledge/hyperopt.md");
const FREQAI: &str = include_str!("knowledge/freqai.md");
const FREQAI_OLD: &str = include_str!("knowledge/freqai_old.md");

/// `freqtrade.knowledge.hyperoptBestPractices`.
pub(crate) struct Hyperopt;

/// `freqtrade.knowledge.freqAiOverview`.
pub(crate) struct FreqAi;

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct None {}

/// Arguments of `freqtrade.knowledge.freqAiOverview`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverviewArguments {
    /// `modern`: as it is since 2023; anything else adds how it was before and what to change.
    #[serde(default = "modern")]
    #[schemars(length(min = 1, max = 60))]
    version_focus: String,
}

fn modern() -> String {
    "modern".to_owned()
}

/// A text.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Text {
    /// Markdown.
    text: String,
}

#[async_trait]
impl TypedTool for Hyperopt {
    type Arguments = None;
    type Output = Text;

    fn spec(&self) -> Spec {
        Spec::new(
            "freqtrade.knowledge.hyperoptBestPractices",
            Effect::Read,
            "How to optimise a freqtrade strategy without fooling oneself: data, spaces, loss \
             functions, epochs, checks. Read it before freqtrade.cli.runHyperopt.",
        )
        .aliases(&["trading.freqtrade.knowledge.hyperoptBestPractices"])
    }

    async fn run(&self, _: None, _: &Call) -> Result<Text, ToolError> {
        Ok(Text {
            text: HYPEROPT.to_owned(),
        })
    }
}

#[async_trait]
impl TypedTool for FreqAi {
    type Arguments = OverviewArguments;
    type Output = Text;

    fn spec(&self) -> Spec {
        Spec::new(
            "freqtrade.knowledge.freqAiOverview",
            Effect::Read,
            "What FreqAI is, how a strategy uses it, which settings matter and where it goes wrong. \
             Read it before freqtrade.cli.freqaiTrain.",
        )
        .aliases(&["trading.freqtrade.knowledge.freqAiOverview"])
    }

    async fn run(&self, arguments: OverviewArguments, _: &Call) -> Result<Text, ToolError> {
        let text = match arguments.version_focus.as_str() {
            "modern" => FREQAI.to_owned(),
            _ => format!("{FREQAI}\n{FREQAI_OLD}"),
        };
        Ok(Text { text })
    }
}
