//! Changes of documents. The version before is kept before its file is replaced.

use super::{Entry, Library, checked, entry_of, index_failed, unknown};
use crate::document::{Category, Document, Front, MAX_ID, slug};
use crate::folder::{Found, MAX_DOCUMENTS, deleted_path, present_path, version_path};
use jiff::{SignedDuration, Timestamp};
use shared::error::Code;
use shared::tool::ToolError;

/// How long deleted documents are kept: 30 days.
pub(crate) const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What became of a document that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// Whether it was there.
    pub(crate) deleted: bool,
    /// Until when it can come back.
    pub(crate) until: Timestamp,
}

impl Library {
    /// Adds a document under an id made of its title. `front` has title, tags, metadata and author.
    pub(crate) fn create(
        &self,
        category: Category,
        front: Front,
        content: String,
    ) -> Result<Entry, ToolError> {
        let _one_at_a_time = self.writing.lock();
        if self.shelf.read().entries.len() >= MAX_DOCUMENTS {
            let message = format!("the store is full: {MAX_DOCUMENTS} documents");
            return Err(ToolError::refused(Code::Conflict, message));
        }
        let id = self.free_id(category, &front.title)?;
        let now = self.clock.now();
        let document = Document {
            front: Front {
                id: id.clone(),
                created: Some(now),
                version: 1,
                ..front
            },
            content,
        };
        self.store(None, category, present_path(category, &id), document)
    }

    fn free_id(&self, category: Category, title: &str) -> Result<String, ToolError> {
        let base = slug(title);
        let numbered = (2..1000).map(|n| format!("{base}-{n}"));
        for id in std::iter::once(base.clone()).chain(numbered) {
            let used = self.shelf.read().entries.contains_key(&id)
                || self.folder.has(&deleted_path(&id))
                || self.folder.has(&present_path(category, &id))
                || !self.folder.versions(&id)?.is_empty();
            if !used && id.len() <= MAX_ID {
                return Ok(id);
            }
        }
        let message = "title: a thousand documents have it";
        Err(ToolError::refused(Code::AlreadyExists, message))
    }

    /// Makes a new version of a document; without a difference it stays as it is.
    pub(crate) fn change(
        &self,
        id: &str,
        expected: Option<u64>,
        edit: impl FnOnce(&mut Document, &mut Category),
    ) -> Result<Entry, ToolError> {
        let _one_at_a_time = self.writing.lock();
        let (entry, old) = self.present(id)?;
        if let Some(expected) = expected
            && expected != entry.doc.version
        {
            let version = entry.doc.version;
            let message = format!("{id} is at version {version}, not {expected}; read it again");
            let details = serde_json::json!({ "version": version });
            return Err(ToolError::refused(Code::Conflict, message).with_details(details));
        }
        let found = entry.found();
        let (_, old) = entry_of(&found, old);
        let (mut new, mut category) = (old.clone(), entry.category);
        edit(&mut new, &mut category);
        let same = Document {
            front: Front {
                author: old.front.author.clone(),
                version_note: old.front.version_note.clone(),
                ..new.front.clone()
            },
            content: new.content.clone(),
        };
        if same == old && category == entry.category {
            return Ok(entry);
        }
        new.front.version = self.keep(&entry, &old)? + 1;
        let path = match category == entry.category {
            true => entry.doc.path.clone(),
            false => present_path(category, id),
        };
        self.store(Some(&entry), category, path, new)
    }

    /// Makes an old version the newest; a deleted document comes back.
    pub(crate) fn revert(
        &self,
        id: &str,
        version: u64,
        (author, note): (&str, String),
    ) -> Result<Entry, ToolError> {
        let _one_at_a_time = self.writing.lock();
        let mut document = self.version(id, version)?;
        let entry = self.entry(id).ok();
        let last = match &entry {
            Some(entry) => self.keep(entry, &self.folder.read(&entry.doc.path)?)?,
            None => self.versions(id)?.last().copied().unwrap_or(version),
        };
        let category = document
            .front
            .category
            .or(entry.as_ref().map(|it| it.category));
        let category = category.unwrap_or(Category::Knowledge);
        let path = match &entry {
            Some(entry) if entry.category == category => entry.doc.path.clone(),
            _ => present_path(category, id),
        };
        document.front.version = last + 1;
        document.front.deleted = None;
        author.clone_into(&mut document.front.author);
        document.front.version_note = note;
        let stored = self.store(entry.as_ref(), category, path, document)?;
        self.folder.remove(&deleted_path(id))?;
        Ok(stored)
    }

