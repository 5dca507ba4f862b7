//! The files: documents in a folder per category, their versions and the deleted ones beside them.
//!
//! `<category>/<id>.md` is the present version, `.versions/<id>/<n>.md` every version, and
//! `.deleted/<id>.md` what was deleted. Files are replaced in one step. Links are not followed, hidden
//! files are not looked at. Calls block.

use crate::document::{Category, Document, DocumentError, MAX_BYTES, is_id, slug};
use shared::error::Code;
use shared::tool::ToolError;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Most documents.
pub(crate) const MAX_DOCUMENTS: usize = 10_000;
const VERSIONS: &str = ".versions";
const DELETED: &str = ".deleted";
const MAX_DEPTH: usize = 8;

/// The root of the store.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

/// A file that was found, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    /// By its folder.
    pub(crate) category: Category,
    /// By its name.
    pub(crate) id: String,
    /// Tells whether it was changed.
    pub(crate) stamp: Stamp,
}

/// Length and time of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    length: u64,
    /// When it was changed last.
    pub(crate) modified: SystemTime,
}

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// Too long.
    #[error("larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not text.
    #[error("not UTF-8 text")]
    Text(#[from] std::string::FromUtf8Error),
    /// Not as a document should be.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The file system failed.
    #[error("the file system failed")]
    Io(#[from] io::Error),
}

impl From<FolderError> for ToolError {
    fn from(error: FolderError) -> Self {
        let code = match &error {
            FolderError::TooLarge => Code::PayloadTooLarge,
            _ => Code::InternalError,
        };
        if let FolderError::Io(source) = &error {
            tracing::error!(event = "docs_file_failed", error = %source, "a file could not be used");
        }
        Self::new(code, format!("the document: {error}"))
    }
}

impl Folder {
    /// The store at this root, which is made when it is first written to.
    pub(crate) const fn new(root: PathBuf) -> Self {
        Self(root)
    }

    /// Every document, in a stable order, at most [`MAX_DOCUMENTS`].
    pub(crate) fn scan(&self) -> Result<Vec<Found>, FolderError> {
        let mut found = Vec::new();
        for category in Category::ALL {
            self.walk(category, category.name(), 0, &mut found)?;
        }
        found.truncate(MAX_DOCUMENTS);
        Ok(found)
    }

    fn walk(
        &self,
        category: Category,
        at: &str,
        depth: usize,
        found: &mut Vec<Found>,
    ) -> Result<(), FolderError> {
        let directory = self.0.join(at);
        let is_folder = fs::symlink_metadata(&directory).is_ok_and(|metadata| metadata.is_dir());
        if !is_folder || depth > MAX_DEPTH || found.len() > MAX_DOCUMENTS {
            return Ok(());
        }
        let mut entries = fs::read_dir(&directory)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
                continue;
            };
            let path = format!("{at}/{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.walk(category, &path, depth + 1, found)?;
            } else if let Some(stem) = name.strip_suffix(".md").filter(|_| kind.is_file()) {
                found.push(Found {
                    id: slug(stem),
                    category,
                    stamp: stamp(&entry.metadata()?)?,
                    path,
                });
            }
        }
        Ok(())
    }

    /// A document by its path from the root.
    pub(crate) fn read(&self, path: &str) -> Result<Document, FolderError> {
        let mut bytes = Vec::new();
        let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
        let file = File::open(self.0.join(path))?;
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() > MAX_BYTES {
            return Err(FolderError::TooLarge);
        }
        Ok(Document::parse(&String::from_utf8(bytes)?)?)
    }

    /// Writes a document, in one step; gives its stamp.
    pub(crate) fn write(&self, path: &str, document: &Document) -> Result<Stamp, FolderError> {
        let text = document.print()?;
        if text.len() > MAX_BYTES {
            return Err(FolderError::TooLarge);
        }
        let target = self.0.join(path);
        let parent = target.parent().unwrap_or(&self.0);
        fs::create_dir_all(parent)?;
        let neighbour = parent.join(format!(".{}.new", uuid::Uuid::new_v4().simple()));
        let written = put(&neighbour, &target, text.as_bytes());
        if written.is_err() {
            let _gone = fs::remove_file(&neighbour);
        }
        written?;
        File::open(parent)?.sync_all()?;
        stamp(&fs::symlink_metadata(&target)?)
    }

    /// Removes a file; one that is not there is removed.
    pub(crate) fn remove(&self, path: &str) -> Result<(), FolderError> {
        match fs::remove_file(self.0.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.0.join(path)).is_ok_and(|metadata| metadata.is_file())
    }

    /// Numbers of the versions that are kept, rising.
    pub(crate) fn versions(&self, id: &str) -> Result<Vec<u64>, FolderError> {
        let entries = match fs::read_dir(self.0.join(VERSIONS).join(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut versions = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".md"));
            versions.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        versions.sort_unstable();
        Ok(versions)
    }

    /// Ids of the deleted documents.
    pub(crate) fn deleted(&self) -> Result<Vec<String>, FolderError> {
        let entries = match fs::read_dir(self.0.join(DELETED)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut ids = Vec::new();
        for entry in entries.take(MAX_DOCUMENTS) {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".md"));
            ids.extend(id.filter(|id| is_id(id)).map(str::to_owned));
        }
        Ok(ids)
    }

    /// Forgets a deleted document and its versions for good.
    pub(crate) fn forget(&self, id: &str) -> Result<(), FolderError> {
        match fs::remove_dir_all(self.0.join(VERSIONS).join(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        self.remove(&deleted_path(id))
    }
}

/// Where the present version of a new document goes.
pub(crate) fn present_path(category: Category, id: &str) -> String {
    format!("{}/{id}.md", category.name())
}

/// Where a version is kept.
pub(crate) fn version_path(id: &str, version: u64) -> String {
    format!("{VERSIONS}/{id}/{version}.md")
}

/// Where a deleted document is kept.
pub(crate) fn deleted_path(id: &str) -> String {
    format!("{DELETED}/{id}.md")
}

fn put(neighbour: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .open(neighbour)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(neighbour, target)
}

fn stamp(metadata: &fs::Metadata) -> Result<Stamp, FolderError> {
    Ok(Stamp {
        length: metadata.len(),
        modified: metadata.modified()?,
    })
}
