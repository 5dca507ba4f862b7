//! Files beneath allowed roots, opened by directory handle.
//!
//! A path is resolved twice: once to learn where links and `..` lead, and again from the handle of the
//! allowed root that holds the answer, this time following no link at all (`openat2` with
//! `RESOLVE_BENEATH`, `RESOLVE_NO_SYMLINKS`, `RESOLVE_NO_MAGICLINKS`). So a link into an allowed place
//! works for reading, and one swapped in between the two steps makes the second fail. A write follows
//! links in the directory part only; a link in the place of the file is refused. A kernel without
//! `openat2` (before 5.6) is refused everything.
//!
//! Calls block: run them with `spawn_blocking`. Not here: who may read or write; encodings.

mod listing;
mod place;
mod replace;
mod rules;

pub use listing::{Entry, Kind, Listing};
pub use place::Roots;
pub use rules::Rules;

use crate::error::Code;
use crate::tool::ToolError;
use jiff::Timestamp;
use parking_lot::Mutex;
use rustix::fs::{AtFlags, OFlags};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest file that is read or written unless configured otherwise, in bytes (10 MB).
pub const MAX_BYTES: u64 = 10_000_000;
/// Extensions that may be written unless configured otherwise.
pub const TYPES: [&str; 4] = [".txt", ".json", ".yaml", ".md"];

/// How files are opened for reading: a pipe or terminal in their place does not hold the caller up.
const READING: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// What may be read and written where.
#[derive(Debug)]
pub struct Files {
    rules: Rules,
    /// One write at a time: the backup and the replacement belong together.
    writing: Mutex<()>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Where it is, links resolved.
    pub path: PathBuf,
    /// All of it.
    pub bytes: Vec<u8>,
    /// When it was changed last.
    pub modified_at: Timestamp,
}

/// What a write left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it is, links in the directory part resolved.
    pub path: PathBuf,
    /// Size of the file now.
    pub size: u64,
    /// Copy of the file as it was; `None` when there was none.
    pub backup: Option<PathBuf>,
    /// SHA-256 of the file now, lower-case hex.
    pub sha256: String,
}

/// How new content meets old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// In its place.
    Replace,
    /// After it.
    Append,
}

