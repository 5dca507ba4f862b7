//! `ai.models.conversation.list`, `get` and `delete`: the caller's own conversations.

use crate::exchange::{Exchange, checked_id};
use crate::provider::Role;
use crate::store::Listed;
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `ai.models.conversation.list`.
pub(crate) struct ListConversations(pub(crate) Arc<Exchange>);

/// `ai.models.conversation.get`.
pub(crate) struct GetConversation(pub(crate) Arc<Exchange>);

/// `ai.models.conversation.delete`.
pub(crate) struct DeleteConversation(pub(crate) Arc<Exchange>);

/// Arguments of `ai.models.conversation.list`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListArguments {
    /// Most conversations.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    cursor: Option<String>,
}

const fn fifty() -> u32 {
    50
}

/// Arguments of `ai.models.conversation.get` and `delete`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneArguments {
    /// Its id, as it was chosen.
    #[schemars(length(min = 1, max = 64))]
    conversation_id: String,
}

/// Result of `ai.models.conversation.list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Conversations {
    /// The one used last first.
    conversations: Vec<Summary>,
    /// How many there are on this page.
    count: usize,
    /// For the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// One conversation in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Summary {
    /// Its id, as it was chosen.
    conversation_id: String,
    /// gemini or anthropic.
    provider: String,
    /// Turns that are kept.
    messages: u64,
    /// Their tokens; those of questions are estimated.
    tokens: u64,
    /// When it was used last: RFC 3339, UTC.
    updated_at: String,
}

/// Result of `ai.models.conversation.get`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Conversation {
    /// Its id.
    conversation_id: String,
    /// gemini or anthropic.
    provider: String,
    /// What was said, oldest first.
    messages: Vec<Said>,
    /// How many turns.
    count: usize,
}

/// One turn.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Said {
    /// user or assistant.
    role: &'static str,
    /// What was said.
    content: String,
    /// Its tokens; those of questions are estimated.
    tokens: u64,
    /// When: RFC 3339, UTC.
    at: String,
}

/// Result of `ai.models.conversation.delete`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// `false` when there was none.
    deleted: bool,
}

#[async_trait]
impl TypedTool for ListConversations {
    type Arguments = ListArguments;
    type Output = Conversations;

    fn spec(&self) -> Spec {
        Spec::new(
            "ai.models.conversation.list",
            Effect::Read,
            "List your conversations with models, the one used last first.",
        )
        .live()
    }

    async fn run(&self, arguments: ListArguments, call: &Call) -> Result<Conversations, ToolError> {
        let after = arguments.cursor.as_deref().map(position).transpose()?;
        let wanted = arguments.limit.saturating_add(1);
        let store = &self.0.store;
        let mut found = store.list(&call.principal, wanted, after).await?;
        let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        let next_cursor = last.map(|last| format!("{}/{}", last.updated_at, last.id));
        Ok(Conversations {
            count: found.len(),
            conversations: found.into_iter().map(summary).collect(),
            next_cursor,
        })
    }
}

#[async_trait]
impl TypedTool for GetConversation {
    type Arguments = OneArguments;
    type Output = Conversation;

    fn spec(&self) -> Spec {
        Spec::new(
            "ai.models.conversation.get",
            Effect::Read,
            "Read what was said in one of your conversations with models.",
        )
        .live()
    }

    async fn run(&self, arguments: OneArguments, call: &Call) -> Result<Conversation, ToolError> {
        let id = arguments.conversation_id;
        checked_id(&id)?;
        let store = &self.0.store;
        let provider = store.provider_of(&call.principal, &id).await?;
        let provider = provider
            .ok_or_else(|| ToolError::refused(Code::NotFound, "you have no such conversation"))?;
        let turns = store.turns(&call.principal, &id).await?;
        let messages: Vec<Said> = turns
            .into_iter()
            .map(|turn| Said {
                role: match turn.role {
                    Role::User => "user",
                    Role::Assistant => "assistant",
                },
                content: turn.content,
                tokens: turn.tokens,
                at: time(turn.at),
            })
            .collect();
        Ok(Conversation {
            conversation_id: id,
            provider,
            count: messages.len(),
            messages,
        })
    }
}

#[async_trait]
impl TypedTool for DeleteConversation {
    type Arguments = OneArguments;
    type Output = Deleted;

    fn spec(&self) -> Spec {
        Spec::new(
            "ai.models.conversation.delete",
            Effect::MutateOwn,
            "Forget one of your conversations with models. What it cost stays in the usage.",
        )
        .idempotent()
        .destructive()
    }

    async fn run(&self, arguments: OneArguments, call: &Call) -> Result<Deleted, ToolError> {
        let id = arguments.conversation_id;
        checked_id(&id)?;
        let deleted = self.0.store.forget(&call.principal, &id).await?;
        Ok(Deleted { deleted })
    }
}

fn position(cursor: &str) -> Result<(i64, &str), ToolError> {
    let parts = cursor.split_once('/');
    let read = parts.and_then(|(at, id)| Some((at.parse().ok()?, id)));
    read.ok_or_else(|| ToolError::invalid("cursor", "is none that was given out"))
}

fn summary(listed: Listed) -> Summary {
    Summary {
        conversation_id: listed.id,
        provider: listed.provider,
        messages: listed.messages,
        tokens: listed.tokens,
        updated_at: time(listed.updated_at),
    }
}

fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .unwrap_or_default()
        .to_string()
}
