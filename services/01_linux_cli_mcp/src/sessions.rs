//! The working directory a caller's session had last. Nothing else is remembered.

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const LIFE: SignedDuration = SignedDuration::from_hours(24);
/// The oldest is forgotten when there are more.
const MOST: usize = 1024;

/// Working directories by principal and session; bounded, kept 24 hours after their last use.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<(String, String), Session>>);

#[derive(Debug)]
struct Session {
    directory: PathBuf,
    used_at: Timestamp,
}

impl Sessions {
    /// The directory of a principal's session; `None` when there is none any more.
    pub(crate) fn recall(&self, principal: &str, id: &str, now: Timestamp) -> Option<PathBuf> {
        let mut sessions = self.0.lock();
        let session = sessions.get_mut(&(principal.to_owned(), id.to_owned()))?;
        if now.duration_since(session.used_at) > LIFE {
            return None;
        }
        session.used_at = now;
        Some(session.directory.clone())
    }

    /// Remembers a directory.
    pub(crate) fn remember(&self, principal: &str, id: &str, directory: &Path, now: Timestamp) {
        let mut sessions = self.0.lock();
        sessions.retain(|_, session| now.duration_since(session.used_at) <= LIFE);
        let key = (principal.to_owned(), id.to_owned());
        if sessions.len() >= MOST && !sessions.contains_key(&key) {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used_at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                sessions.remove(&oldest);
            }
        }
        let session = Session {
            directory: directory.to_owned(),
            used_at: now,
        };
        sessions.insert(key, session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_belongs_to_its_principal_for_a_day() {
        let sessions = Sessions::default();
        let start = Timestamp::UNIX_EPOCH;
        let recall = |who, hours| {
            let now = start + SignedDuration::from_hours(hours);
            sessions.recall(who, "s", now)
        };
        sessions.remember("a", "s", Path::new("/x"), start);
        assert_eq!(recall("a", 23), Some("/x".into()));
        assert_eq!(recall("a", 46), Some("/x".into()), "used again meanwhile");
        assert_eq!(recall("b", 1), None);
        assert_eq!(recall("a", 100), None);
    }

    #[test]
    fn there_are_never_more_than_the_limit() {
        let sessions = Sessions::default();
        for number in 0..MOST + 10 {
            let now = Timestamp::from_second(i64::try_from(number).unwrap()).unwrap();
            sessions.remember("a", &number.to_string(), Path::new("/"), now);
        }
        assert_eq!(sessions.0.lock().len(), MOST);
        let now = Timestamp::from_second(2000).unwrap();
        assert_eq!(sessions.recall("a", "0", now), None);
        assert!(sessions.recall("a", "1033", now).is_some());
    }
}
