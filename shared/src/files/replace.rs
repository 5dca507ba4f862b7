//! Changing a file in one step, its old content kept beside it.

use super::{FilesError, whole};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, RenameFlags, Uid, fchown, fsync, openat, renameat, renameat_with,
    unlinkat,
};
use rustix::io::Errno;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use uuid::Uuid;

/// Backups of one file in one second.
const MAX_BACKUPS: u32 = 1000;
/// Mode of a file that did not exist.
const NEW_MODE: u32 = 0o644;

/// A file as it was.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) bytes: Vec<u8>,
    mode: u32,
    owner: (u32, u32),
}

impl Old {
    /// The file of that name; `None` when there is none.
    ///
    /// # Errors
    /// [`FilesError::Not`] when something else than a regular file has the name.
    pub(super) fn open(
        folder: &OwnedFd,
        name: &str,
        limit: u64,
    ) -> Result<Option<Self>, FilesError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(folder, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(FilesError::Not("a regular file")),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata().map_err(FilesError::Io)?;
        Ok(Some(Self {
            mode: metadata.permissions().mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
            bytes: whole(&file, Path::new(name), limit)?.bytes,
        }))
    }
}

/// Puts `bytes` in the place of `old`; returns the name of the backup.
pub(super) fn replace(
    folder: &OwnedFd,
    name: &str,
    old: Option<&Old>,
    bytes: &[u8],
    now: Timestamp,
) -> Result<Option<String>, FilesError> {
    let backup = old.map(|old| back_up(folder, name, old, now)).transpose()?;
    let fresh = Fresh::create(folder, format!(".waygate-{}.tmp", Uuid::new_v4()))?;
    fresh.fill(bytes, old)?;
    if old.is_some() {
        renameat(folder, &fresh.name, folder, name)?;
    } else {
        put_in_place(folder, &fresh.name, name)?;
    }
    fresh.keep();
    fsync(folder)?;
    Ok(backup)
}

/// Renames to a name that nobody has.
fn put_in_place(folder: &OwnedFd, from: &str, to: &str) -> Result<(), FilesError> {
    match renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        Err(Errno::EXIST) => Err(FilesError::Raced),
        // A file system without the flag.
        Err(Errno::INVAL) => Ok(renameat(folder, from, folder, to)?),
        other => Ok(other?),
    }
}

fn back_up(folder: &OwnedFd, name: &str, old: &Old, now: Timestamp) -> Result<String, FilesError> {
    let stamp = now
        .to_zoned(TimeZone::UTC)
        .strftime("%Y%m%d_%H%M%S")
        .to_string();
    for number in 1..=MAX_BACKUPS {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("_{number}")
        };
        let copy = match Fresh::create(folder, format!("{name}.BAK_{stamp}{suffix}")) {
            Err(FilesError::Raced) => continue,
            other => other?,
        };
        copy.fill(&old.bytes, Some(old))?;
        return Ok(copy.keep());
    }
    Err(FilesError::Raced)
}

/// A file that did not exist before, removed again unless it is kept.
struct Fresh<'a> {
    folder: &'a OwnedFd,
    name: String,
    file: File,
    kept: bool,
}

impl<'a> Fresh<'a> {
    /// [`FilesError::Raced`] when the name is taken.
    fn create(folder: &'a OwnedFd, name: String) -> Result<Self, FilesError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match openat(folder, &name, flags, Mode::RUSR | Mode::WUSR) {
            Err(Errno::EXIST) => return Err(FilesError::Raced),
            other => File::from(other?),
        };
        Ok(Self {
            folder,
            name,
            file,
            kept: false,
        })
    }

    /// Content, owner and mode, on the disk.
    fn fill(&self, bytes: &[u8], like: Option<&Old>) -> Result<(), FilesError> {
        (&self.file).write_all(bytes).map_err(FilesError::Io)?;
        if let Some((uid, gid)) = like.map(|old| old.owner) {
            let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            if let Err(error) = fchown(&self.file, owner.0, owner.1) {
                tracing::debug!(event = "owner_not_kept", %error, "a file has a new owner");
            }
        }
        let mode = like.map_or(NEW_MODE, |old| old.mode);
        let permissions = Permissions::from_mode(mode);
        self.file
            .set_permissions(permissions)
            .map_err(FilesError::Io)?;
        self.file.sync_all().map_err(FilesError::Io)
    }

    fn keep(mut self) -> String {
        self.kept = true;
        std::mem::take(&mut self.name)
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = unlinkat(self.folder, &self.name, AtFlags::empty())
        {
            tracing::warn!(event = "file_left_behind", %error, "a temporary file was left behind");
        }
    }
}
