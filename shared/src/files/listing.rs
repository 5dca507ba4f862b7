//! What a directory holds, walked by handle.

use super::FilesError;
use jiff::Timestamp;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Directories below the one that was asked for.
const MAX_DEPTH: usize = 32;
/// Names looked at in one directory before the listing is cut.
const MAX_NAMES: usize = 100_000;

/// The entries of a directory, in the order of their names, a directory before what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The directory, links resolved.
    pub path: PathBuf,
    /// What is in it.
    pub entries: Vec<Entry>,
    /// Whether entries were left out.
    pub truncated: bool,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Last part of the path; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it is; a link is a link.
    pub kind: Kind,
    /// In bytes.
    pub size: u64,
    /// Permission bits (07777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// When it was changed last.
    pub modified_at: Timestamp,
}

/// Kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

impl Kind {
    /// `file`, `dir`, `symlink` or `other`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "dir",
            Self::Symlink => "symlink",
            Self::Other => "other",
        }
    }
}

struct Walk {
    recursive: bool,
    max: usize,
    listing: Listing,
}

pub(super) fn list(
    directory: &OwnedFd,
    path: &Path,
    recursive: bool,
    max: usize,
) -> Result<Listing, FilesError> {
    let listing = Listing {
        path: path.to_owned(),
        entries: Vec::new(),
        truncated: false,
    };
    let mut walk = Walk {
        recursive,
        max,
        listing,
    };
    walk.enter(directory, path, 0)?;
    Ok(walk.listing)
}

impl Walk {
    fn enter(&mut self, directory: &OwnedFd, path: &Path, depth: usize) -> Result<(), FilesError> {
        for name in self.names(directory)? {
            if self.listing.entries.len() >= self.max {
                self.listing.truncated = true;
                return Ok(());
            }
            // Gone meanwhile.
            let Ok(stat) = statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let entry = entry(&name, path, &stat);
            let below = entry.path.clone();
            let is_directory = entry.kind == Kind::Directory;
            self.listing.entries.push(entry);
            if self.recursive && is_directory {
                self.descend(directory, (&name, &below), depth)?;
            }
        }
        Ok(())
    }

    fn descend(
        &mut self,
        parent: &OwnedFd,
        (name, path): (&OsStr, &Path),
        depth: usize,
    ) -> Result<(), FilesError> {
        if depth >= MAX_DEPTH {
            self.listing.truncated = true;
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(parent, name, flags, Mode::empty()) {
            Ok(directory) => self.enter(&directory, path, depth.saturating_add(1)),
            // Not ours to read, or gone or swapped meanwhile: listed, but not entered.
            Err(error) => {
                tracing::debug!(event = "directory_skipped", %error, "a directory was not entered");
                Ok(())
            }
        }
    }

    fn names(&mut self, directory: &OwnedFd) -> Result<Vec<OsString>, FilesError> {
        let mut names = Vec::new();
        for found in Dir::read_from(directory)? {
            let found = found?;
            let name = found.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            if names.len() >= MAX_NAMES {
                self.listing.truncated = true;
                break;
            }
            names.push(OsStr::from_bytes(name).to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }
}

fn entry(name: &OsStr, directory: &Path, stat: &Stat) -> Entry {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    };
    let nanoseconds = i32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    Entry {
        name: name.to_string_lossy().into_owned(),
        path: directory.join(name),
        kind,
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        modified_at: Timestamp::new(stat.st_mtime, nanoseconds).unwrap_or_default(),
    }
}