/// Why a file was not read, listed or written. Nothing was changed, except perhaps with
/// [`FilesError::Io`].
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Not a path this module looks at.
    #[error("path: {0}")]
    Path(&'static str),
    /// Leads outside the allowed roots.
    #[error("path: it is not under an allowed path ({allowed})")]
    Outside {
        /// The setting that lists them.
        allowed: &'static str,
    },
    /// Nothing there.
    #[error("path: there is no such file")]
    NotFound,
    /// Something else than what was asked for.
    #[error("path: it is not {0}")]
    Not(&'static str),
    /// The operating system refuses this service.
    #[error("path: this service has no right to it")]
    Denied,
    /// Over the size limit.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// Not an extension that may be written.
    #[error("path: only files of type {allowed} may be written")]
    Type {
        /// The types, for people.
        allowed: String,
    },
    /// Somebody else created the file meanwhile.
    #[error("path: it changed while it was being written")]
    Raced,
    /// The kernel has no `openat2`.
    #[error("this system cannot open files safely (openat2 is missing)")]
    Unsupported,
    /// Reading or writing failed.
    #[error("the file system failed")]
    Io(#[source] std::io::Error),
}

impl From<FilesError> for ToolError {
    fn from(error: FilesError) -> Self {
        let code = match &error {
            FilesError::Path(_) | FilesError::Not(_) => Code::InvalidInput,
            FilesError::Outside { .. } | FilesError::Type { .. } | FilesError::Denied => {
                Code::PolicyViolation
            }
            FilesError::NotFound => Code::NotFound,
            FilesError::TooLarge { .. } => Code::PayloadTooLarge,
            FilesError::Raced => Code::Conflict,
            FilesError::Unsupported => Code::NotSupported,
            FilesError::Io(_) => Code::InternalError,
        };
        if let FilesError::Io(source) = &error {
            tracing::error!(event = "file_failed", error = %source, "a file could not be used");
        }
        let mut failure = Self::refused(code, error.to_string());
        failure.did_not_run = !matches!(error, FilesError::Io(_));
        failure
    }
}

impl From<rustix::io::Errno> for FilesError {
    fn from(error: rustix::io::Errno) -> Self {
        use rustix::io::Errno;
        match error {
            Errno::NOENT | Errno::NOTDIR => Self::NotFound,
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Denied,
            Errno::NAMETOOLONG => Self::Path("too long"),
            Errno::NOSYS => Self::Unsupported,
            Errno::LOOP | Errno::XDEV | Errno::AGAIN => Self::Raced,
            other => Self::Io(other.into()),
        }
    }
}

impl Files {
    /// Files within these rules.
    #[must_use]
    pub const fn new(rules: Rules) -> Self {
        Self {
            rules,
            writing: Mutex::new(()),
        }
    }

    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Reads a regular file.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn read(&self, path: &str) -> Result<Contents, FilesError> {
        let place = self.regular(path)?;
        let file = File::from(place.open(READING)?);
        whole(&file, place.path(), self.rules.max_bytes)
    }

    /// Reads the last `bytes` of a regular file of any size, such as a log.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn read_end(&self, path: &str, bytes: u64) -> Result<Contents, FilesError> {
        let place = self.regular(path)?;
        let mut file = File::from(place.open(READING)?);
        let size = file.metadata().map_err(FilesError::Io)?.len();
        let start = SeekFrom::Start(size.saturating_sub(bytes));
        file.seek(start).map_err(FilesError::Io)?;
        // What is written meanwhile is not part of it.
        let reader = file.try_clone().map_err(FilesError::Io)?.take(bytes);
        contents(&file, reader, place.path())
    }

    /// Lists a directory, and those below it when `recursive`; links are listed, not followed. At
    /// most `max` entries, 32 directories deep.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn list(&self, path: &str, recursive: bool, max: usize) -> Result<Listing, FilesError> {
        let place = self.rules.read.find(path)?;
        if !place.kind()?.is_dir() {
            return Err(FilesError::Not("a directory"));
        }
        let directory = place.open(OFlags::RDONLY | OFlags::DIRECTORY)?;
        listing::list(&directory, place.path(), recursive, max)
    }

    /// Writes a file: backup of the old one beside it, new content to a neighbour, then renamed.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn write(
        &self,
        path: &str,
        content: &[u8],
        writing: Writing,
        now: Timestamp,
    ) -> Result<Written, FilesError> {
        let (directory, name) = self.target(path)?;
        let folder = directory.open(OFlags::RDONLY | OFlags::DIRECTORY)?;
        let _one_at_a_time = self.writing.lock();
        let old = replace::Old::open(&folder, name, self.rules.max_bytes)?;
        let mut bytes = match (writing, &old) {
            (Writing::Append, Some(old)) => old.bytes.clone(),
            _ => Vec::new(),
        };
        bytes.extend_from_slice(content);
        self.rules.check_size(bytes.len())?;
        let backup = replace::replace(&folder, name, old.as_ref(), &bytes, now)?;
        Ok(Written {
            path: directory.path().join(name),
            size: length(bytes.len()),
            backup: backup.map(|name| directory.path().join(name)),
            sha256: sha256(&bytes),
        })
    }

    /// Takes a write back: the backup returns to the file's name; without one the file is removed.
    ///
    /// # Errors
    /// [`FilesError`]; the file stays as it was written.
    pub fn undo(&self, written: &Written) -> Result<(), FilesError> {
        let path = written.path.to_str().ok_or(FilesError::Path("not UTF-8"))?;
        let (parent, name) = place::split(path)?;
        let folder = self.rules.write.find(parent)?;
        let folder = folder.open(OFlags::RDONLY | OFlags::DIRECTORY)?;
        let _one_at_a_time = self.writing.lock();
        let backup = written.backup.as_ref().and_then(|path| path.file_name());
        match backup {
            Some(backup) => rustix::fs::renameat(&folder, backup, &folder, name)?,
            None => rustix::fs::unlinkat(&folder, name, AtFlags::empty())?,
        }
        Ok(rustix::fs::fsync(folder)?)
    }

    /// Whether a write could go ahead, without writing: place, type and size.
    ///
    /// # Errors
    /// [`FilesError`], as [`Files::write`] would.
    pub fn check_write(&self, path: &str, size: usize) -> Result<(), FilesError> {
        self.rules.check_size(size)?;
        self.target(path).map(drop)
    }

    fn regular(&self, path: &str) -> Result<place::Place, FilesError> {
        let place = self.rules.read.find(path)?;
        if place.kind()?.is_file() {
            Ok(place)
        } else {
            Err(FilesError::Not("a regular file"))
        }
    }

    /// The directory a write goes to, and the name in it.
    fn target<'a>(&self, path: &'a str) -> Result<(place::Place, &'a str), FilesError> {
        let (parent, name) = place::split(path)?;
        self.rules.check_type(name)?;
        let directory = self.rules.write.find(parent)?;
        if !directory.kind()?.is_dir() {
            return Err(FilesError::NotFound);
        }
        Ok((directory, name))
    }
}

/// Works with files on a thread that may block.
///
/// # Errors
/// Those of `work`; `INTERNAL_ERROR` when it panicked.
pub async fn apart<T: Send + 'static>(
    files: &Arc<Files>,
    work: impl FnOnce(&Files) -> Result<T, FilesError> + Send + 'static,
) -> Result<T, ToolError> {
    let files = Arc::clone(files);
    match tokio::task::spawn_blocking(move || work(&files)).await {
        Ok(result) => Ok(result?),
        Err(error) => {
            tracing::error!(event = "file_task_lost", %error, "work with files was lost");
            let message = "the work with files was lost";
            Err(ToolError::new(Code::InternalError, message))
        }
    }
}

/// SHA-256 as lower-case hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

/// All of an open regular file of at most `limit` bytes.
fn whole(file: &File, path: &Path, limit: u64) -> Result<Contents, FilesError> {
    // One more than allowed, for files that say they are empty (as those of /proc do) or that grow.
    let read = contents(file, file.take(limit.saturating_add(1)), path)?;
    if length(read.bytes.len()) > limit {
        return Err(FilesError::TooLarge { limit });
    }
    Ok(read)
}

fn contents(file: &File, mut reader: impl Read, path: &Path) -> Result<Contents, FilesError> {
    let metadata = file.metadata().map_err(FilesError::Io)?;
    if !metadata.is_file() {
        return Err(FilesError::Not("a regular file"));
    }
    let modified = metadata.modified().map_err(FilesError::Io)?;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(FilesError::Io)?;
    Ok(Contents {
        path: path.to_owned(),
        bytes,
        modified_at: Timestamp::try_from(modified).unwrap_or_default(),
    })
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
