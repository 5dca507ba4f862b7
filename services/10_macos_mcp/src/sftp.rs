//! Files of another host over SFTP, version 3 as OpenSSH speaks it.
//!
//! A path is resolved by the server (`realpath`) and judged by where it leads; the roots are resolved
//! there, too, since `/tmp` is a link on a Mac. What is opened is looked at again afterwards. The
//! protocol cannot open a file without following links, so between the two looks somebody with an
//! account over there could swap one in for an instant; whoever can do that can read the file anyway.
//! Requests are sent one by one; how long they may take in all is the caller's business.

use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{File, FileAttributes, OpenFlags, Packet, StatusCode};
use shared::files::{FilesError, Roots};
use ssh::Link;
use std::io;

/// Bytes of one request; servers take 32 KiB at least.
const PART: u32 = 32 * 1024;
/// Type of a file in its mode.
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const SYMLINK: u32 = 0o120_000;

/// An SFTP session and the connection it runs on.
pub(crate) struct Sftp {
    session: RawSftpSession,
    link: Link,
}

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
    Other,
}

/// What the server says of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    /// Permission bits (07777).
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    /// Seconds since 1970.
    pub(crate) modified: u32,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Name of the owner, or the number.
    pub(crate) owner: String,
    pub(crate) facts: Facts,
}

impl Sftp {
    /// Begins to speak SFTP on a connection.
    pub(crate) async fn begin(link: Link) -> Result<Self, FilesError> {
        let stream = link.subsystem("sftp").await;
        let stream = stream.map_err(|error| FilesError::Io(io::Error::other(error)))?;
        let session = RawSftpSession::new(stream);
        session.init().await.map_err(fault)?;
        Ok(Self { session, link })
    }

    /// Says goodbye.
    pub(crate) async fn end(self) {
        drop(self.session);
        self.link.close().await;
    }

    /// Where a path leads, links resolved, when that is beneath one of the roots.
    pub(crate) async fn find(
        &self,
        path: &str,
        roots: &Roots,
        setting: &'static str,
    ) -> Result<String, FilesError> {
        check(path)?;
        let real = match self.real(path).await {
            Ok(real) => real,
            // Outside, whether something exists is not told.
            Err(FilesError::NotFound | FilesError::Denied) if !roots.hold_by_name(path) => {
                return Err(FilesError::Outside { allowed: setting });
            }
            Err(error) => return Err(error),
        };
        let mut there = Vec::new();
        for root in roots.directories() {
            // One that does not exist allows nothing.
            if let Some(root) = root.to_str()
                && let Ok(real) = self.real(root).await
            {
                there.push(real);
            }
        }
        match Roots::new(there, setting).hold_by_name(&real) {
            true => Ok(real),
            false => Err(FilesError::Outside { allowed: setting }),
        }
    }

    async fn real(&self, path: &str) -> Result<String, FilesError> {
        let name = self.session.realpath(path).await.map_err(fault)?;
        let file = name.files.into_iter().next();
        file.map(|file| file.filename).ok_or(FilesError::NotFound)
    }

