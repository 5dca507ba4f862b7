//! What an error of a database means to whoever asked.

use super::StoreError;

/// Sorts an error by what the caller does about it.
pub(in crate::store) fn classify(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(inner) if inner.is_unique_violation() => StoreError::Exists(error),
        sqlx::Error::Database(_) if !is_connection_error(&error) => StoreError::Refused(error),
        _ if is_connection_error(&error) => StoreError::Unavailable(Some(error)),
        _ => StoreError::Refused(error),
    }
}

/// The same transaction may work when it is tried again: somebody else was in the way.
pub(in crate::store) fn is_transient(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(inner) = error else {
        return false;
    };
    let code = inner.code().unwrap_or_default();
    if inner
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .is_some()
    {
        return matches!(code.as_ref(), "40001" | "40P01" | "55P03");
    }
    // SQLITE_BUSY and SQLITE_LOCKED; the extended code keeps the primary one in its low byte.
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}

/// The connection is of no more use.
pub(in crate::store) fn is_connection_error(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // Classes of PostgreSQL: connection exceptions, operator intervention (shutdown).
        sqlx::Error::Database(inner) => inner.code().is_some_and(|code| {
            code.len() == 5 && (code.starts_with("08") || code.starts_with("57P"))
        }),
        _ => false,
    }
}
