//! The documents: what there is, found by word, and each change with its versions.
//!
//! The files are the truth; what is in memory follows them at every change and, for files that others
//! changed, every few minutes. One change at a time. What people may do is the tools' business.

mod change;
#[cfg(test)]
mod tests;

pub(crate) use change::KEPT;

use crate::document::{Category, Document, is_id};
use crate::folder::{Folder, FolderError, Found, MAX_DOCUMENTS, Stamp, deleted_path, version_path};
use crate::index::{Index, Matches, Wanted};
use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use schemars::JsonSchema;
use serde::Serialize;
use shared::clock::SharedClock;
use shared::error::Code;
use shared::tool::ToolError;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tantivy::TantivyError;

/// Problems that are remembered.
const MAX_PROBLEMS: usize = 20;

/// All documents.
#[derive(Debug)]
pub(crate) struct Library {
    folder: Folder,
    index: Index,
    shelf: RwLock<Shelf>,
    /// One change of files at a time.
    writing: Mutex<()>,
    clock: SharedClock,
}

/// What is known of the files.
#[derive(Debug, Default)]
struct Shelf {
    entries: BTreeMap<String, Entry>,
    problems: Vec<String>,
    indexed: Option<Timestamp>,
}

/// A document without its text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// What is told of it.
    pub(crate) doc: Doc,
    /// Its folder.
    pub(crate) category: Category,
    stamp: Stamp,
}

/// What is told of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Doc {
    /// Id.
    pub(crate) id: String,
    /// Title.
    pub(crate) title: String,
    /// Category.
    pub(crate) category: String,
    /// Tags.
    pub(crate) tags: Vec<String>,
    /// Path of its file in the store.
    pub(crate) path: String,
    /// When its first version was made.
    #[schemars(with = "String")]
    pub(crate) created: Timestamp,
    /// When this version was made.
    #[schemars(with = "String")]
    pub(crate) modified: Timestamp,
    /// Who made this version.
    pub(crate) author: String,
    /// Number of this version.
    pub(crate) version: u64,
}

/// How the store is.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// Documents.
    pub(crate) documents: usize,
    /// Size of the index.
    pub(crate) index_bytes: usize,
    /// When files were looked at last; `None`: not yet.
    pub(crate) indexed: Option<Timestamp>,
    /// Files that are no documents, and why.
    pub(crate) problems: Vec<String>,
}

impl Library {
    /// The documents beneath this root; no file is looked at yet.
    pub(crate) fn new(root: PathBuf, clock: SharedClock) -> Result<Self, TantivyError> {
        Ok(Self {
            folder: Folder::new(root),
            index: Index::new()?,
            shelf: RwLock::default(),
            writing: Mutex::default(),
            clock,
        })
    }

