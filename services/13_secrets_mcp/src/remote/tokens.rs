//! An access token that is fetched when needed and kept until shortly before its end.

use serde::Deserialize;
use shared::secret::Secret;
use shared::tool::ToolError;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A token this close to its end is not used any more.
const MARGIN: Duration = Duration::from_secs(60);
/// Longest life that is believed.
const MAX_LIFE: u64 = 86_400;

/// The token in use. Held while one is fetched, so that one fetch serves all who wait.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    value: Secret,
    until: Instant,
}

/// What an OAuth server answers.
#[derive(Deserialize)]
pub(crate) struct Token {
    #[serde(deserialize_with = "super::secret")]
    access_token: Secret,
    /// Seconds.
    expires_in: u64,
}

impl Tokens {
    /// The token in use, or one that is fetched.
    pub(crate) async fn get(
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
    pub(crate) async fn forget(&self) -> bool {
        self.0.lock().await.take().is_some()
    }
}
