//! Same key, same effect: the record of changes that were asked for.
//!
//! A row is written before a change runs and completed after it. A row that was begun and is not in
//! flight in this process is a change nobody saw the end of: it is reported as such, and only an
//! idempotent tool runs again. Reads are not recorded.

use super::store::StoreError;
use crate::error::Code;
use crate::tool::{Content, ContentKind, Output, ToolError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::sqlite::SqlitePool;
use std::collections::HashSet;
use std::sync::Arc;

/// How long a key is remembered, in seconds.
const KEPT: i64 = 24 * 60 * 60;

type Key = (String, String);

/// The ledger of one spoke. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    pool: SqlitePool,
    in_flight: Arc<Mutex<HashSet<Key>>>,
}

/// One change about to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intent<'a> {
    pub(super) principal: &'a str,
    pub(super) key: &'a str,
    pub(super) tool: &'a str,
    pub(super) arguments_hash: &'a str,
    pub(super) idempotent: bool,
    /// Unix seconds.
    pub(super) now: i64,
}

/// What the ledger says about an intent.
#[derive(Debug)]
pub(super) enum Begin {
    /// Go on; say how it ended with [`Entry::finish`].
    Run(Entry),
    /// It was done before; this is its stored end.
    Replay(Result<Output, ToolError>),
    /// It must not run.
    Refused(ToolError),
}

/// A change in flight. Dropped without [`Entry::finish`], its outcome is unknown.
#[derive(Debug)]
pub(super) struct Entry {
    ledger: Ledger,
    key: Key,
}

impl Ledger {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self {
            pool,
            in_flight: Arc::default(),
        }
    }

    /// Writes the intent down, durably, unless the key was seen.
    pub(super) async fn begin(&self, intent: Intent<'_>) -> Result<Begin, StoreError> {
        let Some(entry) = self.claim(&intent) else {
            return Ok(Begin::Refused(
                ToolError::refused(
                    Code::Conflict,
                    "a call with this idempotency key is still running",
                )
                .retryable(),
            ));
        };
        sqlx::query("DELETE FROM ledger WHERE expires_at <= $1")
            .bind(intent.now)
            .execute(&self.pool)
            .await?;
        let inserted = sqlx::query(
            "INSERT INTO ledger (principal, key, tool, arguments_hash, state, expires_at)
             VALUES ($1, $2, $3, $4, 'intent', $5) ON CONFLICT DO NOTHING",
        )
        .bind(intent.principal)
        .bind(intent.key)
        .bind(intent.tool)
        .bind(intent.arguments_hash)
        .bind(intent.now.saturating_add(KEPT))
        .execute(&self.pool)
        .await?
        .rows_affected();
        if inserted == 1 {
            return Ok(Begin::Run(entry));
        }
        self.seen_before(intent, entry).await
    }

    fn claim(&self, intent: &Intent<'_>) -> Option<Entry> {
        let key = (intent.principal.to_owned(), intent.key.to_owned());
        self.in_flight.lock().insert(key.clone()).then(|| Entry {
            ledger: self.clone(),
            key,
        })
    }

    async fn seen_before(&self, intent: Intent<'_>, entry: Entry) -> Result<Begin, StoreError> {
        let row = sqlx::query(
            "SELECT tool, arguments_hash, state, result FROM ledger
             WHERE principal = $1 AND key = $2",
        )
        .bind(intent.principal)
        .bind(intent.key)
        .fetch_one(&self.pool)
        .await?;
        let same = row.try_get::<&str, _>("tool")? == intent.tool
            && row.try_get::<&str, _>("arguments_hash")? == intent.arguments_hash;
        let done = row.try_get::<&str, _>("state")? == "done";
        Ok(if !same {
            Begin::Refused(ToolError::refused(
                Code::Conflict,
                "this idempotency key was used for another call",
            ))
        } else if done {
            Begin::Replay(replayed(row.try_get("result")?))
        } else if intent.idempotent {
            Begin::Run(entry)
        } else {
            Begin::Refused(ToolError::new(
                Code::OutcomeUnknown,
                "an earlier call with this idempotency key did not end; it may have had its effect",
            ))
        })
    }
}

