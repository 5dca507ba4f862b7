//! Answers of reads, for a while, one upstream call at a time per question.
//!
//! What may stand here is the caller's decision (reads that are idempotent, not sensitive, not live);
//! an output that turns out to be sensitive is handed on but not kept. Errors are never kept. The key
//! holds everything an answer may depend on, the tenant first. Bounded by bytes; what is here may
//! vanish at any time. With Redis, answers stand there for all hubs, and here only while it is away.

mod elsewhere;

use self::elsewhere::{Look, SharedAnswers};
use crate::auth::Principal;
use crate::redis::Redis;
use crate::router::Route;
use moka::future::Cache;
use moka::ops::compute::Op;
use parking_lot::RwLock;
use shared::tool::Output;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long the cache may take to pass one question on.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much is kept, and for how long.
#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// How long an answer stands, unless its call says otherwise.
    pub ttl: Duration,
    /// Bytes of all answers together. An answer of more than a sixteenth of it is not kept.
    pub max_bytes: u64,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(300),
            max_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Everything an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// The organisation; another one never sees the answer.
    pub organization: Arc<str>,
    /// The namespace of the credential.
    pub namespace: Arc<str>,
    /// Whose eyes the answer is for: the principal.
    pub scope: Arc<str>,
    /// Folder name of the service.
    pub service: Arc<str>,
    /// Canonical id of the tool.
    pub tool: Arc<str>,
    /// Digest of the tool's definition.
    pub digest: Arc<str>,
    /// See [`shared::arguments::hash`].
    pub arguments_hash: Arc<str>,
}

impl CacheKey {
    /// The key of one call. Answers are not shared between principals: a spoke may answer by
    /// permissions.
    #[must_use]
    pub fn new(route: &Route, principal: &Principal, arguments_hash: &Arc<str>) -> Self {
        Self {
            organization: Arc::clone(&principal.organization),
            namespace: Arc::clone(&principal.namespace),
            scope: Arc::clone(&principal.id),
            service: Arc::clone(&route.service),
            tool: Arc::from(route.tool.id.as_str()),
            digest: Arc::from(route.tool.digest.as_str()),
            arguments_hash: Arc::clone(arguments_hash),
        }
    }
}

/// A question at one state of its service, so that nobody who asks after a change is given an answer
/// that was fetched, or is being fetched, from before it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    key: CacheKey,
    /// How often the service had been changed when the question was asked.
    generation: u64,
}

#[derive(Clone)]
struct Kept {
    output: Arc<Output>,
    until: Instant,
}

/// An answer that goes to those who wait for it now, and to nobody later.
enum Passing<E> {
    Output(Arc<Output>),
    Failed(E),
}

/// Where an answer will stand when not in this hub's memory, and at which generation of its service.
type Elsewhere<'a> = Option<(&'a SharedAnswers, u64)>;

/// The cache of reads.
pub struct ReadCache {
    ttl: Duration,
    max_entry: u64,
    kept: Cache<Question, Kept>,
    /// What hubs share; `None`: this hub keeps its own.
    shared: Option<SharedAnswers>,
    /// How often a change went through each service; one entry per service that ever changed.
    generations: RwLock<HashMap<Arc<str>, u64>>,
}

impl ReadCache {
    /// An empty cache.
    #[must_use]
    pub fn new(config: &CacheConfig) -> Self {
        let kept = Cache::builder()
            .max_capacity(config.max_bytes)
            .weigher(|question: &Question, kept: &Kept| {
                u32::try_from(weight(&question.key, &kept.output)).unwrap_or(u32::MAX)
            })
            .build();
        Self {
            ttl: config.ttl,
            max_entry: config.max_bytes / 16,
            kept,
            shared: None,
            generations: RwLock::default(),
        }
    }

    /// The same with answers that hubs share.
    #[must_use]
    pub fn shared(config: &CacheConfig, redis: Arc<Redis>) -> Self {
        Self {
            shared: Some(SharedAnswers::new(redis)),
            ..Self::new(config)
        }
    }

    /// The kept answer, or the one `fetch` brings; whether it was there already (or was being
    /// fetched for another call) comes beside it. Of several equal calls at once one fetches; when
    /// its caller gives up, another one does.
    ///
    /// # Errors
    /// What the fetch that was waited for gave; nothing is kept then.
    pub async fn get_or_call<E, F>(&self, key: CacheKey, fetch: F) -> Result<(Arc<Output>, bool), E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Output, E>> + Send,
    {
        self.get_or_call_for(self.ttl, key, fetch).await
    }

