//! Whose page is whose: one browser context per caller and session, closed when nobody uses it.
//!
//! A caller only ever gets at pages opened under the own principal. Calls for one page wait for each
//! other. What is done with a page is the tools' business.

use crate::browser::{Browser, Page, Place};
use crate::config::Contexts;
use crate::guard::{Gate, Guard};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::error::Code;
use shared::tasks::Tasks;
use shared::tool::{Call, ToolError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::{Instant, MissedTickBehavior};

/// How often unused contexts are looked for, at least.
const SWEEP: Duration = Duration::from_secs(30);
const BLANK: &str = "about:blank";

/// The name of a session: letters, digits, `.`, `_`, `-`; at most 64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("minLength" = 1, "maxLength" = 64, "pattern" = "^[A-Za-z0-9._-]+$"))]
pub(crate) struct SessionId(String);

impl TryFrom<String> for SessionId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        match (1..=64).contains(&text.len()) && text.chars().all(plain) {
            true => Ok(Self(text)),
            false => {
                Err("a session is named by up to 64 letters, digits, dots, dashes, underscores")
            }
        }
    }
}

/// Whose page: organisation, principal, session.
type Key = (String, String, Option<SessionId>);

/// All pages. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sessions(Arc<Inner>);

struct Inner {
    browser: Arc<dyn Browser>,
    guard: Guard,
    limits: Contexts,
    /// The browser is on another machine.
    is_remote: bool,
    contexts: Mutex<BTreeMap<Key, Arc<Context>>>,
    figures: Figures,
}

struct Context {
    slot: Arc<Turn<Option<Open>>>,
    used: Mutex<Instant>,
}

/// An open page and its way to the network.
pub(crate) struct Open {
    pub(crate) page: Arc<dyn Page>,
    pub(crate) gate: Gate,
}

/// What was done since the start.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) pages: AtomicU64,
    pub(crate) actions: AtomicU64,
    pub(crate) pictures: AtomicU64,
    pub(crate) errors: AtomicU64,
    /// Where a page was loaded from last, without what may be secret in it.
    pub(crate) last_url: Mutex<Option<String>>,
}

impl Figures {
    /// One more.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A page for the time of one call; nobody else has it meanwhile.
pub(crate) struct Lease {
    slot: OwnedMutexGuard<Option<Open>>,
    context: Arc<Context>,
}

impl Lease {
    /// The page and its way to the network.
    pub(crate) fn open(&self) -> Result<&Open, ToolError> {
        self.slot.as_ref().ok_or_else(crate::browser::lost)
    }

    /// The page.
    pub(crate) fn page(&self) -> Result<&dyn Page, ToolError> {
        Ok(self.open()?.page.as_ref())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *self.context.used.lock() = Instant::now();
    }
}

impl Sessions {
    /// No pages yet. Unused ones are closed by a task of their own.
    pub(crate) fn new(
        browser: Arc<dyn Browser>,
        guard: Guard,
        limits: Contexts,
        is_remote: bool,
        tasks: &Tasks,
    ) -> Self {
        let sessions = Self(Arc::new(Inner {
            browser,
            guard,
            limits,
            is_remote,
            contexts: Mutex::default(),
            figures: Figures::default(),
        }));
        tasks.spawn("unused pages", sessions.clone().sweep(tasks.clone()));
        sessions
    }

    /// The browser.
    pub(crate) fn browser(&self) -> &dyn Browser {
        self.0.browser.as_ref()
    }

    /// The rule on addresses.
    pub(crate) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// What was done since the start.
    pub(crate) fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// The caller's page, opened if there is none.
    ///
    /// # Errors
    /// Too many pages, or no browser.
    pub(crate) async fn page(
        &self,
        call: &Call,
        session: Option<&SessionId>,
    ) -> Result<Lease, ToolError> {
        let context = self.context(key(call, session))?;
        let slot = Arc::clone(&context.slot).lock_owned().await;
        let mut lease = Lease { slot, context };
        if lease.slot.as_ref().is_some_and(|open| open.page.is_alive()) {
            return Ok(lease);
        }
        *lease.slot = None;
        let gate = self.0.guard.open(self.0.is_remote).await.map_err(|error| {
            tracing::error!(event = "browse.gate", %error, "no port for a proxy");
            ToolError::refused(Code::ServiceUnavailable, "no page can be opened now").retryable()
        })?;
        let page = self.0.browser.open(gate.port).await?;
        *lease.slot = Some(Open { page, gate });
        Ok(lease)
    }

    /// Where the caller's page is; the empty page when there is none. Opens nothing.
    pub(crate) async fn place(
        &self,
        call: &Call,
        session: Option<&SessionId>,
    ) -> Result<Place, ToolError> {
        let context = self.0.contexts.lock().get(&key(call, session)).cloned();
        let blank = Place {
            url: BLANK.into(),
            title: String::new(),
        };
        let Some(context) = context else {
            self.0.browser.ready().await?;
            return Ok(blank);
        };
        let slot = Arc::clone(&context.slot).lock_owned().await;
        let lease = Lease { slot, context };
        match lease.slot.as_ref().filter(|open| open.page.is_alive()) {
            Some(open) => open.page.place().await,
            None => Ok(blank),
        }
    }

    fn context(&self, key: Key) -> Result<Arc<Context>, ToolError> {
        let mut contexts = self.0.contexts.lock();
        if let Some(context) = contexts.get(&key) {
            *context.used.lock() = Instant::now();
            return Ok(Arc::clone(context));
        }
        let limits = &self.0.limits;
        let own = contexts.keys().filter(|it| it.0 == key.0 && it.1 == key.1);
        if own.count() >= limits.most_of_one_caller.count() {
            return Err(too_many("you have too many sessions open"));
        }
        if contexts.len() >= limits.most.count() {
            return Err(too_many("too many pages are open on this service"));
        }
        let context = Arc::new(Context {
            slot: Arc::default(),
            used: Mutex::new(Instant::now()),
        });
        contexts.insert(key, Arc::clone(&context));
        Ok(context)
    }

    async fn sweep(self, tasks: Tasks) {
        let idle = self.0.limits.idle_seconds.seconds();
        let mut turns = tokio::time::interval(SWEEP.min(idle));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = tasks.cancelled() => break,
                _ = turns.tick() => self.close_unused(idle).await,
            }
        }
        self.0.contexts.lock().clear();
        self.0.browser.rest().await;
    }

    async fn close_unused(&self, idle: Duration) {
        let unused: Vec<Arc<Context>> = {
            let mut contexts = self.0.contexts.lock();
            // One that is in use is held by its call as well.
            contexts
                .extract_if(.., |_, context| {
                    Arc::strong_count(context) == 1 && context.used.lock().elapsed() >= idle
                })
                .map(|(_, context)| context)
                .collect()
        };
        for context in &unused {
            if let Some(open) = context.slot.lock().await.take() {
                open.page.close().await;
            }
        }
        let is_last = !unused.is_empty() && self.0.contexts.lock().is_empty();
        if is_last {
            self.0.browser.rest().await;
        }
    }
}

fn key(call: &Call, session: Option<&SessionId>) -> Key {
    (
        call.organization.clone(),
        call.principal.clone(),
        session.cloned(),
    )
}

fn too_many(what: &str) -> ToolError {
    let mut error = ToolError::refused(Code::ServiceUnavailable, what);
    error.retry_after = Some(SWEEP);
    error.retryable()
}
