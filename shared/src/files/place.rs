//! From the text of a path to a handle beneath an allowed root.

use super::FilesError;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, readlinkat};
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

const MAX_PATH: usize = 4095;

/// Directories beneath which something is allowed.
#[derive(Debug, Clone)]
pub struct Roots {
    directories: Vec<PathBuf>,
    setting: &'static str,
}

impl Roots {
    /// These directories; `setting` is the variable that lists them, for messages. One that does not
    /// exist allows nothing until it does; one that is not absolute is left out.
    #[must_use]
    pub fn new<P: Into<PathBuf>>(
        directories: impl IntoIterator<Item = P>,
        setting: &'static str,
    ) -> Self {
        let mut directories: Vec<PathBuf> = directories.into_iter().map(Into::into).collect();
        directories.retain(|directory| directory.is_absolute());
        Self {
            directories,
            setting,
        }
    }

    /// Reads a list separated by colons; empty parts are left out.
    #[must_use]
    pub fn parse(list: &str, setting: &'static str) -> Self {
        let parts = list
            .split(':')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        Self::new(parts, setting)
    }

    /// The directories as configured.
    #[must_use]
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Whether a path leads to something beneath a root; relative ones start at `base`.
    #[must_use]
    pub fn hold(&self, path: &str, base: &Path) -> bool {
        let joined = base.join(path);
        joined.to_str().is_some_and(|path| self.find(path).is_ok())
    }

    /// Whether a path reads as one beneath a root, with no look at any file system: absolute, no `.`
    /// or `..` in it. For paths of another machine.
    #[must_use]
    pub fn hold_by_name(&self, path: &str) -> bool {
        let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
        let dotted = path.split('/').any(|part| part == "." || part == "..");
        let path = Path::new(path);
        let inside = || self.directories.iter().any(|root| path.starts_with(root));
        path.is_absolute() && !dotted && path.components().all(plain) && inside()
    }

    /// Finds what a path leads to.
    pub(super) fn find(&self, path: &str) -> Result<Place, FilesError> {
        check(path)?;
        let outside = FilesError::Outside {
            allowed: self.setting,
        };
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let handle = match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS) {
            Ok(handle) => handle,
            // Outside, whether something exists is not told.
            Err(rustix::io::Errno::NOSYS) => return Err(FilesError::Unsupported),
            Err(_) if !self.hold_by_name(path) => return Err(outside),
            Err(error) => return Err(error.into()),
        };
        let real = real_path(&handle)?;
        let mut places = self
            .directories
            .iter()
            .filter_map(|directory| Place::beneath(directory, &real));
        places.next().ok_or(outside)
    }
}

/// Something beneath a root: where it was a moment ago. Opening it again follows no link.
#[derive(Debug)]
pub(super) struct Place {
    root: OwnedFd,
    below: PathBuf,
    real: PathBuf,
}

impl Place {
    /// `real`, when it lies beneath a directory that exists.
    fn beneath(directory: &Path, real: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let none = ResolveFlags::empty();
        let root = openat2(CWD, directory, flags, Mode::empty(), none).ok()?;
        let rest = real.strip_prefix(real_path(&root).ok()?).ok()?;
        let below = if rest.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            rest.to_owned()
        };
        Some(Self {
            root,
            below,
            real: real.to_owned(),
        })
    }

    /// The path without links.
    pub(super) fn path(&self) -> &Path {
        &self.real
    }

    /// Opens it, beneath the root, following no link.
    pub(super) fn open(&self, flags: OFlags) -> Result<OwnedFd, FilesError> {
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC;
        Ok(openat2(
            &self.root,
            &self.below,
            flags,
            Mode::empty(),
            resolve,
        )?)
    }

    /// What it is, without opening it for use.
    pub(super) fn kind(&self) -> Result<FileType, FilesError> {
        let handle = self.open(OFlags::PATH)?;
        Ok(FileType::from_raw_mode(fstat(handle)?.st_mode))
    }
}

/// Directory and name of a file to be written.
pub(super) fn split(path: &str) -> Result<(&str, &str), FilesError> {
    check(path)?;
    let (parent, name) = path
        .rsplit_once('/')
        .ok_or(FilesError::Path("not absolute"))?;
    if matches!(name, "" | "." | "..") {
        return Err(FilesError::Path("it does not name a file"));
    }
    if name.chars().any(char::is_control) {
        return Err(FilesError::Path("a control character in the name"));
    }
    Ok((if parent.is_empty() { "/" } else { parent }, name))
}

fn check(path: &str) -> Result<(), FilesError> {
    if !path.starts_with('/') {
        return Err(FilesError::Path("not absolute"));
    }
    if path.contains('\0') {
        return Err(FilesError::Path("a NUL in it"));
    }
    if path.len() > MAX_PATH {
        return Err(FilesError::Path("longer than 4095 bytes"));
    }
    Ok(())
}

/// Where a handle is, as the kernel says it.
fn real_path(handle: impl AsFd) -> Result<PathBuf, FilesError> {
    let link = format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd());
    let target = readlinkat(CWD, link, Vec::new())?;
    Ok(PathBuf::from(OsStr::from_bytes(target.as_bytes())))
}
