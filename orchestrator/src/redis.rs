//! Redis, which the hubs of one installation share: used while it is there, done without while not.
//!
//! Whoever asks gets `None` while Redis is away and goes on in memory. After a failure it is left alone
//! for a moment, so that nobody waits for it again and again; the next question after that tries it.
//! The change is logged once and stands in the metric. What is kept in Redis, and under which keys, is
//! the business of those who ask.

use crate::metrics::Metrics;
use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, IntoConnectionInfo, RedisError, RedisResult};
use parking_lot::Mutex;
use shared::secret::Secret;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long it is left alone after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// A Redis server, or one that speaks its protocol.
pub struct Redis {
    manager: ConnectionManager,
    metrics: Arc<Metrics>,
    /// Until when it is left alone; `None` while it is there.
    away: Mutex<Option<Instant>>,
}

impl Redis {
    /// Prepares; connects with the first question. `url` is `redis://…` or `rediss://…` (TLS); a
    /// `password` wins over the one in it. Needs a running Tokio.
    ///
    /// # Errors
    /// When `url` is none.
    pub fn open(
        url: &str,
        password: Option<&Secret>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, RedisError> {
        let mut info = url.into_connection_info()?;
        if let Some(password) = password {
            let settings = info.redis_settings().clone();
            info = info.set_redis_settings(settings.set_password(password.expose()));
        }
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(PATIENCE))
            .set_connection_timeout(Some(PATIENCE))
            .set_number_of_retries(0);
        let manager = ConnectionManager::new_lazy_with_config(Client::open(info)?, config)?;
        Ok(Self {
            manager,
            metrics,
            away: Mutex::default(),
        })
    }

    /// What questions are asked with.
    #[must_use]
    pub fn connection(&self) -> ConnectionManager {
        self.manager.clone()
    }

    /// The answer; `None` while Redis is away, at once when it was away a moment ago.
    pub async fn ask<T>(&self, question: impl Future<Output = RedisResult<T>> + Send) -> Option<T> {
        let resting = self.away.lock().is_some_and(|until| Instant::now() < until);
        if resting {
            return None;
        }
        match tokio::time::timeout(PATIENCE, question).await {
            Ok(Ok(answer)) => {
                self.is_here();
                Some(answer)
            }
            Ok(Err(error)) => {
                self.is_away(&error.to_string());
                None
            }
            Err(_) => {
                self.is_away("no answer in time");
                None
            }
        }
    }

    /// Whether it answers now; asks it unless it was away a moment ago.
    pub async fn answers(&self) -> bool {
        let mut connection = self.connection();
        let ping = async move {
            ::redis::cmd("PING")
                .query_async::<String>(&mut connection)
                .await
        };
        self.ask(ping).await.is_some()
    }

    fn is_here(&self) {
        if self.away.lock().take().is_some() {
            self.metrics.redis_fallback(false);
            tracing::info!(event = "redis_back", "Redis is back");
        }
    }

    fn is_away(&self, why: &str) {
        let before = self.away.lock().replace(Instant::now() + PAUSE);
        if before.is_none() {
            self.metrics.redis_fallback(true);
            tracing::warn!(
                event = "redis_away",
                why,
                "Redis is away: cache and limits go on in memory"
            );
        }
    }
}
