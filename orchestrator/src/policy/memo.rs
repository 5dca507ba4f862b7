//! What stands for one principal, tool and effect, kept until the rules change.
//!
//! Asking Cedar costs hundreds of microseconds with many rules; most of the answer is the same for
//! every call. Entries are compared by value, so a principal whose permissions changed is a new one.

use crate::auth::Principal;
use parking_lot::RwLock;
use shared::tool::Effect;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Most entries; then all are forgotten, which costs time and nothing else.
const CAPACITY: usize = 50_000;

/// What stands before a call is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// The baseline forbids, in these words.
    Forbidden { rule: Arc<str>, message: String },
    /// The rules that match or might, in the order they are asked.
    Rules(Vec<Step>),
    /// Cedar failed; denied, and not kept.
    Failed,
}

/// One rule that matches or might.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) rule: usize,
    /// It matches every call; otherwise it has to be asked.
    pub(super) certain: bool,
}

/// The question a standing answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subjects<'a> {
    pub(super) principal: &'a Arc<Principal>,
    pub(super) tool: &'a str,
    pub(super) service: &'a str,
    pub(super) effect: Effect,
}

#[derive(Default)]
pub(super) struct Memo {
    hasher: RandomState,
    held: RwLock<Held>,
}

#[derive(Default)]
struct Held {
    entries: usize,
    /// By hash; the few that share one are compared.
    by_hash: HashMap<u64, Vec<Entry>>,
}

struct Entry {
    principal: Arc<Principal>,
    tool: Box<str>,
    service: Box<str>,
    effect: Effect,
    standing: Arc<Standing>,
}

impl Memo {
    /// The kept answer, or the one `ask` gives.
    pub(super) fn get_or(
        &self,
        subjects: Subjects<'_>,
        ask: impl FnOnce() -> Standing,
    ) -> Arc<Standing> {
        let principal = subjects.principal;
        let identity = (&principal.id, &principal.organization, principal.role);
        let hash = self
            .hasher
            .hash_one((identity, subjects.tool, subjects.effect));
        if let Some(entries) = self.held.read().by_hash.get(&hash)
            && let Some(entry) = entries.iter().find(|entry| entry.answers(subjects))
        {
            return Arc::clone(&entry.standing);
        }
        let standing = Arc::new(ask());
        if *standing != Standing::Failed {
            self.held.write().keep(hash, subjects, &standing);
        }
        standing
    }
}

impl Held {
    fn keep(&mut self, hash: u64, subjects: Subjects<'_>, standing: &Arc<Standing>) {
        if self.entries >= CAPACITY {
            self.by_hash.clear();
            self.entries = 0;
        }
        let entries = self.by_hash.entry(hash).or_default();
        if entries.iter().any(|entry| entry.answers(subjects)) {
            return;
        }
        entries.push(Entry {
            principal: Arc::clone(subjects.principal),
            tool: subjects.tool.into(),
            service: subjects.service.into(),
            effect: subjects.effect,
            standing: Arc::clone(standing),
        });
        self.entries += 1;
    }
}

impl Entry {
    fn answers(&self, subjects: Subjects<'_>) -> bool {
        let same = Arc::ptr_eq(&self.principal, subjects.principal)
            || self.principal == *subjects.principal;
        same && self.effect == subjects.effect
            && *self.tool == *subjects.tool
            && *self.service == *subjects.service
    }
}
