//! An access token that is fetched when needed and kept until shortly before its end.

use crate::secret::Secret;
use crate::tool::ToolError;
use serde::{Deserialize, Deserializer};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A token this close to its end is not used any more.
const MARGIN: Duration = Duration::from_secs(60);
/// Longest life that is believed.
const MAX_LIFE: u64 = 86_400;

/// The token in use. Held while one is fetched, so that one fetch serves all who wait.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    value: Secret,
    until: Instant,
}

/// What an OAuth server answers.
#[derive(Debug, Deserialize)]
pub struct Token {
    #[serde(deserialize_with = "secret")]
    access_token: Secret,
    /// Seconds; some servers write them as a text.
    #[serde(deserialize_with = "seconds")]
    expires_in: u64,
}

impl Tokens {
    /// The token in use, or one that is fetched.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn get(
        &self,
        fetch: impl Future<Output = Result<Token, ToolError>>,
    ) -> Result<Secret, ToolError> {
        let mut kept = self.0.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| Instant::now() < kept.until) {
            return Ok(kept.value.clone());
        }
        let token = fetch.await?;
        let life = Duration::from_secs(token.expires_in.min(MAX_LIFE)).saturating_sub(MARGIN);
        let value = token.access_token;
        *kept = Some(Kept {
            value: value.clone(),
            until: Instant::now() + life,
        });
        Ok(value)
    }

    /// Drops the token in use; `false` when there was none.
    pub async fn forget(&self) -> bool {
        self.0.lock().await.take().is_some()
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}
