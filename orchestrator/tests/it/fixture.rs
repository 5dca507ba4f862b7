//! What the tests of the store's users share: a store in a file of its own, and a clock.

use jiff::Timestamp;
use orchestrator::store::{DatabaseUrl, Store, StoreConfig};
use shared::clock::TestClock;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A SQLite store in a temporary folder.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) clock: TestClock,
    folder: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("waygate.db")).await;
        let clock = TestClock::at(Timestamp::from_second(1_800_000_000).unwrap());
        Self {
            store,
            clock,
            folder,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("waygate.db")
    }
}

pub(crate) async fn open(file: &Path) -> Store {
    let url = DatabaseUrl::parse(&format!("sqlite:{}", file.display())).unwrap();
    Store::open(StoreConfig { url, pool_size: 4 })
        .await
        .unwrap()
}

/// Asks again until the answer is yes; gives up after 10 s.
pub(crate) async fn eventually<F: Future<Output = bool>>(
    what: &str,
    mut question: impl FnMut() -> F,
) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !question().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "not in time: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