impl Entry {
    /// Writes down how the change ended.
    pub(super) async fn finish(
        self,
        outcome: &Result<Output, ToolError>,
    ) -> Result<(), StoreError> {
        let (principal, key) = (self.key.0.as_str(), self.key.1.as_str());
        let statement = match outcome {
            Err(error) if error.did_not_run => {
                sqlx::query("DELETE FROM ledger WHERE principal = $1 AND key = $2")
            }
            Err(error) if is_uncertain(error) => {
                sqlx::query("UPDATE ledger SET state = 'unknown' WHERE principal = $1 AND key = $2")
            }
            _ => sqlx::query(
                "UPDATE ledger SET state = 'done', result = $3 WHERE principal = $1 AND key = $2",
            ),
        };
        let statement = statement.bind(principal).bind(key);
        let statement = match outcome {
            Err(error) if error.did_not_run || is_uncertain(error) => statement,
            _ => statement.bind(stored(outcome)),
        };
        statement.execute(&self.ledger.pool).await?;
        Ok(())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.ledger.in_flight.lock().remove(&self.key);
    }
}

/// After such an error nobody knows whether the change was made.
fn is_uncertain(error: &ToolError) -> bool {
    error.retryable
        || matches!(
            error.code,
            Code::Timeout | Code::OutcomeUnknown | Code::InternalError
        )
}

/// The stored form of an end. Old rows are read by newer builds for a day: add fields only.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Output {
        structured: Box<RawValue>,
        #[serde(default)]
        content: Vec<StoredContent>,
    },
    /// The result held a secret and was not kept.
    Withheld,
    Error {
        code: String,
        message: String,
        #[serde(default)]
        details: Option<Value>,
    },
}

#[derive(Serialize, Deserialize)]
struct StoredContent {
    kind: String,
    mime_type: String,
    /// base64.
    data: String,
}

fn stored(outcome: &Result<Output, ToolError>) -> String {
    let form = match outcome {
        Ok(output) if output.sensitive => Stored::Withheld,
        Ok(output) => Stored::Output {
            structured: output.structured.clone(),
            content: output.content.iter().map(stored_content).collect(),
        },
        Err(error) => Stored::Error {
            code: error.code.as_str().to_owned(),
            message: error.message.clone(),
            details: error.details.clone(),
        },
    };
    serde_json::to_string(&form).expect("the stored form has string keys only")
}

fn stored_content(content: &Content) -> StoredContent {
    StoredContent {
        kind: super::output::kind_word(content.kind).to_owned(),
        mime_type: content.mime_type.clone(),
        data: STANDARD.encode(&content.data),
    }
}

fn replayed(text: Option<String>) -> Result<Output, ToolError> {
    let unreadable = || {
        ToolError::new(
            Code::OutcomeUnknown,
            "the call was done before; its stored result cannot be read",
        )
    };
    match serde_json::from_str(&text.unwrap_or_default()) {
        Ok(Stored::Output {
            structured,
            content,
        }) => Ok(Output {
            structured,
            content: content.into_iter().filter_map(read_content).collect(),
            sensitive: false,
            replayed: true,
            wire: None,
        }),
        Ok(Stored::Withheld) => Err(ToolError::new(
            Code::Conflict,
            "the call was done before; its result is sensitive and was not kept",
        )),
        Ok(Stored::Error {
            code,
            message,
            details,
        }) => {
            let mut error = ToolError::new(Code::parse(&code).ok_or_else(unreadable)?, message);
            error.details = details;
            Err(error)
        }
        Err(error) => {
            tracing::error!(event = "ledger.unreadable", %error, "a stored result cannot be read");
            Err(unreadable())
        }
    }
}

fn read_content(stored: StoredContent) -> Option<Content> {
    let kind = match stored.kind.as_str() {
        "text" => ContentKind::Text,
        "image" => ContentKind::Image,
        "audio" => ContentKind::Audio,
        _ => ContentKind::Resource,
    };
    Some(Content {
        kind,
        mime_type: stored.mime_type,
        data: STANDARD.decode(stored.data).ok()?.into(),
    })
}

#[cfg(test)]
mod tests;
