//! `aider.ask`, `aider.architect`: answers and plans about the repository.

use crate::aider::{Mode, Order};
use crate::edit::summary;
use crate::state::Desk;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `aider.ask`.
pub(crate) struct Ask(pub(crate) Arc<Desk>);

/// `aider.architect`.
pub(crate) struct Architect(pub(crate) Arc<Desk>);

/// Arguments of `aider.ask`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskArguments {
    /// The question, up to 100 kB.
    #[schemars(length(min = 1, max = 100_000))]
    question: String,
    /// Files to look at, relative to the top of the repository, at most 100.
    #[serde(default)]
    #[schemars(length(max = 100))]
    files: Vec<String>,
    /// Model, such as `openai/gpt-4o`; left out: the one of the settings.
    #[serde(default)]
    model: Option<String>,
}

/// Result of `aider.ask`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Answer {
    /// Whether aider ended well.
    success: bool,
    /// What aider wrote.
    answer: String,
    /// What it wrote about errors.
    stderr: String,
}

/// Arguments of `aider.architect`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchitectArguments {
    /// What is to be built or changed, up to 100 kB.
    #[schemars(length(min = 1, max = 100_000))]
    description: String,
    /// Files to look at, relative to the top of the repository, at most 100.
    #[serde(default)]
    #[schemars(length(max = 100))]
    files: Vec<String>,
    /// Make the change, too; this needs an approval.
    #[serde(default)]
    apply: bool,
    /// Model, such as `openai/gpt-4o`; left out: the one of the settings.
    #[serde(default)]
    model: Option<String>,
}

/// Result of `aider.architect`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Plan {
    /// Whether aider ended well.
    success: bool,
    /// What aider wrote.
    analysis: String,
    /// What it wrote about errors.
    stderr: String,
    /// Files that are different now; none unless `apply` was set. Nothing is committed.
    changed_files: Vec<String>,
    /// How many.
    count: usize,
    /// The change, as a unified diff; empty unless `apply` was set.
    diff: String,
    /// Where the work tree as it was is kept; null unless `apply` was set.
    backup_ref: Option<String>,
}

impl AskArguments {
    fn order(&self) -> Order<'_> {
        Order {
            mode: Mode::Ask,
            message: &self.question,
            files: &self.files,
            model: self.model.as_deref(),
            seconds: 120,
        }
    }
}

impl ArchitectArguments {
    fn order(&self) -> Order<'_> {
        Order {
            mode: if self.apply {
                Mode::Architect
            } else {
                Mode::Plan
            },
            message: &self.description,
            files: &self.files,
            model: self.model.as_deref(),
            seconds: 300,
        }
    }
}

#[async_trait]
impl TypedTool for Ask {
    type Arguments = AskArguments;
    type Output = Answer;

    fn spec(&self) -> Spec {
        Spec::new(
            "aider.ask",
            Effect::Read,
            "Ask the coding assistant aider about the repository. It looks at a copy, so nothing can be \
             changed. Name the files the question is about.",
        )
        .long_running()
        .open_world()
        .live()
    }

    async fn run(&self, arguments: AskArguments, call: &Call) -> Result<Answer, ToolError> {
        let order = arguments.order();
        order.check()?;
        let said = self.0.look(&order, call).await?;
        Ok(Answer {
            success: said.success(),
            answer: said.stdout,
            stderr: said.stderr,
        })
    }
}

#[async_trait]
impl TypedTool for Architect {
    type Arguments = ArchitectArguments;
    type Output = Plan;

    fn spec(&self) -> Spec {
        Spec::new(
            "aider.architect",
            Effect::Mutate,
            "Let the coding assistant aider plan a change of the repository. With apply it also makes \
             the change in the work tree, not committed; without, it only plans in a copy.",
        )
        .per_call()
        .long_running()
        .open_world()
    }

    async fn assess(
        &self,
        arguments: &ArchitectArguments,
        _: &Call,
    ) -> Result<Assessment, ToolError> {
        let order = arguments.order();
        order.check()?;
        Ok(match arguments.apply {
            true => Assessment::of(Effect::Mutate, summary(&order, &self.0)),
            false => Assessment::of(Effect::Read, "Let aider plan a change in a copy"),
        })
    }

    async fn run(&self, arguments: ArchitectArguments, call: &Call) -> Result<Plan, ToolError> {
        let order = arguments.order();
        order.check()?;
        if !arguments.apply {
            let said = self.0.look(&order, call).await?;
            return Ok(Plan {
                success: said.success(),
                analysis: said.stdout,
                stderr: said.stderr,
                changed_files: Vec::new(),
                count: 0,
                diff: String::new(),
                backup_ref: None,
            });
        }
        let edited = self.0.edit(&order, call).await?;
        Ok(Plan {
            success: edited.said.success(),
            analysis: edited.said.stdout,
            stderr: edited.said.stderr,
            diff: edited.change.text(),
            count: edited.change.files.len(),
            changed_files: edited.change.files,
            backup_ref: Some(edited.backup),
        })
    }
}
