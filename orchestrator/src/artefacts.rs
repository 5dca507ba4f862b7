//! Results too large for a host, kept as texts that their caller reads and searches in parts.
//!
//! A text is sealed in the store, belongs to the principal whose call made it, and is gone after a
//! while. Which results become one, and what a host sees in their place, is `transport`'s matter.

mod laid_out;
mod rows;

pub use laid_out::laid_out;

use crate::keys::Seal;
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use regex::{Regex, RegexBuilder};
use shared::clock::SharedClock;
use std::time::Duration;

/// Longest text, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of one part.
pub const MAX_PART: usize = 65_536;
/// Longest search, in bytes.
pub const MAX_QUERY: usize = 512;
/// Most places one search shows.
pub const MAX_MATCHES: usize = 100;
/// Places that are counted; a search ends there.
const MAX_COUNTED: usize = 10_000;
/// Bytes shown before and after a place.
const AROUND: usize = 120;
/// Bytes of a compiled pattern.
const PATTERN_BYTES: usize = 1 << 20;

/// How results are kept.
#[derive(Debug, Clone, Copy)]
pub struct ArtefactsConfig {
    /// Results above this many bytes are kept; 0 means none is.
    pub limit_bytes: usize,
    /// How long.
    pub kept: Duration,
}

impl Default for ArtefactsConfig {
    fn default() -> Self {
        Self {
            limit_bytes: 256 * 1024,
            kept: Duration::from_secs(24 * 3600),
        }
    }
}

/// The kept results; share it in an `Arc`.
pub struct Artefacts {
    store: Store,
    clock: SharedClock,
    seal: Seal,
    config: ArtefactsConfig,
}

/// Whose a text is.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Id of the principal.
    pub principal: &'a str,
    /// Its organisation.
    pub organization: &'a str,
}

/// A text that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// `art_…`.
    pub id: String,
    /// Its length in bytes.
    pub bytes: usize,
    /// When it is gone.
    pub expires_at: Timestamp,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The part.
    pub text: String,
    /// Where it begins, in bytes.
    pub offset: usize,
    /// Where the next one begins; `None` at the end.
    pub next: Option<usize>,
    /// Length of the whole, in bytes.
    pub bytes: usize,
}

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// A text, or a pattern.
    pub query: &'a str,
    /// The query is a regular expression.
    pub pattern: bool,
    /// Where to begin, in bytes.
    pub from: usize,
    /// Most places shown, up to [`MAX_MATCHES`].
    pub limit: usize,
}

/// Places that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The first of them, in order.
    pub places: Vec<Place>,
    /// How many there are; counting ends at ten thousand.
    pub total: usize,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In bytes.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// What stands there, with what is around it.
    pub excerpt: String,
}

