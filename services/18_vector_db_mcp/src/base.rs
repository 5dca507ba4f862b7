//! What the tools work with: the store, what makes vectors, and the vectors of collections in use.

use crate::embed::{DIMENSION, Embedder};
use crate::filter::Filter;
use crate::nearest::{Near, Vectors};
use crate::store::{Collection, MAX_DOCUMENTS, Row, Store};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use shared::error::Code;
use shared::tool::ToolError;
use std::collections::VecDeque;
use std::sync::Arc;

/// Vectors that are held in memory, of all collections.
const MAX_HELD: usize = 200_000;

/// The whole of it.
#[derive(Debug)]
pub(crate) struct Base {
    /// Collections and documents.
    pub(crate) store: Store,
    /// What makes vectors.
    pub(crate) embedder: Embedder,
    /// Collection that is made when it is first written to.
    pub(crate) default: String,
    held: Mutex<VecDeque<(i64, Arc<Vectors>)>>,
}

/// A document to be written: id, text, facts; without facts those it has stay.
pub(crate) type Written = (String, String, Option<Map<String, Value>>);

/// A document that was found.
#[derive(Debug)]
pub(crate) struct Hit {
    /// Where and how near.
    pub(crate) near: Near,
    /// Its text.
    pub(crate) document: String,
}

impl Base {
    /// Puts the parts together.
    pub(crate) fn new(store: Store, embedder: Embedder, default: String) -> Self {
        Self {
            store,
            embedder,
            default,
            held: Mutex::default(),
        }
    }

    /// A collection as it would be new.
    pub(crate) fn blank(&self, name: &str) -> Collection {
        let dimension = match self.embedder {
            Embedder::Hash { .. } => DIMENSION,
            _ => 0,
        };
        Collection {
            number: 0,
            name: name.to_owned(),
            description: String::new(),
            metadata: Map::new(),
            model: self.embedder.model().to_owned(),
            dimension,
            generation: 0,
            count: 0,
        }
    }

    /// A collection that is there.
    pub(crate) async fn find(&self, owner: &str, name: &str) -> Result<Collection, ToolError> {
        let known = self.store.collection(owner, name).await?;
        known.ok_or_else(|| {
            let message =
                format!("there is no collection {name:?}; vector.collection.list has them");
            ToolError::refused(Code::NotFound, message)
        })
    }

    /// A collection that is there from now on.
    pub(crate) async fn ensure(&self, owner: &str, name: &str) -> Result<Collection, ToolError> {
        if let Some(known) = self.store.collection(owner, name).await? {
            return Ok(known);
        }
        self.store.create(owner, &self.blank(name)).await?;
        let known = self.store.collection(owner, name).await?;
        known.ok_or_else(too_many)
    }

    /// Writes documents into a collection.
    pub(crate) async fn put(
        &self,
        into: &Collection,
        documents: Vec<Written>,
    ) -> Result<(), ToolError> {
        self.same_model(into)?;
        let texts: Vec<String> = documents.iter().map(|(_, text, _)| text.clone()).collect();
        let vectors = self.embedder.embed(&texts).await?;
        let rows = documents.into_iter().zip(vectors);
        let rows: Vec<Row> = rows
            .map(|((id, document, metadata), vector)| Row {
                id,
                document,
                metadata,
                vector,
            })
            .collect();
        match self.store.put(into, &rows).await? {
            true => Ok(()),
            false => {
                let message = format!(
                    "{} takes at most {MAX_DOCUMENTS} documents with vectors of one dimension",
                    into.name
                );
                Err(ToolError::refused(Code::Conflict, message))
            }
        }
    }

    /// The documents nearest to a vector, nearest first.
    pub(crate) async fn search(
        &self,
        within: &Collection,
        to: &Arc<Vec<f32>>,
        n: usize,
        filter: &Filter,
    ) -> Result<Vec<Hit>, ToolError> {
        let vectors = self.vectors(within).await?;
        let (to, filter) = (Arc::clone(to), filter.clone());
        let near = tokio::task::spawn_blocking(move || vectors.nearest(&to, n, &filter)).await;
        let near = near.map_err(|error| {
            tracing::error!(event = "vector.panicked", %error, "a search broke off");
            ToolError::new(Code::InternalError, "the search broke off")
        })?;
        let ids = near.iter().map(|near| near.id.as_str());
        let mut texts = self.store.texts(within, ids).await?;
        let hits = near.into_iter().filter_map(|near| {
            // What was removed meanwhile is not found.
            let document = texts.remove(&near.id)?;
            Some(Hit { near, document })
        });
        Ok(hits.collect())
    }

    /// Vectors of one model only can be compared.
    pub(crate) fn same_model(&self, with: &Collection) -> Result<(), ToolError> {
        let (own, theirs) = (self.embedder.model(), &with.model);
        match own == theirs {
            true => Ok(()),
            false => {
                let message = format!("{} has vectors of {theirs}, not of {own}", with.name);
                Err(ToolError::refused(Code::Conflict, message))
            }
        }
    }

    async fn vectors(&self, of: &Collection) -> Result<Arc<Vectors>, ToolError> {
        let fresh =
            |held: &(i64, Arc<Vectors>)| held.0 == of.number && held.1.generation == of.generation;
        let held = self.held.lock().iter().find(|it| fresh(it)).cloned();
        if let Some((_, vectors)) = held {
            return Ok(vectors);
        }
        let vectors = Arc::new(self.store.vectors(of).await?);
        let mut held = self.held.lock();
        held.retain(|(number, _)| *number != of.number);
        held.push_back((of.number, Arc::clone(&vectors)));
        while held.iter().map(|(_, it)| it.len()).sum::<usize>() > MAX_HELD && held.len() > 1 {
            held.pop_front();
        }
        Ok(vectors)
    }
}

/// The refusal of one collection more.
pub(crate) fn too_many() -> ToolError {
    ToolError::refused(
        Code::QuotaExceeded,
        "an organisation has at most 200 collections",
    )
}
