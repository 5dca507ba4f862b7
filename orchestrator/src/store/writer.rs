//! The one writer: takes what waits, commits it as one transaction, answers each batch apart.

use super::StoreError;
use super::batch::Stopped;
use super::connection::{Connection, Pools};
use super::fault::{is_connection_error, is_transient};
use super::statement::{Outcome, Statement};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Most batches in one transaction.
const GROUP: usize = 128;
/// How often a transaction is tried.
const ATTEMPTS: u32 = 6;
/// Pause before the second attempt; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// One batch on its way, and who waits for it.
pub(in crate::store) struct Job {
    pub(in crate::store) statements: Vec<Statement>,
    pub(in crate::store) reply: Option<oneshot::Sender<Answer>>,
}

/// What becomes of one batch.
pub(in crate::store) type Answer = Result<Vec<Outcome>, StoreError>;

/// Ends when `stop` fires and the queue is empty, or when nobody can write any more.
pub(in crate::store) async fn run(
    pools: Pools,
    mut jobs: mpsc::Receiver<Job>,
    stop: CancellationToken,
) {
    let mut group = Vec::with_capacity(GROUP);
    let mut open = true;
    loop {
        let received = tokio::select! {
            received = jobs.recv_many(&mut group, GROUP) => received,
            () = stop.cancelled(), if open => {
                open = false;
                jobs.close();
                continue;
            }
        };
        if received == 0 {
            return;
        }
        let answers = commit(&pools, &group).await;
        for (job, answer) in group.drain(..).zip(answers) {
            give(job.reply, answer);
        }
    }
}

fn give(reply: Option<oneshot::Sender<Answer>>, answer: Answer) {
    match (reply, answer) {
        // The caller may have gone; the batch stands all the same.
        (Some(reply), answer) => drop(reply.send(answer)),
        (None, Err(error)) => tracing::error!(
            event = "store_write_lost",
            error = &error as &dyn std::error::Error,
            "a queued write failed"
        ),
        (None, Ok(_)) => {}
    }
}

/// Commits a group, trying again while somebody else is in the way.
async fn commit(pools: &Pools, group: &[Job]) -> Vec<Answer> {
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        match attempt_once(pools, group).await {
            Ok(answers) => return answers,
            Err(failure) if failure.nothing_written() && attempt < ATTEMPTS => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(failure) => return fail_all(group.len(), failure),
        }
    }
    Vec::new()
}

/// Why a whole transaction came to nothing.
enum Failure {
    /// No connection was to be had.
    NoConnection(sqlx::Error),
    /// Before the commit: nothing was written.
    Before(sqlx::Error),
    /// The commit itself failed.
    Commit(sqlx::Error),
}

impl Failure {
    /// Nothing was written, and another attempt may go better.
    fn nothing_written(&self) -> bool {
        match self {
            // The pool has waited long enough already.
            Self::NoConnection(_) => false,
            Self::Before(error) => is_transient(error) || is_connection_error(error),
            Self::Commit(error) => is_transient(error),
        }
    }
}

fn fail_all(count: usize, failure: Failure) -> Vec<Answer> {
    let (Failure::NoConnection(error) | Failure::Before(error) | Failure::Commit(error)) = failure;
    tracing::error!(
        event = "store_commit",
        error = &error as &dyn std::error::Error,
        batches = count,
        "a transaction failed"
    );
    let mut first = Some(error);
    (0..count)
        .map(|_| Err(StoreError::Unavailable(first.take())))
        .collect()
}

async fn attempt_once(pools: &Pools, group: &[Job]) -> Result<Vec<Answer>, Failure> {
    let mut connection = pools.writer().await.map_err(Failure::NoConnection)?;
    let result = transaction(&mut connection, group).await;
    if result.is_err() {
        // Whatever is open is rolled back by the database when the connection goes; asking first
        // keeps it when it is sound.
        let rolled_back = connection.run(&Statement::new("ROLLBACK")).await;
        if rolled_back.is_err() {
            connection.discard();
        }
    }
    result
}

async fn transaction(connection: &mut Connection, group: &[Job]) -> Result<Vec<Answer>, Failure> {
    connection.begin().await.map_err(Failure::Before)?;
    let mut answers = Vec::with_capacity(group.len());
    for (at, job) in group.iter().enumerate() {
        answers.push(batch(connection, &job.statements, at == 0).await?);
    }
    let commit = connection.run(&Statement::new("COMMIT")).await;
    commit.map_err(Failure::Commit)?;
    Ok(answers)
}

/// One batch inside the transaction; its failure does not touch the others. The savepoint of the batch
/// before goes in the same order, that of the last one with the commit.
async fn batch(
    connection: &mut Connection,
    statements: &[Statement],
    first: bool,
) -> Result<Answer, Failure> {
    let controls: &[&str] = if first {
        &["SAVEPOINT batch"]
    } else {
        &["RELEASE SAVEPOINT batch", "SAVEPOINT batch"]
    };
    match connection.run_all(controls, statements).await {
        Ok(outcomes) => Ok(Ok(outcomes)),
        Err(Stopped::Failed(error)) if is_transient(&error) || is_connection_error(&error) => {
            Err(Failure::Before(error))
        }
        Err(stopped) => {
            control(connection, "ROLLBACK TO SAVEPOINT batch").await?;
            Ok(Err(stopped.refusal()))
        }
    }
}

async fn control(connection: &mut Connection, sql: &'static str) -> Result<(), Failure> {
    let done = connection.run(&Statement::new(sql)).await;
    done.map(drop).map_err(Failure::Before)
}