    /// What a path is, links not followed; `None` when there is nothing.
    pub(crate) async fn look(&self, path: &str) -> Result<Option<Facts>, FilesError> {
        match self.session.lstat(path).await.map_err(fault) {
            Ok(found) => Ok(Some(facts(&found.attrs))),
            Err(FilesError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A regular file, at most `limit` bytes; `real` is free of links.
    pub(crate) async fn read(
        &self,
        real: &str,
        limit: u64,
    ) -> Result<(Vec<u8>, Facts), FilesError> {
        let before = self.look(real).await?.ok_or(FilesError::NotFound)?;
        if before.kind != Kind::File {
            return Err(FilesError::Not("a regular file"));
        }
        if before.size > limit {
            return Err(FilesError::TooLarge { limit });
        }
        let opened = self
            .session
            .open(real, OpenFlags::READ, FileAttributes::empty())
            .await;
        let handle = opened.map_err(fault)?.handle;
        let bytes = self.drain(&handle, limit).await;
        self.close(handle).await;
        let bytes = bytes?;
        match self.real(real).await? == real {
            true => Ok((bytes, before)),
            false => Err(FilesError::Raced),
        }
    }

    async fn drain(&self, handle: &str, limit: u64) -> Result<Vec<u8>, FilesError> {
        let opened = self.session.fstat(handle).await.map_err(fault)?;
        if facts(&opened.attrs).kind != Kind::File {
            return Err(FilesError::Raced);
        }
        let mut bytes = Vec::new();
        loop {
            let at = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if at > limit {
                return Err(FilesError::TooLarge { limit });
            }
            match self.session.read(handle, at, PART).await {
                Ok(part) if part.data.is_empty() => return Ok(bytes),
                Ok(part) => bytes.extend_from_slice(&part.data),
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => {
                    return Ok(bytes);
                }
                Err(error) => return Err(fault(error)),
            }
        }
    }

    /// The first `max` entries of a folder in the order of their names, and whether there are more.
    pub(crate) async fn list(
        &self,
        real: &str,
        max: usize,
    ) -> Result<(Vec<Entry>, bool), FilesError> {
        match self.look(real).await? {
            Some(found) if found.kind == Kind::Directory => {}
            Some(_) => return Err(FilesError::Not("a directory")),
            None => return Err(FilesError::NotFound),
        }
        let handle = self.session.opendir(real).await.map_err(fault)?.handle;
        let names = self.names(&handle).await;
        self.close(handle).await;
        let (mut entries, cut) = names?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let more = cut || entries.len() > max;
        entries.truncate(max);
        Ok((entries, more))
    }

    async fn names(&self, handle: &str) -> Result<(Vec<Entry>, bool), FilesError> {
        const MOST: usize = 100_000;
        let mut entries = Vec::new();
        loop {
            match self.session.readdir(handle).await {
                Ok(found) if found.files.is_empty() => return Ok((entries, false)),
                Ok(found) => entries.extend(found.files.into_iter().filter_map(entry)),
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => {
                    return Ok((entries, false));
                }
                Err(error) => return Err(fault(error)),
            }
            if entries.len() > MOST {
                return Ok((entries, true));
            }
        }
    }

    /// Writes a file that must not exist yet, down to the disk; removes it again when that fails.
    pub(crate) async fn create(
        &self,
        path: &str,
        bytes: &[u8],
        mode: u32,
    ) -> Result<(), FilesError> {
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
        let mut attributes = FileAttributes::empty();
        attributes.permissions = Some(0o600);
        let opened = match self.session.open(path, flags, attributes).await {
            Ok(opened) => opened,
            // The protocol has no word for a name that is taken.
            Err(_) if self.look(path).await?.is_some() => return Err(FilesError::Raced),
            Err(error) => return Err(fault(error)),
        };
        let filled = self.fill(&opened.handle, bytes, mode).await;
        self.close(opened.handle).await;
        if filled.is_err() {
            self.remove(path).await;
        }
        filled
    }

    async fn fill(&self, handle: &str, bytes: &[u8], mode: u32) -> Result<(), FilesError> {
        let mut at: u64 = 0;
        for part in bytes.chunks(usize::try_from(PART).unwrap_or(usize::MAX)) {
            let written = self.session.write(handle, at, part.to_vec()).await;
            written.map_err(fault)?;
            at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        }
        let mut attributes = FileAttributes::empty();
        attributes.permissions = Some(mode);
        let changed = self.session.fsetstat(handle, attributes).await;
        changed.map_err(fault)?;
        match self.session.fsync(handle).await {
            Err(Error::Status(status)) if status.status_code == StatusCode::OpUnsupported => Ok(()),
            synced => synced.map(drop).map_err(fault),
        }
    }

    /// Renames over whatever has the name, in one step.
    pub(crate) async fn replace(&self, from: &str, to: &str) -> Result<(), FilesError> {
        let mut data = Vec::new();
        for text in [from, to] {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            data.extend_from_slice(&length.to_be_bytes());
            data.extend_from_slice(text.as_bytes());
        }
        let answer = self.session.extended("posix-rename@openssh.com", data);
        match answer.await.map_err(fault)? {
            Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
            Packet::Status(status) => Err(fault(Error::Status(status))),
            _ => Err(FilesError::Io(io::Error::other("an odd answer"))),
        }
    }

    /// Removes a file this session made.
    pub(crate) async fn remove(&self, path: &str) {
        if let Err(error) = self.session.remove(path).await {
            tracing::warn!(event = "file_left_behind", %error, "a temporary file was left behind");
        }
    }

    async fn close(&self, handle: String) {
        if let Err(error) = self.session.close(handle).await {
            tracing::debug!(event = "sftp_close", %error, "a file was not closed");
        }
    }
}

/// Refuses what is not a path to look at.
fn check(path: &str) -> Result<(), FilesError> {
    if !path.starts_with('/') {
        return Err(FilesError::Path("not absolute"));
    }
    if path.chars().any(char::is_control) {
        return Err(FilesError::Path("a control character in it"));
    }
    if path.len() > 1023 {
        return Err(FilesError::Path("longer than 1023 bytes"));
    }
    Ok(())
}

fn facts(attributes: &FileAttributes) -> Facts {
    let mode = attributes.permissions.unwrap_or_default();
    Facts {
        kind: match mode & TYPE {
            REGULAR => Kind::File,
            DIRECTORY => Kind::Directory,
            SYMLINK => Kind::Symlink,
            _ => Kind::Other,
        },
        size: attributes.size.unwrap_or_default(),
        mode: mode & 0o7777,
        uid: attributes.uid.unwrap_or_default(),
        modified: attributes.mtime.unwrap_or_default(),
    }
}

fn entry(file: File) -> Option<Entry> {
    if matches!(file.filename.as_str(), "." | "..") {
        return None;
    }
    let facts = facts(&file.attrs);
    // As `ls -l` writes it: mode, links, owner.
    let owner = file.longname.split_whitespace().nth(2);
    Some(Entry {
        owner: owner.map_or_else(|| facts.uid.to_string(), str::to_owned),
        name: file.filename,
        facts,
    })
}

fn fault(error: Error) -> FilesError {
    match &error {
        Error::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => FilesError::NotFound,
            StatusCode::PermissionDenied => FilesError::Denied,
            _ => FilesError::Io(io::Error::other(error)),
        },
        _ => FilesError::Io(io::Error::other(error)),
    }
}