    /// Works on the documents where waiting does no harm.
    pub(crate) async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let library = Arc::clone(self);
        let ended = tokio::task::spawn_blocking(move || {
            let known = library.shelf.read().indexed.is_some();
            if !known {
                library.refresh()?;
            }
            work(&library)
        });
        ended.await.unwrap_or_else(|error| {
            tracing::error!(event = "docs_panicked", %error, "work on the documents broke off");
            let message = "work on the documents broke off";
            Err(ToolError::new(Code::InternalError, message))
        })
    }

    /// Looks at the files: what is new, changed or gone since. Blocks.
    pub(crate) fn refresh(&self) -> Result<(), ToolError> {
        let _one_at_a_time = self.writing.lock();
        let now = self.clock.now();
        self.forget_old(now)?;
        let before: BTreeMap<String, Entry> = {
            let shelf = self.shelf.read();
            let entries = shelf.entries.values();
            entries
                .map(|it| (it.doc.path.clone(), it.clone()))
                .collect()
        };
        let mut next = Shelf {
            indexed: Some(now),
            ..Shelf::default()
        };
        let mut changed = Vec::new();
        for found in self.folder.scan()? {
            match before.get(&found.path).filter(|it| it.stamp == found.stamp) {
                Some(entry) => next.add(entry.clone()),
                None => changed.push(found),
            }
        }
        let mut added = changed.into_iter();
        let read = std::iter::from_fn(|| Some(self.take_up(&added.next()?, &mut next)));
        let read: Vec<_> = self.index_read(read)?;
        let gone = {
            let shelf = self.shelf.read();
            let gone = shelf
                .entries
                .keys()
                .filter(|id| !next.entries.contains_key(*id));
            gone.cloned().collect::<Vec<_>>()
        };
        if !gone.is_empty() {
            let gone = gone.into_iter().map(|id| (id, None));
            self.index.put(gone).map_err(index_failed)?;
        }
        tracing::debug!(
            event = "docs_indexed",
            changed = read.len(),
            "documents were looked at"
        );
        *self.shelf.write() = next;
        Ok(())
    }

    /// Indexes what an iterator reads while it reads; gives the ids.
    fn index_read(
        &self,
        read: impl Iterator<Item = Option<(String, Category, Document)>>,
    ) -> Result<Vec<String>, ToolError> {
        let mut ids = Vec::new();
        let mut read = read.flatten().peekable();
        if read.peek().is_some() {
            let changes = read.map(|(id, category, document)| {
                ids.push(id.clone());
                (id, Some((category, document)))
            });
            self.index.put(changes).map_err(index_failed)?;
        }
        Ok(ids)
    }

    /// Reads a file that was found; `None` when it is no document.
    fn take_up(&self, found: &Found, next: &mut Shelf) -> Option<(String, Category, Document)> {
        let read = self.folder.read(&found.path);
        let (entry, document) = match read {
            Ok(document) => entry_of(found, document),
            Err(error) => {
                next.complain(&found.path, error);
                return None;
            }
        };
        let id = entry.doc.id.clone();
        if let Some(other) = next.entries.get(&id) {
            let message = format!("has the id of {}", other.doc.path);
            next.complain(&found.path, message);
            return None;
        }
        next.add(entry);
        Some((id, found.category, document))
    }

    /// Removes what was deleted long ago.
    fn forget_old(&self, now: Timestamp) -> Result<(), FolderError> {
        for id in self.folder.deleted()? {
            let deleted = self.folder.read(&deleted_path(&id));
            let deleted = deleted.ok().and_then(|document| document.front.deleted);
            if deleted.is_some_and(|at| now.duration_since(at) > KEPT) {
                self.folder.forget(&id)?;
            }
        }
        Ok(())
    }

    /// A document by its id.
    pub(crate) fn entry(&self, id: &str) -> Result<Entry, ToolError> {
        let shelf = self.shelf.read();
        shelf.entries.get(id).cloned().ok_or_else(|| unknown(id))
    }

    /// Every document, by id.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.shelf.read().entries.values().cloned().collect()
    }

    /// A document of the store with its text.
    pub(crate) fn present(&self, id: &str) -> Result<(Entry, Document), ToolError> {
        let entry = self.entry(id)?;
        let document = self.folder.read(&entry.doc.path)?;
        Ok((entry, document))
    }

    /// One version of a document, also of a deleted one.
    pub(crate) fn version(&self, id: &str, version: u64) -> Result<Document, ToolError> {
        if let Ok(entry) = self.entry(id)
            && entry.doc.version == version
        {
            return Ok(self.folder.read(&entry.doc.path)?);
        }
        let path = version_path(checked(id)?, version);
        if !self.folder.has(&path) {
            self.versions(id)?;
            let message = format!("{id} has no version {version}; docs.versions.list has them");
            return Err(ToolError::refused(Code::NotFound, message));
        }
        Ok(self.folder.read(&path)?)
    }

    /// Numbers of the versions of a document, rising, also of a deleted one.
    pub(crate) fn versions(&self, id: &str) -> Result<Vec<u64>, ToolError> {
        let mut versions = self.folder.versions(checked(id)?)?;
        versions.extend(self.entry(id).ok().map(|entry| entry.doc.version));
        versions.sort_unstable();
        versions.dedup();
        match versions.is_empty() {
            true => Err(unknown(id)),
            false => Ok(versions),
        }
    }

    /// Searches.
    pub(crate) fn search(&self, wanted: &Wanted<'_>, limit: usize) -> Result<Matches, ToolError> {
        self.index.search(wanted, limit).map_err(index_failed)
    }

    /// How the store is.
    pub(crate) fn figures(&self) -> Figures {
        let shelf = self.shelf.read();
        Figures {
            documents: shelf.entries.len(),
            index_bytes: self.index.bytes(),
            indexed: shelf.indexed,
            problems: shelf.problems.clone(),
        }
    }
}

impl Shelf {
    fn add(&mut self, entry: Entry) {
        if self.entries.len() < MAX_DOCUMENTS {
            self.entries.insert(entry.doc.id.clone(), entry);
        }
    }

    fn complain(&mut self, path: &str, problem: impl std::fmt::Display) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(format!("{path}: {problem}"));
        }
    }
}

/// What is known of a file that was read; the document as it is from then on.
fn entry_of(found: &Found, mut document: Document) -> (Entry, Document) {
    let heading = document.heading().unwrap_or(&found.id).to_owned();
    let changed = Timestamp::try_from(found.stamp.modified).unwrap_or_default();
    let front = &mut document.front;
    if !is_id(&front.id) {
        front.id.clone_from(&found.id);
    }
    if front.title.trim().is_empty() {
        front.title = heading;
    }
    let modified = *front.modified.get_or_insert(changed);
    let created = *front.created.get_or_insert(modified);
    front.version = front.version.max(1);
    let doc = Doc {
        id: front.id.clone(),
        title: front.title.clone(),
        category: found.category.name().to_owned(),
        tags: front.tags.clone(),
        path: found.path.clone(),
        created,
        modified,
        author: front.author.clone(),
        version: front.version,
    };
    let entry = Entry {
        doc,
        category: found.category,
        stamp: found.stamp,
    };
    (entry, document)
}

/// An id that may be part of a path.
fn checked(id: &str) -> Result<&str, ToolError> {
    match is_id(id) {
        true => Ok(id),
        false => Err(ToolError::invalid(
            "doc_id",
            "is no id: small letters, digits and dashes",
        )),
    }
}

fn unknown(id: &str) -> ToolError {
    let message = format!("there is no document {id:?}; docs.search and docs.list find them");
    ToolError::refused(Code::NotFound, message)
}

fn index_failed(error: TantivyError) -> ToolError {
    tracing::error!(event = "docs_index_failed", %error, "the index failed");
    ToolError::new(Code::InternalError, "the index of the documents failed")
}
