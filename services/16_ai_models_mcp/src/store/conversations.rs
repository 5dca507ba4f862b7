//! Conversations and their turns.

use super::{Store, StoreError, signed, unsigned};
use crate::provider::{Kind, Role};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// Most conversations of a principal; the one that rested longest goes first.
const MAX_CONVERSATIONS: i64 = 1000;
/// Most turns of a conversation; the oldest go first.
const MAX_TURNS: i64 = 1000;

/// One turn as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) role: Role,
    pub(crate) content: String,
    pub(crate) tokens: u64,
    /// Unix seconds.
    pub(crate) at: i64,
}

/// One conversation in a list.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) provider: String,
    pub(crate) messages: u64,
    pub(crate) tokens: u64,
    /// Unix seconds.
    pub(crate) updated_at: i64,
}

/// What was asked and answered, to be kept together.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) question: String,
    pub(crate) question_tokens: u64,
    pub(crate) answer: String,
    pub(crate) answer_tokens: u64,
}

impl Store {
    /// The provider of a conversation; `None` when the principal has none of this id.
    pub(crate) async fn provider_of(
        &self,
        principal: &str,
        id: &str,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT provider FROM conversations WHERE principal = ? AND id = ?")
            .bind(principal)
            .bind(id)
            .fetch_optional(&self.0)
            .await?;
        Ok(row.map(|row| row.try_get("provider")).transpose()?)
    }

    /// The turns of a conversation, oldest first; none when there is no such conversation.
    pub(crate) async fn turns(&self, principal: &str, id: &str) -> Result<Vec<Kept>, StoreError> {
        let rows = sqlx::query(
            "SELECT role, content, tokens, at FROM turns \
             WHERE principal = ? AND conversation = ? ORDER BY number",
        )
        .bind(principal)
        .bind(id)
        .fetch_all(&self.0)
        .await?;
        rows.iter().map(kept).collect()
    }

    /// Adds a question and its answer, making the conversation when it is new.
    pub(crate) async fn append(
        &self,
        (principal, id, kind): (&str, &str, Kind),
        said: &Said,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut change = self.0.begin().await?;
        sqlx::query(
            "INSERT INTO conversations (principal, id, provider, updated_at) VALUES (?, ?, ?, ?) \
             ON CONFLICT (principal, id) DO UPDATE SET updated_at = excluded.updated_at",
        )
        .bind(principal)
        .bind(id)
        .bind(kind.word())
        .bind(now)
        .execute(&mut *change)
        .await?;
        for (role, content, tokens) in [
            ("user", &said.question, said.question_tokens),
            ("assistant", &said.answer, said.answer_tokens),
        ] {
            sqlx::query(
                "INSERT INTO turns (principal, conversation, role, content, tokens, at) \
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(principal)
            .bind(id)
            .bind(role)
            .bind(content)
            .bind(signed(tokens))
            .bind(now)
            .execute(&mut *change)
            .await?;
        }
        sqlx::query(
            "DELETE FROM turns WHERE principal = ?1 AND conversation = ?2 AND number NOT IN \
             (SELECT number FROM turns WHERE principal = ?1 AND conversation = ?2 \
              ORDER BY number DESC LIMIT ?3)",
        )
        .bind(principal)
        .bind(id)
        .bind(MAX_TURNS)
        .execute(&mut *change)
        .await?;
        sqlx::query(
            "DELETE FROM conversations WHERE principal = ?1 AND id IN \
             (SELECT id FROM conversations WHERE principal = ?1 \
              ORDER BY updated_at DESC, id LIMIT -1 OFFSET ?2)",
        )
        .bind(principal)
        .bind(MAX_CONVERSATIONS)
        .execute(&mut *change)
        .await?;
        change.commit().await?;
        Ok(())
    }

    /// Conversations of a principal, the one used last first; `after` is the last one already seen.
    pub(crate) async fn list(
        &self,
        principal: &str,
        limit: u32,
        after: Option<(i64, &str)>,
    ) -> Result<Vec<Listed>, StoreError> {
        let (at, id) = after.unwrap_or((i64::MAX, ""));
        let rows = sqlx::query(
            "SELECT c.id, c.provider, c.updated_at, COUNT(t.number) AS messages, \
               COALESCE(SUM(t.tokens), 0) AS tokens \
             FROM conversations c LEFT JOIN turns t \
               ON t.principal = c.principal AND t.conversation = c.id \
             WHERE c.principal = ?1 AND (c.updated_at < ?2 OR (c.updated_at = ?2 AND c.id > ?3)) \
             GROUP BY c.id, c.provider, c.updated_at ORDER BY c.updated_at DESC, c.id LIMIT ?4",
        )
        .bind(principal)
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(&self.0)
        .await?;
        rows.iter().map(listed).collect()
    }

    /// Forgets a conversation; `false` when there was none.
    pub(crate) async fn forget(&self, principal: &str, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM conversations WHERE principal = ? AND id = ?")
            .bind(principal)
            .bind(id)
            .execute(&self.0)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn kept(row: &SqliteRow) -> Result<Kept, StoreError> {
    let role: String = row.try_get("role")?;
    Ok(Kept {
        role: match role.as_str() {
            "assistant" => Role::Assistant,
            _ => Role::User,
        },
        content: row.try_get("content")?,
        tokens: unsigned(row.try_get("tokens")?),
        at: row.try_get("at")?,
    })
}

fn listed(row: &SqliteRow) -> Result<Listed, StoreError> {
    Ok(Listed {
        id: row.try_get("id")?,
        provider: row.try_get("provider")?,
        messages: unsigned(row.try_get("messages")?),
        tokens: unsigned(row.try_get("tokens")?),
        updated_at: row.try_get("updated_at")?,
    })
}