    /// As [`ReadCache::get_or_call`], with a time of its own for the answer to stand.
    ///
    /// # Errors
    /// As [`ReadCache::get_or_call`].
    pub async fn get_or_call_for<E, F>(
        &self,
        ttl: Duration,
        key: CacheKey,
        fetch: F,
    ) -> Result<(Arc<Output>, bool), E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Output, E>> + Send,
    {
        let question = Question {
            generation: self.generation(&key.service),
            key,
        };
        let (found, elsewhere) = self.kept(&question).await;
        if let Some(output) = found {
            return Ok((output, true));
        }
        let asked = AtomicBool::new(false);
        let answer = self
            .kept
            .try_get_with(question.clone(), async {
                asked.store(true, Ordering::Relaxed);
                let output = Arc::new(fetch.await.map_err(Passing::Failed)?);
                if output.sensitive || weight(&question.key, &output) > self.max_entry {
                    return Err(Passing::Output(output));
                }
                if let Some((shared, generation)) = elsewhere {
                    shared.keep(&question.key, generation, &output, ttl).await;
                    return Err(Passing::Output(output));
                }
                Ok(Kept {
                    output,
                    until: Instant::now() + ttl,
                })
            })
            .await;
        let hit = !asked.load(Ordering::Relaxed);
        match answer {
            Ok(kept) => Ok((kept.output, hit)),
            Err(passing) => match passing.as_ref() {
                Passing::Output(output) => Ok((Arc::clone(output), hit)),
                Passing::Failed(error) => Err(error.clone()),
            },
        }
    }

    /// Whether questions go through it; nothing is kept of the one asked here.
    pub async fn works(&self) -> bool {
        let nothing = || Arc::from("");
        let key = CacheKey {
            organization: nothing(),
            namespace: nothing(),
            scope: nothing(),
            service: nothing(),
            tool: nothing(),
            digest: nothing(),
            arguments_hash: nothing(),
        };
        let asked = self.get_or_call(key, async { Err::<Output, ()>(()) });
        tokio::time::timeout(PATIENCE, asked).await.is_ok()
    }

    /// Forgets what was read from a service: something changed there.
    pub async fn forget_service(&self, service: &str) {
        self.next_generation(service);
        if let Some(shared) = &self.shared {
            shared.changed(service).await;
        }
    }

    fn next_generation(&self, service: &str) {
        let mut generations = self.generations.write();
        match generations.get_mut(service) {
            Some(generation) => *generation += 1,
            None => {
                generations.insert(Arc::from(service), 1);
            }
        }
    }

    /// The answer where it stands, or where it will stand: what hubs share and the generation there,
    /// or `None` for this hub's own memory.
    async fn kept(&self, question: &Question) -> (Option<Arc<Output>>, Elsewhere<'_>) {
        if let Some(shared) = &self.shared {
            match shared.look(&question.key).await {
                Look::Found(output) => return (Some(Arc::new(output)), None),
                Look::Missing(generation) => return (None, Some((shared, generation))),
                Look::Away => {}
            }
        }
        match self.kept.get(question).await {
            Some(kept) if kept.until > Instant::now() => return (Some(kept.output), None),
            Some(_) => self.forget_if_over(question).await,
            None => {}
        }
        (None, None)
    }

    fn generation(&self, service: &str) -> u64 {
        self.generations.read().get(service).copied().unwrap_or(0)
    }

    /// One step, so that a fresh answer that came in between stays.
    async fn forget_if_over(&self, question: &Question) {
        let decide = |entry: Option<moka::Entry<Question, Kept>>| {
            let op = match entry {
                Some(entry) if entry.value().until <= Instant::now() => Op::Remove,
                _ => Op::Nop,
            };
            std::future::ready(op)
        };
        self.kept
            .entry_by_ref(question)
            .and_compute_with(decide)
            .await;
    }
}

/// Bytes an answer holds in memory, about.
fn weight(key: &CacheKey, output: &Output) -> u64 {
    const OVERHEAD: usize = 256;
    let content: usize = output
        .content
        .iter()
        .map(|piece| piece.data.len() + piece.mime_type.len())
        .sum();
    let names = key.tool.len() + key.digest.len() + key.arguments_hash.len() + key.scope.len();
    (OVERHEAD + names + content + output.structured.get().len()) as u64
}

#[cfg(test)]
mod tests;
