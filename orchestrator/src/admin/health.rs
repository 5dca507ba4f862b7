//! Whether the hub works: real checks, remembered for a second so that asking costs little.

use crate::registry::ServiceStatus;
use crate::transport::Hub;
use moka::future::Cache;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long an answer is believed.
const BELIEVED: Duration = Duration::from_secs(1);
/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The word for one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Works.
    Ok,
    /// Works in part.
    Degraded,
    /// Does not work.
    Error,
}

impl Word {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Error => "error",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks {
    /// The store answers.
    pub database: Word,
    /// The cache of reads lets questions through, and Redis answers where one is set.
    pub cache: Word,
    /// The data folder can be written to.
    pub filesystem: Word,
    /// Every spoke answers and is well.
    pub services: Word,
}

impl Checks {
    /// healthy, degraded or unhealthy.
    #[must_use]
    pub fn status(self) -> &'static str {
        if self.database == Word::Error || self.filesystem == Word::Error {
            "unhealthy"
        } else if self.services == Word::Ok && self.cache == Word::Ok {
            "healthy"
        } else {
            "degraded"
        }
    }
}

/// The checks and what they look at; share it in an `Arc`.
pub struct Health {
    hub: Hub,
    probes: AtomicU64,
    believed: Cache<(), Checks>,
}

impl Health {
    /// Checks of this hub.
    #[must_use]
    pub fn new(hub: Hub) -> Self {
        Self {
            hub,
            probes: AtomicU64::new(0),
            believed: Cache::builder()
                .max_capacity(1)
                .time_to_live(BELIEVED)
                .build(),
        }
    }

    /// Whether calls can be taken: started, not stopping, store there.
    pub async fn ready(&self) -> bool {
        let takes = self.hub.readiness.is_ready() && !self.hub.gateway.tasks.is_stopping();
        takes && self.checks().await.database == Word::Ok
    }

    /// Looks, at most once a second.
    pub async fn checks(&self) -> Checks {
        self.believed.get_with((), self.look()).await
    }

    async fn look(&self) -> Checks {
        let database = tokio::time::timeout(PATIENCE, self.hub.store.ping());
        let filesystem = tokio::time::timeout(PATIENCE, self.write());
        let (database, filesystem) = tokio::join!(database, filesystem);
        let word = |works: bool| if works { Word::Ok } else { Word::Error };
        Checks {
            database: word(matches!(database, Ok(Ok(())))),
            cache: match self.cache_works().await {
                true => Word::Ok,
                false => Word::Degraded,
            },
            filesystem: word(matches!(filesystem, Ok(Ok(())))),
            services: self.services(),
        }
    }

    async fn cache_works(&self) -> bool {
        if let Some(redis) = &self.hub.redis
            && !redis.answers().await
        {
            return false;
        }
        self.hub.gateway.cache.works().await
    }

    async fn write(&self) -> std::io::Result<()> {
        let number = self.probes.fetch_add(1, Ordering::Relaxed);
        let name = format!(".health-{}-{number}", std::process::id());
        let path = self.hub.settings.data_folder.join(name);
        tokio::fs::write(&path, b"ok").await?;
        tokio::fs::remove_file(&path).await
    }

    fn services(&self) -> Word {
        let services = self.hub.registry.services();
        let well = services
            .iter()
            .all(|it| it.own || it.status == ServiceStatus::Healthy);
        if well { Word::Ok } else { Word::Degraded }
    }
}
