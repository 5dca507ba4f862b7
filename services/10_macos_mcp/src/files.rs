//! Reading, listing and writing on a Mac within the rules of this spoke.

use crate::mac::Mac;
use crate::sftp::{Entry, Facts, Kind, Sftp};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use shared::error::Code;
use shared::files::{FilesError, Writing, sha256};
use shared::outcome::{self, Listing, Written};
use shared::tool::ToolError;
use ssh::Pinned;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// Entries of one answer.
const MOST: usize = 1000;
/// Backups of one file in one second.
const MAX_BACKUPS: u32 = 100;
/// Mode of a file that did not exist.
const NEW_MODE: u32 = 0o644;

/// A file and where it is, links resolved.
pub(crate) struct Contents {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) modified_at: Timestamp,
}

/// What shall be written where.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) path: String,
    pub(crate) content: String,
    pub(crate) writing: Writing,
}

/// Reads a file under `ALLOWED_READ_PATHS`.
pub(crate) async fn read(
    mac: &Mac,
    pinned: Pinned,
    path: &str,
    patience: Duration,
) -> Result<Contents, ToolError> {
    let sftp = begin(mac, pinned, patience).await?;
    let work = async {
        let real = find(&sftp, path, mac).await?;
        let (bytes, facts) = sftp.read(&real, mac.rules.max_bytes).await?;
        Ok(Contents {
            path: real,
            bytes,
            modified_at: time(&facts),
        })
    };
    let done = within(patience, work).await;
    sftp.end().await;
    done
}

/// Lists a folder under `ALLOWED_READ_PATHS`.
pub(crate) async fn list(
    mac: &Mac,
    pinned: Pinned,
    path: &str,
    patience: Duration,
) -> Result<Listing, ToolError> {
    let sftp = begin(mac, pinned, patience).await?;
    let work = async {
        let real = find(&sftp, path, mac).await?;
        let (entries, truncated) = sftp.list(&real, MOST).await?;
        let entries = entries.into_iter().map(|entry| listed(&real, entry));
        let entries = entries.collect();
        Ok(Listing::of(real, entries, truncated))
    };
    let done = within(patience, work).await;
    sftp.end().await;
    done
}

/// Whether a write could go ahead as far as that is known without asking the Mac: type, size, shape
/// of the path.
pub(crate) fn check(mac: &Mac, draft: &Draft) -> Result<(), FilesError> {
    let (_, name) = split(&draft.path)?;
    mac.rules.check_size(draft.content.len())?;
    mac.rules.check_type(name)
}

/// Writes a file under `ALLOWED_WRITE_PATHS`: a copy of the old one beside it, new content to a
/// neighbour, then renamed. Goes on when the caller goes away.
pub(crate) async fn write(
    mac: &Arc<Mac>,
    pinned: Pinned,
    draft: Draft,
    patience: Duration,
) -> Result<Written, ToolError> {
    check(mac, &draft)?;
    let sftp = begin(mac, pinned, patience).await?;
    let own = Arc::clone(mac);
    let work = async move {
        let done = within(patience, put(&own, &sftp, &draft)).await;
        sftp.end().await;
        done
    };
    match mac.tasks.spawn("sftp", work).await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(event = "file_task_lost", %error, "work with files was lost");
            Err(ToolError::new(
                Code::InternalError,
                "the work with files was lost",
            ))
        }
    }
}

async fn put(mac: &Mac, sftp: &Sftp, draft: &Draft) -> Result<Written, FilesError> {
    let rules = &mac.rules;
    let (parent, name) = split(&draft.path)?;
    let folder = sftp
        .find(parent, &rules.write, "ALLOWED_WRITE_PATHS")
        .await?;
    let path = format!("{}/{name}", folder.trim_end_matches('/'));
    let old = match sftp.look(&path).await? {
        None => None,
        Some(_) => Some(sftp.read(&path, rules.max_bytes).await?),
    };
    let mut bytes = match (&old, draft.writing) {
        (Some((old, _)), Writing::Append) => old.clone(),
        _ => Vec::new(),
    };
    bytes.extend_from_slice(draft.content.as_bytes());
    rules.check_size(bytes.len())?;
    let mode = old.as_ref().map_or(NEW_MODE, |(_, facts)| facts.mode);
    let backup = match &old {
        None => None,
        Some((old, _)) => Some(back_up(mac, sftp, &path, (old, mode)).await?),
    };
    let fresh = format!(
        "{}/.waygate-{}.tmp",
        folder.trim_end_matches('/'),
        Uuid::new_v4()
    );
    sftp.create(&fresh, &bytes, mode).await?;
    if let Err(error) = sftp.replace(&fresh, &path).await {
        sftp.remove(&fresh).await;
        return Err(error);
    }
    let hash = sha256(&bytes);
    Ok(Written::of(&draft.content, path, backup, hash))
}

async fn back_up(
    mac: &Mac,
    sftp: &Sftp,
    path: &str,
    (bytes, mode): (&[u8], u32),
) -> Result<String, FilesError> {
    let now = mac.clock.now().to_zoned(TimeZone::UTC);
    let stamp = now.strftime("%Y%m%d_%H%M%S").to_string();
    for number in 1..=MAX_BACKUPS {
        let copy = match number {
            1 => format!("{path}.BAK_{stamp}"),
            _ => format!("{path}.BAK_{stamp}_{number}"),
        };
        match sftp.create(&copy, bytes, mode).await {
            Err(FilesError::Raced) => {}
            other => return other.map(|()| copy),
        }
    }
    Err(FilesError::Raced)
}

async fn begin(mac: &Mac, pinned: Pinned, patience: Duration) -> Result<Sftp, ToolError> {
    let link = mac.hosts.open(pinned, patience).await?;
    within(patience, Sftp::begin(link)).await
}

async fn find(sftp: &Sftp, path: &str, mac: &Mac) -> Result<String, FilesError> {
    let read = &mac.rules.read;
    sftp.find(path, read, "ALLOWED_READ_PATHS").await
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, FilesError>>,
) -> Result<T, ToolError> {
    match timeout(patience, work).await {
        Ok(done) => Ok(done?),
        Err(_elapsed) => Err(ToolError::new(
            Code::Timeout,
            "the host did not answer in time",
        )),
    }
}

/// Folder and name of a file to be written.
fn split(path: &str) -> Result<(&str, &str), FilesError> {
    let (parent, name) = path
        .rsplit_once('/')
        .ok_or(FilesError::Path("not absolute"))?;
    if matches!(name, "" | "." | "..") {
        return Err(FilesError::Path("it does not name a file"));
    }
    if !path.starts_with('/') || path.chars().any(char::is_control) {
        return Err(FilesError::Path(
            "not absolute, or a control character in it",
        ));
    }
    Ok((if parent.is_empty() { "/" } else { parent }, name))
}

fn listed(folder: &str, entry: Entry) -> outcome::Entry {
    let kind = match entry.facts.kind {
        Kind::File => "file",
        Kind::Directory => "dir",
        Kind::Symlink => "symlink",
        Kind::Other => "other",
    };
    outcome::Entry {
        path: format!("{}/{}", folder.trim_end_matches('/'), entry.name),
        name: entry.name,
        kind: kind.into(),
        size_bytes: entry.facts.size,
        mode: format!("{:04o}", entry.facts.mode),
        owner: entry.owner,
        modified_at: time(&entry.facts).to_string(),
    }
}

fn time(facts: &Facts) -> Timestamp {
    Timestamp::from_second(facts.modified.into()).unwrap_or_default()
}
