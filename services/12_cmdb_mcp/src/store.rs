//! The local CMDB on disk: the CSV file is the source of truth, others may edit it at any time.
//!
//! What was read is kept until the file changes. A change is made under a lock, from the file as it is
//! now: backup first (`<path>.BAK_YYYYMMDD_HHMMSS`), then a neighbour renamed into place. What a server
//! is, is not known here.

use crate::config::Local;
use crate::inventory::Inventory;
use crate::relations::Relations;
use crate::sheet::SheetError;
use parking_lot::Mutex;
use shared::clock::SharedClock;
use shared::error::Code;
use shared::files::{Files, FilesError, Roots, Rules, Writing};
use shared::tool::ToolError;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The variable that says where the file is.
const PATH_VARIABLE: &str = "LOCAL_CMDB_PATH";

/// The files of the local CMDB. Its methods block; tools use the `async` ones.
#[derive(Debug)]
pub(crate) struct Store {
    files: Files,
    servers: Place,
    relations: Place,
    clock: SharedClock,
    cached: Mutex<Option<(Stamps, Arc<Cmdb>)>>,
    /// One change at a time, from reading to renaming.
    changing: Mutex<()>,
}

/// The CMDB as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Cmdb {
    pub(crate) inventory: Inventory,
    pub(crate) relations: Relations,
    /// Whether the file of servers exists.
    pub(crate) exists: bool,
}

/// What a change gave back, and the copies it left.
#[derive(Debug)]
pub(crate) struct Changed<T> {
    pub(crate) value: T,
    /// Copy of the file of servers, named as the file is configured; `None` when it did not exist or
    /// was not written.
    pub(crate) backup_path: Option<String>,
    /// The same for the file of relations.
    pub(crate) relations_backup_path: Option<String>,
}

/// Which files a change has to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    Nothing,
    Servers,
    Relations,
    Both,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The path is not one.
    #[error("{PATH_VARIABLE} is not a path to a file")]
    Path,
    /// The folder cannot be made.
    #[error("the folder of {PATH_VARIABLE} cannot be made")]
    Folder(#[source] std::io::Error),
    /// A file cannot be read.
    #[error("the local CMDB cannot be read")]
    Unreadable(#[source] FilesError),
    /// A file is not one of ours.
    #[error("the local CMDB cannot be understood: {0}")]
    Malformed(SheetError),
}

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        let message = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        Self::refused(Code::ServiceUnavailable, message)
    }
}

/// A file, as configured and as it is opened.
#[derive(Debug)]
struct Place {
    shown: PathBuf,
    path: String,
}

/// Tells whether the files changed: time, size and number of each; `None` for one that is not there.
type Stamps = [Option<(i64, i64, u64, u64)>; 2];

impl Store {
    /// Opens the store and makes its folder.
    pub(crate) fn open(config: &Local, clock: SharedClock) -> Result<Self, StoreError> {
        let shown = PathBuf::from(&config.path);
        let stem = shown.file_stem().and_then(|stem| stem.to_str());
        let relations =
            shown.with_file_name(format!("{}_relations.csv", stem.ok_or(StoreError::Path)?));
        let servers = Place::new(shown)?;
        let folder = Path::new(&servers.path).parent().ok_or(StoreError::Path)?;
        std::fs::create_dir_all(folder).map_err(StoreError::Folder)?;
        let root = || Roots::new([folder], PATH_VARIABLE);
        let mut rules = Rules::new(root(), root());
        rules.max_bytes = config.max_file_bytes;
        rules.types = Vec::new();
        Ok(Self {
            files: Files::new(rules),
            relations: Place::new(relations)?,
            servers,
            clock,
            cached: Mutex::default(),
            changing: Mutex::default(),
        })
    }

    /// The CMDB as it is now. Blocks.
    pub(crate) fn load(&self) -> Result<Arc<Cmdb>, StoreError> {
        // Taken before reading, so that a change in between is seen the next time.
        let stamps = [self.servers.stamp(), self.relations.stamp()];
        if let Some((known, cmdb)) = &*self.cached.lock()
            && *known == stamps
        {
            return Ok(Arc::clone(cmdb));
        }
        let cmdb = Arc::new(self.read()?);
        *self.cached.lock() = Some((stamps, Arc::clone(&cmdb)));
        Ok(cmdb)
    }

    /// [`Store::load`] off the runtime's threads.
    pub(crate) async fn get(self: &Arc<Self>) -> Result<Arc<Cmdb>, ToolError> {
        let store = Arc::clone(self);
        blocking(move || store.load().map_err(ToolError::from)).await
    }

