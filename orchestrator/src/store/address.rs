//! Where the store is: `sqlite:PATH`, `sqlite::memory:` or `postgres://…`.

use sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A parsed address. `Debug` and `Display` never show a password.
#[derive(Clone)]
pub struct DatabaseUrl(pub(in crate::store) Place);

/// What the address means.
#[derive(Clone)]
pub(in crate::store) enum Place {
    Memory,
    File(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

/// Why a text is no address. Never repeats the text, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAddress {
    /// The scheme belongs to another kind of database.
    #[error("the database address must begin with sqlite: or postgres://")]
    Scheme,
    /// libSQL is known, and not part of this build.
    #[error("this build has no libsql: driver; use sqlite: or postgres://")]
    Libsql,
    /// No path follows `sqlite:`.
    #[error("the database address names no file after sqlite:")]
    NoFile,
    /// The parts of a PostgreSQL address do not parse.
    #[error("the PostgreSQL address cannot be read")]
    Postgres(#[source] sqlx::Error),
}

impl DatabaseUrl {
    /// Reads an address. Parameters after `?` are dropped for SQLite.
    ///
    /// # Errors
    /// [`InvalidAddress`] says what is wrong without repeating it.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            let path = path.split('?').next().unwrap_or_default();
            return match path {
                "" => Err(InvalidAddress::NoFile),
                ":memory:" => Ok(Self(Place::Memory)),
                path => Ok(Self(Place::File(PathBuf::from(path)))),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(text).map_err(InvalidAddress::Postgres)?;
            return Ok(Self(Place::Postgres(Box::new(options))));
        }
        Err(if text.starts_with("libsql:") {
            InvalidAddress::Libsql
        } else {
            InvalidAddress::Scheme
        })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Memory => f.write_str("sqlite::memory:"),
            Place::File(path) => write!(f, "sqlite:{}", path.display()),
            Place::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                write!(
                    f,
                    "postgres://{}:{}/{database}",
                    options.get_host(),
                    options.get_port()
                )
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let got = DatabaseUrl::parse(text);
        match (&got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got.to_string(), expected),
            (Err(got), Err(expected)) => assert!(got.to_string().contains(expected), "{got}"),
            _ => panic!("{got:?}"),
        }
    }

    #[test]
    fn addresses_are_read_and_never_show_a_password() {
        check("sqlite:data/waygate.db", Ok("sqlite:data/waygate.db"));
        check("sqlite://data/w.db?mode=rwc", Ok("sqlite:data/w.db"));
        check("sqlite::memory:", Ok("sqlite::memory:"));
        check(
            "postgres://app:hunter2@db:5433/way",
            Ok("postgres://db:5433/way"),
        );
        check("sqlite:", Err("names no file"));
        check("libsql://host?authToken=hunter2", Err("libsql:"));
        check("mysql://app:hunter2@db/x", Err("must begin with"));
        let bad = DatabaseUrl::parse("postgres://app:hunter2@db:notaport/x").unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("hunter2"));
    }
}