/// Why a text is not kept, read or searched.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    /// There is none, or it is another principal's.
    #[error("there is no such artefact")]
    Unknown,
    /// It is longer than [`MAX_BYTES`].
    #[error("the result is too large to be kept")]
    TooLarge,
    /// The query is no pattern.
    #[error("the query is no regular expression")]
    Pattern(#[source] regex::Error),
    /// The system gives no randomness.
    #[error("the result could not be sealed")]
    Unsealed,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl Artefacts {
    /// Texts in `store`, readable for hubs with the same seal.
    #[must_use]
    pub const fn new(
        store: Store,
        clock: SharedClock,
        seal: Seal,
        config: ArtefactsConfig,
    ) -> Self {
        Self {
            store,
            clock,
            seal,
            config,
        }
    }

    /// Whether a result of this many bytes is too large for a host.
    #[must_use]
    pub const fn is_large(&self, bytes: usize) -> bool {
        self.config.limit_bytes > 0 && bytes > self.config.limit_bytes
    }

    /// Bytes a host is shown of a large result, at most.
    #[must_use]
    pub const fn shown_bytes(&self) -> usize {
        self.config.limit_bytes / 4
    }

    /// Keeps what a call of `tool` gave. The oldest of the owner's texts go when there are many.
    ///
    /// # Errors
    /// [`ArtefactError`].
    pub async fn keep(
        &self,
        owner: Owner<'_>,
        tool: &str,
        text: &str,
    ) -> Result<Kept, ArtefactError> {
        if text.len() > MAX_BYTES {
            return Err(ArtefactError::TooLarge);
        }
        let id = format!("art_{}", hex::encode(rand::random::<[u8; 16]>()));
        let now = self.clock.now();
        let expires_at = now.checked_add(self.config.kept).unwrap_or(Timestamp::MAX);
        let body = self.seal.close(text, &id).ok_or(ArtefactError::Unsealed)?;
        let new = rows::New {
            id: &id,
            tool,
            body,
            now,
            expires_at,
        };
        self.store.write(rows::insert(owner, new)).await?;
        Ok(Kept {
            id,
            bytes: text.len(),
            expires_at,
        })
    }

    /// A part of a text: up to `length` bytes, from `offset`, in whole characters.
    ///
    /// # Errors
    /// [`ArtefactError`].
    pub async fn read(
        &self,
        owner: Owner<'_>,
        id: &str,
        (offset, length): (usize, usize),
    ) -> Result<Part, ArtefactError> {
        let text = self.text(owner, id).await?;
        Ok(part(&text, offset, length.clamp(1, MAX_PART)))
    }

    /// The places a query is found at.
    ///
    /// # Errors
    /// [`ArtefactError`].
    pub async fn search(
        &self,
        owner: Owner<'_>,
        id: &str,
        search: Search<'_>,
    ) -> Result<Found, ArtefactError> {
        let escaped = match search.pattern {
            true => search.query.to_owned(),
            false => regex::escape(search.query),
        };
        let pattern = RegexBuilder::new(&escaped)
            .case_insensitive(true)
            .multi_line(true)
            .size_limit(PATTERN_BYTES)
            .build()
            .map_err(ArtefactError::Pattern)?;
        let text = self.text(owner, id).await?;
        Ok(places(&text, &pattern, search.from, search.limit))
    }

    async fn text(&self, owner: Owner<'_>, id: &str) -> Result<String, ArtefactError> {
        let select = rows::select(owner, id, self.clock.now());
        let found = self.store.read(select).await?;
        let sealed = found.first().ok_or(ArtefactError::Unknown)?.text("body")?;
        // Sealed under a secret that is no more: nobody can read it.
        self.seal.open(sealed, id).ok_or(ArtefactError::Unknown)
    }
}

fn part(text: &str, offset: usize, length: usize) -> Part {
    let start = text.floor_char_boundary(offset.min(text.len()));
    let mut end = text.floor_char_boundary(start.saturating_add(length).min(text.len()));
    if end == start {
        end = text.ceil_char_boundary(start.saturating_add(1).min(text.len()));
    }
    Part {
        text: text.get(start..end).unwrap_or_default().to_owned(),
        offset: start,
        next: (end < text.len()).then_some(end),
        bytes: text.len(),
    }
}

fn places(text: &str, pattern: &Regex, from: usize, limit: usize) -> Found {
    let from = text.ceil_char_boundary(from.min(text.len()));
    let mut found = Found {
        places: Vec::new(),
        total: 0,
    };
    let (mut counted, mut line) = (0, 1);
    for place in pattern
        .find_iter(text)
        .skip_while(|place| place.start() < from)
        .take(MAX_COUNTED)
    {
        found.total += 1;
        if found.places.len() >= limit.min(MAX_MATCHES) {
            continue;
        }
        let before = text.get(counted..place.start()).unwrap_or_default();
        line += before.matches('\n').count();
        counted = place.start();
        found.places.push(Place {
            offset: place.start(),
            line,
            excerpt: around(text, place.start(), place.end()),
        });
    }
    found
}

fn around(text: &str, start: usize, end: usize) -> String {
    let end = end.min(start.saturating_add(AROUND));
    let from = text.floor_char_boundary(start.saturating_sub(AROUND));
    let to = text.floor_char_boundary(end.saturating_add(AROUND).min(text.len()));
    text.get(from..to).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_characters_and_lead_to_the_end() {
        let text = "aä€😀z".repeat(3);
        for length in 1..6 {
            let (mut read, mut next) = (String::new(), Some(0));
            while let Some(offset) = next {
                let part = part(&text, offset, length);
                assert_eq!(part.bytes, text.len());
                read.push_str(&part.text);
                next = part.next;
            }
            assert_eq!(read, text, "{length}");
        }
        assert_eq!(part(&text, 10_000, 5).text, "");
        assert_eq!(part("", 0, 5).next, None);
    }

    #[test]
    fn places_have_lines_and_what_is_around_them() {
        let text = "one\nTwo two\n\ntwo ä";
        let check = |query: &str, from, limit| {
            let pattern = RegexBuilder::new(query)
                .case_insensitive(true)
                .build()
                .unwrap();
            places(text, &pattern, from, limit)
        };
        let found = check("two", 0, 2);
        assert_eq!(found.total, 3);
        let at: Vec<_> = found.places.iter().map(|it| (it.offset, it.line)).collect();
        assert_eq!(at, [(4, 2), (8, 2)]);
        assert_eq!(found.places[0].excerpt, text);
        let later = check("two", 9, 9);
        assert_eq!((later.total, later.places[0].line), (1, 4));
    }
}