    /// Takes a document out; its versions stay until [`KEPT`] is over.
    pub(crate) fn delete(&self, id: &str) -> Result<Deleted, ToolError> {
        let _one_at_a_time = self.writing.lock();
        let Ok((entry, mut document)) = self.present(id) else {
            return self.deleted(id);
        };
        self.keep(&entry, &document)?;
        let now = self.clock.now();
        document.front.deleted = Some(now);
        self.folder.write(&deleted_path(id), &document)?;
        self.folder.remove(&entry.doc.path)?;
        self.shelf.write().entries.remove(id);
        let gone = [(id.to_owned(), None)];
        self.index.put(gone).map_err(index_failed)?;
        Ok(Deleted {
            deleted: true,
            until: later(now),
        })
    }

    fn deleted(&self, id: &str) -> Result<Deleted, ToolError> {
        let path = deleted_path(checked(id)?);
        if !self.folder.has(&path) {
            return Err(unknown(id));
        }
        let at = self.folder.read(&path)?.front.deleted;
        Ok(Deleted {
            deleted: false,
            until: later(at.unwrap_or_else(|| self.clock.now())),
        })
    }

    /// Keeps the present version, also when somebody changed its file without us. Gives the number of
    /// the last version kept.
    fn keep(&self, entry: &Entry, present: &Document) -> Result<u64, ToolError> {
        let (id, version) = (&entry.doc.id, entry.doc.version);
        let (_, mut present) = entry_of(&entry.found(), present.clone());
        present.front.category = Some(entry.category);
        let last = self.folder.versions(id)?.last().copied().unwrap_or(0);
        let path = version_path(id, version);
        if !self.folder.has(&path) {
            self.folder.write(&path, &present)?;
            return Ok(last.max(version));
        }
        if self.folder.read(&path)?.content == present.content {
            return Ok(last);
        }
        present.front.version = last + 1;
        present.front.version_note = "changed outside".to_owned();
        self.folder.write(&version_path(id, last + 1), &present)?;
        Ok(last + 1)
    }

    /// Writes a version as the present one and keeps it.
    fn store(
        &self,
        previous: Option<&Entry>,
        category: Category,
        path: String,
        mut document: Document,
    ) -> Result<Entry, ToolError> {
        let moved = previous.is_none_or(|previous| previous.doc.path != path);
        if moved && self.folder.has(&path) {
            let message = format!("another file is in the place of {path}");
            return Err(ToolError::refused(Code::Conflict, message));
        }
        document.front.modified = Some(self.clock.now());
        document.front.category = Some(category);
        let stamp = self.folder.write(&path, &document)?;
        let (id, version) = (document.front.id.clone(), document.front.version);
        self.folder.write(&version_path(&id, version), &document)?;
        if let Some(previous) = previous.filter(|_| moved) {
            self.folder.remove(&previous.doc.path)?;
        }
        let found = Found {
            path,
            category,
            id: id.clone(),
            stamp,
        };
        let (entry, document) = entry_of(&found, document);
        self.shelf.write().add(entry.clone());
        let words = [(id, Some((category, document)))];
        self.index.put(words).map_err(index_failed)?;
        Ok(entry)
    }
}

impl Entry {
    fn found(&self) -> Found {
        Found {
            path: self.doc.path.clone(),
            category: self.category,
            id: self.doc.id.clone(),
            stamp: self.stamp,
        }
    }
}

fn later(at: Timestamp) -> Timestamp {
    at.saturating_add(KEPT).unwrap_or(Timestamp::MAX)
}
