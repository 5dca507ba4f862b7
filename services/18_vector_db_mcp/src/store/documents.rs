//! The documents of a collection.

use super::{Collection, Store, StoreError, map, text, unsigned};
use crate::nearest::Vectors;
use futures::TryStreamExt;
use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;
use std::collections::HashMap;

/// Most documents of a collection.
pub(crate) const MAX_DOCUMENTS: usize = 100_000;

/// A document with its vector.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Id.
    pub(crate) id: String,
    /// Text.
    pub(crate) document: String,
    /// What is noted of it; `None`: as it was.
    pub(crate) metadata: Option<Map<String, Value>>,
    /// Its vector, of length one.
    pub(crate) vector: Vec<f32>,
}

impl Store {
    /// Writes documents, in place of those with their ids, all or none. `false`: the collection has
    /// vectors of another dimension, or would be too full.
    pub(crate) async fn put(&self, into: &Collection, rows: &[Row]) -> Result<bool, StoreError> {
        let dimension = rows.first().map_or(0, |row| row.vector.len());
        let mut change = self.0.begin_with("BEGIN IMMEDIATE").await?;
        for row in rows {
            sqlx::query(
                "INSERT INTO documents (collection, id, document, metadata, vector)
                 VALUES (?1, ?2, ?3, coalesce(?4, '{}'), ?5)
                 ON CONFLICT (collection, id) DO UPDATE
                 SET document = ?3, metadata = coalesce(?4, metadata), vector = ?5",
            )
            .bind(into.number)
            .bind(&row.id)
            .bind(&row.document)
            .bind(row.metadata.as_ref().map(text))
            .bind(bytes(&row.vector))
            .execute(&mut *change)
            .await?;
        }
        let kept = sqlx::query(
            "UPDATE collections SET dimension = ?2 WHERE number = ?1 AND dimension IN (0, ?2)",
        )
        .bind(into.number)
        .bind(i64::try_from(dimension).unwrap_or(0))
        .execute(&mut *change)
        .await?;
        let count = recount(&mut change, into.number).await?;
        if kept.rows_affected() == 0 || count > MAX_DOCUMENTS {
            change.rollback().await?;
            return Ok(false);
        }
        change.commit().await?;
        Ok(true)
    }

    /// Whether a collection has a document of this id.
    pub(crate) async fn has(&self, of: &Collection, id: &str) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM documents WHERE collection = ? AND id = ?")
            .bind(of.number)
            .bind(id)
            .fetch_optional(&self.0)
            .await?;
        Ok(row.is_some())
    }

    /// Removes documents; gives how many there were.
    pub(crate) async fn remove(&self, of: &Collection, ids: &[String]) -> Result<u64, StoreError> {
        let mut change = self.0.begin_with("BEGIN IMMEDIATE").await?;
        let mut removed = 0;
        for id in ids {
            let done = sqlx::query("DELETE FROM documents WHERE collection = ? AND id = ?")
                .bind(of.number)
                .bind(id)
                .execute(&mut *change)
                .await?;
            removed += done.rows_affected();
        }
        recount(&mut change, of.number).await?;
        change.commit().await?;
        Ok(removed)
    }

    /// The texts of documents, by id.
    pub(crate) async fn texts<'a>(
        &self,
        of: &Collection,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<HashMap<String, String>, StoreError> {
        let mut texts = HashMap::new();
        for id in ids {
            let row = sqlx::query("SELECT document FROM documents WHERE collection = ? AND id = ?")
                .bind(of.number)
                .bind(id)
                .fetch_optional(&self.0)
                .await?;
            if let Some(row) = row {
                texts.insert(id.to_owned(), row.try_get("document")?);
            }
        }
        Ok(texts)
    }

    /// Every vector of a collection.
    pub(crate) async fn vectors(&self, of: &Collection) -> Result<Vectors, StoreError> {
        let mut vectors = Vectors::new(of.generation, of.dimension);
        let mut rows =
            sqlx::query("SELECT id, metadata, vector FROM documents WHERE collection = ?")
                .bind(of.number)
                .fetch(&self.0);
        while let Some(row) = rows.try_next().await? {
            let metadata: String = row.try_get("metadata")?;
            let bytes: Vec<u8> = row.try_get("vector")?;
            vectors.push(row.try_get("id")?, map(&metadata), &floats(&bytes));
        }
        Ok(vectors)
    }
}

/// Counts again and raises the generation.
async fn recount(change: &mut SqliteConnection, number: i64) -> Result<usize, StoreError> {
    let row = sqlx::query(
        "UPDATE collections SET generation = generation + 1,
         count = (SELECT count(*) FROM documents WHERE collection = ?1)
         WHERE number = ?1 RETURNING count",
    )
    .bind(number)
    .fetch_one(change)
    .await?;
    Ok(unsigned(row.try_get("count")?))
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|part| part.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (parts, _odd) = bytes.as_chunks::<4>();
    parts.iter().map(|part| f32::from_le_bytes(*part)).collect()
}