    /// Changes the CMDB; `edit` says what it touched. Goes on to its end when the caller is gone.
    pub(crate) async fn change<T, F>(self: &Arc<Self>, edit: F) -> Result<Changed<T>, ToolError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Cmdb) -> Result<(T, Touched), ToolError> + Send + 'static,
    {
        let store = Arc::clone(self);
        blocking(move || store.change_now(edit)).await
    }

    fn change_now<T>(
        &self,
        edit: impl FnOnce(&mut Cmdb) -> Result<(T, Touched), ToolError>,
    ) -> Result<Changed<T>, ToolError> {
        let _one_at_a_time = self.changing.lock();
        let mut cmdb = self.read()?;
        let (value, touched) = edit(&mut cmdb)?;
        let mut changed = Changed {
            value,
            backup_path: None,
            relations_backup_path: None,
        };
        // Relations first: should the second write fail, none of them is about a stranger.
        if matches!(touched, Touched::Relations | Touched::Both) {
            let bytes = cmdb.relations.to_bytes().map_err(StoreError::Malformed)?;
            changed.relations_backup_path = self.write(&self.relations, &bytes)?;
        }
        if matches!(touched, Touched::Servers | Touched::Both) {
            let bytes = cmdb.inventory.to_bytes().map_err(StoreError::Malformed)?;
            changed.backup_path = self.write(&self.servers, &bytes).map_err(|mut error| {
                error.did_not_run &= touched == Touched::Servers;
                error
            })?;
        }
        *self.cached.lock() = None;
        Ok(changed)
    }

    fn read(&self) -> Result<Cmdb, StoreError> {
        let servers = self.bytes(&self.servers)?;
        let relations = self.bytes(&self.relations)?.unwrap_or_default();
        let inventory = Inventory::parse(servers.as_deref().unwrap_or_default());
        let inventory = inventory.map_err(StoreError::Malformed)?;
        Ok(Cmdb {
            relations: Relations::parse(&relations, &inventory).map_err(StoreError::Malformed)?,
            inventory,
            exists: servers.is_some(),
        })
    }

    fn bytes(&self, place: &Place) -> Result<Option<Vec<u8>>, StoreError> {
        match self.files.read(&place.path) {
            Ok(contents) => Ok(Some(contents.bytes)),
            Err(FilesError::NotFound) => Ok(None),
            Err(error) => Err(StoreError::Unreadable(error)),
        }
    }

    fn write(&self, place: &Place, bytes: &[u8]) -> Result<Option<String>, ToolError> {
        let now = self.clock.now();
        let written = self
            .files
            .write(&place.path, bytes, Writing::Replace, now)?;
        let name = written.backup.as_deref().and_then(Path::file_name);
        Ok(name.map(|name| place.shown.with_file_name(name).display().to_string()))
    }
}

impl Place {
    fn new(shown: PathBuf) -> Result<Self, StoreError> {
        let path = std::path::absolute(&shown).map_err(StoreError::Folder)?;
        let path = path.to_str().ok_or(StoreError::Path)?.to_owned();
        Ok(Self { shown, path })
    }

    fn stamp(&self) -> Option<(i64, i64, u64, u64)> {
        let file = std::fs::metadata(&self.path).ok()?;
        Some((file.mtime(), file.mtime_nsec(), file.size(), file.ino()))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(event = "cmdb_panicked", %error, "work on the local CMDB broke off");
            let message = "work on the local CMDB broke off";
            Err(ToolError::new(Code::InternalError, message))
        })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::server::Server;
    use jiff::Timestamp;
    use shared::clock::TestClock;
    use tempfile::TempDir;

    /// A store over a fresh folder whose clock stands at 2026-01-02 03:04:05 UTC.
    pub(crate) fn store(text: Option<&str>) -> (Arc<Store>, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cmdb.csv");
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let config = Local {
            path: path.to_str().unwrap().to_owned(),
            max_file_bytes: 10_000,
        };
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let store = Store::open(&config, TestClock::at(now).shared()).unwrap();
        (Arc::new(store), dir)
    }

    fn add(hostname: &str) -> impl FnOnce(&mut Cmdb) -> Result<((), Touched), ToolError> + use<> {
        let server = Server {
            hostname: hostname.to_owned(),
            ip_address: "10.0.0.9".into(),
            ..Server::default()
        };
        move |cmdb| {
            cmdb.inventory.put(&server.hostname, &server);
            Ok(((), Touched::Servers))
        }
    }

    #[test]
    fn a_change_leaves_a_dated_copy_of_the_file_as_it_was() {
        let text = "hostname,ip_address\nweb1,10.0.0.1\n";
        let (store, dir) = store(Some(text));
        let first = store.change_now(add("web2")).unwrap();
        let second = store.change_now(add("web3")).unwrap();
        let folder = dir.path().display();
        let expected = format!("{folder}/cmdb.csv.BAK_20260102_030405");
        assert_eq!(first.backup_path, Some(expected.clone()));
        assert_eq!(second.backup_path, Some(format!("{expected}_2")));
        assert_eq!(std::fs::read_to_string(expected).unwrap(), text);
        assert_eq!(store.load().unwrap().inventory.len(), 3);
    }

    #[test]
    fn what_others_write_is_seen() {
        let (store, dir) = store(None);
        assert!(!store.load().unwrap().exists);
        let path = dir.path().join("cmdb.csv");
        std::fs::write(&path, "hostname,ip_address\nweb1,10.0.0.1\n").unwrap();
        assert_eq!(store.load().unwrap().inventory.len(), 1);
        store.change_now(add("web2")).unwrap();
        assert_eq!(store.load().unwrap().inventory.len(), 2);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(store.load().unwrap().inventory.len(), 0);
    }

    #[test]
    fn a_refused_change_writes_nothing() {
        let (store, dir) = store(None);
        let refused = store.change_now::<()>(|_| Err(ToolError::invalid("x", "y")));
        assert!(refused.is_err_and(|error| error.did_not_run));
        let untouched = store.change_now(|_| Ok(((), Touched::Nothing))).unwrap();
        assert_eq!(untouched.backup_path, None);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why_and_not_where() {
        for (text, expected) in [
            ("name\nx\n".to_owned(), "the header has no column hostname"),
            ("x".repeat(10_001), "larger than 10000 bytes"),
        ] {
            let (store, dir) = store(Some(&text));
            let error = ToolError::from(store.load().unwrap_err());
            assert_eq!(error.code, Code::ServiceUnavailable);
            assert!(error.message.contains(expected), "{}", error.message);
            let folder = dir.path().display().to_string();
            assert!(!error.message.contains(&folder), "{}", error.message);
        }
    }
}
