//! `aider.chat`, `aider.editFile`: changes of the work tree.

use crate::aider::{Mode, Order};
use crate::state::{Desk, Edited};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::command::shown;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

const SECONDS: u64 = 300;

/// `aider.chat`.
pub(crate) struct Chat(pub(crate) Arc<Desk>);

/// `aider.editFile`.
pub(crate) struct EditFile(pub(crate) Arc<Desk>);

/// Arguments of `aider.chat`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatArguments {
    /// What to change, in words, up to 100 kB.
    #[schemars(length(min = 1, max = 100_000))]
    prompt: String,
    /// Files to work on, relative to the top of the repository, at most 100; without any, aider picks.
    #[serde(default)]
    #[schemars(length(max = 100))]
    files: Vec<String>,
    /// Model, such as `openai/gpt-4o`; left out: the one of the settings.
    #[serde(default)]
    model: Option<String>,
}

/// Arguments of `aider.editFile`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditArguments {
    /// The file, relative to the top of the repository.
    #[schemars(length(min = 1, max = 1000))]
    file: String,
    /// What to change in it, in words, up to 100 kB.
    #[schemars(length(min = 1, max = 100_000))]
    instruction: String,
    /// Model, such as `openai/gpt-4o`; left out: the one of the settings.
    #[serde(default)]
    model: Option<String>,
}

/// Result of an edit.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Changed {
    /// Whether aider ended well; only then anything was changed.
    success: bool,
    /// What aider wrote.
    stdout: String,
    /// What it wrote about errors.
    stderr: String,
    /// Its exit code.
    return_code: i32,
    /// Files that are different now; nothing is committed.
    changed_files: Vec<String>,
    /// How many.
    count: usize,
    /// The change, as a unified diff.
    diff: String,
    /// Where the work tree as it was is kept: `git restore --source=<ref> .` brings it back.
    backup_ref: String,
}

impl From<Edited> for Changed {
    fn from(edited: Edited) -> Self {
        Self {
            success: edited.said.success(),
            return_code: edited.said.code,
            stdout: edited.said.stdout,
            stderr: edited.said.stderr,
            diff: edited.change.text(),
            count: edited.change.files.len(),
            changed_files: edited.change.files,
            backup_ref: edited.backup,
        }
    }
}

impl ChatArguments {
    fn order(&self) -> Order<'_> {
        Order {
            mode: Mode::Code,
            message: &self.prompt,
            files: &self.files,
            model: self.model.as_deref(),
            seconds: SECONDS,
        }
    }
}

impl EditArguments {
    fn order(&self) -> Order<'_> {
        Order {
            mode: Mode::Code,
            message: &self.instruction,
            files: std::slice::from_ref(&self.file),
            model: self.model.as_deref(),
            seconds: SECONDS,
        }
    }
}

/// What an approver reads of an edit.
pub(crate) fn summary(order: &Order<'_>, desk: &Desk) -> String {
    let files = match order.files {
        [] => "files of its choice".to_owned(),
        files => files.join(", "),
    };
    format!(
        "Let aider change {} in {}\n{}",
        shown(&files),
        desk.repository.path().display(),
        order.message
    )
}

#[async_trait]
impl TypedTool for Chat {
    type Arguments = ChatArguments;
    type Output = Changed;

    fn spec(&self) -> Spec {
        Spec::new(
            "aider.chat",
            Effect::Mutate,
            "Let the coding assistant aider change files of the repository as the prompt says. It works \
             in a copy; its change is then made in the work tree, not committed, and returned as a diff.",
        )
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &ChatArguments, _: &Call) -> Result<Assessment, ToolError> {
        let order = arguments.order();
        order.check()?;
        Ok(Assessment::of(Effect::Mutate, summary(&order, &self.0)))
    }

    async fn run(&self, arguments: ChatArguments, call: &Call) -> Result<Changed, ToolError> {
        let order = arguments.order();
        order.check()?;
        Ok(self.0.edit(&order, call).await?.into())
    }
}

#[async_trait]
impl TypedTool for EditFile {
    type Arguments = EditArguments;
    type Output = Changed;

    fn spec(&self) -> Spec {
        Spec::new(
            "aider.editFile",
            Effect::Mutate,
            "Let the coding assistant aider change one file of the repository as the instruction says. \
             The change is made in the work tree, not committed, and returned as a diff.",
        )
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &EditArguments, _: &Call) -> Result<Assessment, ToolError> {
        let order = arguments.order();
        order.check()?;
        Ok(Assessment::of(Effect::Mutate, summary(&order, &self.0)))
    }

    async fn run(&self, arguments: EditArguments, call: &Call) -> Result<Changed, ToolError> {
        let order = arguments.order();
        order.check()?;
        Ok(self.0.edit(&order, call).await?.into())
    }
}
