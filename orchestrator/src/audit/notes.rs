//! Notes in bounds: of the same kind from the same address, five a minute are written one by one, the
//! rest is counted and summed up when the minute is over.

use super::record::Draft;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;

const WINDOW_MICROS: i64 = 60_000_000;
/// Notes of one kind written per minute.
const WRITTEN: u32 = 5;
/// Kinds kept apart; beyond that they share one place.
const KINDS: usize = 1024;

/// What was noted during the last minute.
#[derive(Default)]
pub(in crate::audit) struct Notes(HashMap<(Arc<str>, Option<Arc<str>>), Window>);

struct Window {
    since: i64,
    written: u32,
    suppressed: u64,
    /// The last note, without its details.
    last: Draft,
}

impl Notes {
    /// The note, if it is to be written by itself.
    pub(in crate::audit) fn admit(&mut self, note: Draft) -> Option<Draft> {
        let mut kind = (note.action.clone(), note.address.clone());
        if self.0.len() >= KINDS && !self.0.contains_key(&kind) {
            kind.1 = Some(Arc::from("others"));
        }
        let window = self.0.entry(kind).or_insert_with(|| Window {
            since: note.at,
            written: 0,
            suppressed: 0,
            last: note.without_metadata(),
        });
        if window.written < WRITTEN {
            window.written += 1;
            return Some(note);
        }
        window.suppressed += 1;
        window.last = note.without_metadata();
        None
    }

    /// Closes the windows that are over at `now`; gives back what is to be written about them.
    pub(in crate::audit) fn summaries(&mut self, now: i64) -> Vec<Draft> {
        let over = |window: &Window| now.saturating_sub(window.since) >= WINDOW_MICROS;
        let closed = self.0.extract_if(|_, window| over(window));
        let summed = closed.filter(|(_, window)| window.suppressed > 0);
        summed.map(|(_, window)| summary(window, now)).collect()
    }

    /// Sums everything up at once.
    pub(in crate::audit) fn finish(&mut self, now: i64) -> Vec<Draft> {
        let summed = self.0.drain().filter(|(_, window)| window.suppressed > 0);
        summed.map(|(_, window)| summary(window, now)).collect()
    }
}

fn summary(window: Window, now: i64) -> Draft {
    Draft {
        id: uuid::Uuid::now_v7().to_string().into(),
        metadata: json!({ "not_listed": window.suppressed, "since": window.since })
            .to_string()
            .into(),
        at: now,
        ..window.last
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Event;
    use super::*;

    fn note(address: [u8; 4], at: i64) -> Draft {
        let event = Event {
            action: "login.failed",
            resource_type: "login",
            resource_id: String::new(),
            actor: "unknown".into(),
            organization: "default".into(),
            address: Some(address.into()),
            details: json!({}),
            correlation_id: None,
        };
        Draft::of_event(event, at)
    }

    #[test]
    fn a_flood_becomes_a_summary() {
        let mut notes = Notes::default();
        let written = (0..1000).filter_map(|_| notes.admit(note([1, 2, 3, 4], 0)));
        assert_eq!(written.count(), 5);
        assert!(notes.admit(note([1, 2, 3, 5], 0)).is_some());
        assert!(notes.summaries(WINDOW_MICROS - 1).is_empty());
        let summaries = notes.summaries(WINDOW_MICROS);
        assert_eq!(summaries.len(), 1);
        assert!(summaries[0].metadata.contains("\"not_listed\":995"));
        assert_eq!(summaries[0].address.as_deref(), Some("1.2.3.4"));
        assert!(notes.0.is_empty());
        assert!(notes.admit(note([1, 2, 3, 4], WINDOW_MICROS)).is_some());
    }

    #[test]
    fn many_addresses_take_bounded_room() {
        let mut notes = Notes::default();
        let addresses = (0..10_000_u32).map(u32::to_be_bytes);
        let written = addresses.filter_map(|address| notes.admit(note(address, 0)));
        assert!(written.count() <= KINDS + 5);
        assert!(notes.0.len() <= KINDS + 1);
        assert_eq!(notes.finish(1).len(), 1);
    }
}
