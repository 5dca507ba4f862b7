//! Many records in one transaction: linked, inserted many rows at a time, signed at the end.

use super::Writer;
use crate::audit::chain::{COLUMNS, Entry, Head};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::list::head;
use crate::audit::record::Draft;
use crate::store::{Statement, StoreError, micros};
use std::sync::Arc;

/// How often a batch is linked again because another process wrote in between.
const ATTEMPTS: u32 = 8;
/// The same for a record with statements of its own.
const COUPLED_ATTEMPTS: u32 = 4;
/// Rows per statement. Few different texts, so that the database prepares each once.
const CHUNKS: [usize; 4] = [100, 25, 5, 1];

/// Commits batches; remembers the end of the chain between them.
pub(in crate::audit::writer) struct Batches {
    writer: Writer,
    inserts: [(usize, Arc<str>); 4],
    /// `None` when it has to be read again.
    head: Option<Head>,
}

impl Batches {
    pub(in crate::audit::writer) fn new(writer: Writer) -> Self {
        let embedded = writer.store.is_embedded();
        Self {
            writer,
            inserts: CHUNKS.map(|rows| (rows, insert_sql(rows, embedded))),
            head: None,
        }
    }

    /// Writes all of them, in order, in one transaction; again if another process was faster. Gives
    /// back the signature of the end.
    pub(in crate::audit::writer) async fn commit<'a>(
        &mut self,
        drafts: impl Iterator<Item = &'a Draft> + Clone,
    ) -> Result<Checkpoint, StoreError> {
        let mut attempt = 1;
        loop {
            match self.try_commit(Vec::new(), drafts.clone()).await {
                Err(StoreError::Exists(_)) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    /// Writes one record in one transaction with `statements`, which stand or fall with it. A unique
    /// rule they break looks like another process that was faster, so it takes some attempts to be
    /// believed.
    pub(in crate::audit::writer) async fn commit_with(
        &mut self,
        statements: Vec<Statement>,
        draft: &Draft,
    ) -> Result<Checkpoint, StoreError> {
        let mut attempt = 1;
        loop {
            let one = std::iter::once(draft);
            match self.try_commit(statements.clone(), one).await {
                Err(StoreError::Exists(_)) if attempt < COUPLED_ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    async fn try_commit<'a>(
        &mut self,
        mut batch: Vec<Statement>,
        drafts: impl Iterator<Item = &'a Draft>,
    ) -> Result<Checkpoint, StoreError> {
        // Taken out: unless all goes well, the end of the chain is read anew the next time.
        let mut end = match self.head.take() {
            Some(head) => head,
            None => head(&self.writer.store).await?,
        };
        let instance = &self.writer.instance;
        let entries: Vec<Entry> = drafts
            .map(|draft| Entry::link(draft.clone(), instance, &mut end))
            .collect();
        let now = micros(self.writer.clock.now());
        let checkpoint = Checkpoint::sign(&end, now, &self.writer.key);
        batch.extend(self.inserts_of(entries));
        batch.push(checkpoint.upsert());
        self.writer.store.write(batch).await?;
        self.head = Some(end);
        Ok(checkpoint)
    }

    fn inserts_of(&self, entries: Vec<Entry>) -> Vec<Statement> {
        let mut statements = Vec::with_capacity(entries.len() / 50 + 8);
        let mut left = entries.len();
        let mut entries = entries.into_iter();
        for (rows, sql) in &self.inserts {
            while left >= *rows {
                left -= rows;
                let chunk = entries.by_ref().take(*rows).flat_map(Entry::arguments);
                let insert = Statement::generated(Arc::clone(sql));
                statements.push(chunk.fold(insert, Statement::bind));
            }
        }
        statements
    }
}

/// One `INSERT` of so many rows. SQLite looks a numbered parameter up among all of them each time one
/// is bound, which takes longer than the insert itself; plain ones it just counts.
fn insert_sql(rows: usize, embedded: bool) -> Arc<str> {
    let mut sql = format!("INSERT INTO audit_logs ({}) VALUES ", COLUMNS.join(", "));
    for row in 0..rows {
        let first = row * COLUMNS.len() + 1;
        let numbers: Vec<String> = (first..first + COLUMNS.len())
            .map(|n| {
                if embedded {
                    "?".to_owned()
                } else {
                    format!("${n}")
                }
            })
            .collect();
        sql.push_str(if row == 0 { "(" } else { ", (" });
        sql.push_str(&numbers.join(", "));
        sql.push(')');
    }
    sql.into()
}
