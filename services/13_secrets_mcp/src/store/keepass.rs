//! A `KeePass` database (KDBX 3.1 and 4), opened anew for each read, so that what is changed elsewhere
//! counts and nothing of it stays in memory.
//!
//! Groups and titles are compared letter by letter, as rules are. Attachments, one-time passwords and
//! changes are not offered. Deriving the key costs what the database asks for: one at a time.

use super::{Found, Setup, SetupError};
use crate::config;
use keepass::db::{EntryRef, GroupRef, fields};
use keepass::error::DatabaseOpenError;
use keepass::{Database, DatabaseKey};
use parking_lot::Mutex;
use shared::error::Code;
use shared::secret::{Secret, SecretProvider};
use shared::tool::ToolError;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// The database, or the setting that is missing to open it.
pub(super) enum KeePass {
    Ready(Arc<Place>),
    Missing { setting: &'static str, begun: bool },
}

pub(super) struct Place {
    path: String,
    keyfile: String,
    password: Option<Secret>,
    max_bytes: u64,
    /// One key at a time: it may take a gigabyte.
    turn: Semaphore,
    trouble: Mutex<Option<String>>,
}

impl KeePass {
    pub(super) fn prepare(
        settings: &config::KeePass,
        secrets: &dyn SecretProvider,
    ) -> Result<Self, SetupError> {
        let password = secrets.get("KEEPASS_PASSWORD")?;
        let begun = !settings.path.is_empty() || password.is_some();
        let setting = match (settings.path.as_str(), &password) {
            ("", _) => Some("KEEPASS_DB_PATH"),
            (_, None) if settings.keyfile.is_empty() => Some("KEEPASS_PASSWORD_SECRET_PATH"),
            _ => None,
        };
        Ok(match setting {
            Some(setting) => Self::Missing { setting, begun },
            None => Self::Ready(Arc::new(Place {
                path: settings.path.clone(),
                keyfile: settings.keyfile.clone(),
                password,
                max_bytes: settings.max_file_bytes,
                turn: Semaphore::new(1),
                trouble: Mutex::default(),
            })),
        })
    }

    pub(super) async fn read(&self, entry: &str, field: &str) -> Result<Found, ToolError> {
        let place = match self {
            Self::Ready(place) => Arc::clone(place),
            Self::Missing { setting, .. } => return Err(ToolError::not_configured(setting)),
        };
        let (entry, field) = (entry.to_owned(), field.to_owned());
        let _turn = place.turn.acquire().await.map_err(|closed| {
            tracing::error!(event = "secrets.keepass", error = %closed, "the semaphore is closed");
            broken()
        })?;
        let work = Arc::clone(&place);
        let read = tokio::task::spawn_blocking(move || {
            let database = work.open()?;
            find(&database, &entry, &field)
        });
        let value = read.await.map_err(|error| {
            tracing::error!(event = "secrets.keepass", %error, "the database could not be read");
            broken()
        });
        let value = value.flatten();
        *place.trouble.lock() = match &value {
            Err(error) if error.code != Code::NotFound => Some(error.message.clone()),
            _ => None,
        };
        Ok(Found {
            value: value?,
            version: None,
        })
    }

    pub(super) fn setup(&self) -> Setup {
        match self {
            Self::Ready(place) => Setup::Ready(place.trouble.lock().clone()),
            Self::Missing { setting, begun } => Setup::Missing {
                setting,
                begun: *begun,
            },
        }
    }
}

impl Place {
    fn open(&self) -> Result<Database, ToolError> {
        let bytes = self.bytes("KEEPASS_DB_PATH", &self.path)?;
        let mut key = DatabaseKey::new();
        if let Some(password) = &self.password {
            key = key.with_password(password.expose());
        }
        if !self.keyfile.is_empty() {
            let keyfile = self.bytes("KEEPASS_KEYFILE_PATH", &self.keyfile)?;
            key = key
                .with_keyfile(&mut keyfile.as_slice())
                .map_err(|error| unreadable("KEEPASS_KEYFILE_PATH", &error))?;
        }
        Database::parse(&bytes, key).map_err(|error| refused(&error))
    }

    fn bytes(&self, variable: &'static str, path: &str) -> Result<Zeroizing<Vec<u8>>, ToolError> {
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path)
            .and_then(|file| file.take(self.max_bytes + 1).read_to_end(&mut bytes))
            .map_err(|error| unreadable(variable, &error))?;
        if bytes.len() as u64 > self.max_bytes {
            let message = format!("the file named by {variable} is too large");
            return Err(ToolError::refused(Code::ServiceUnavailable, message));
        }
        Ok(bytes)
    }
}

fn find(database: &Database, path: &str, field: &str) -> Result<Secret, ToolError> {
    let mut groups: Vec<&str> = path.split('/').collect();
    let title = groups.pop().unwrap_or_default();
    let mut here: Vec<GroupRef<'_>> = vec![database.root()];
    for name in groups {
        let below = here.iter().flat_map(|group| {
            let ids: Vec<_> = group.groups().filter(|it| it.name == name).collect();
            ids.into_iter().map(|it| it.id()).collect::<Vec<_>>()
        });
        let ids: Vec<_> = below.collect();
        here = ids
            .into_iter()
            .filter_map(|id| database.group(id))
            .collect();
    }
    let entries = here.iter().flat_map(GroupRef::entries);
    let mut entries = entries.filter(|entry| entry.get(fields::TITLE) == Some(title));
    let absent = |what: &str| ToolError::refused(Code::NotFound, what.to_owned());
    let Some(entry) = entries.next() else {
        return Err(absent("the KeePass database has no such entry"));
    };
    if entries.next().is_some() {
        let message = "the KeePass database has several entries of this path";
        return Err(ToolError::refused(Code::Conflict, message));
    }
    value(&entry, field).ok_or_else(|| absent("the KeePass entry has no such field"))
}

fn value(entry: &EntryRef<'_>, field: &str) -> Option<Secret> {
    let field = match field {
        "password" => fields::PASSWORD,
        "username" => fields::USERNAME,
        "notes" => fields::NOTES,
        "url" => fields::URL,
        "title" => fields::TITLE,
        custom => custom,
    };
    entry.get(field).map(Secret::from)
}

fn unreadable(variable: &str, error: &io::Error) -> ToolError {
    tracing::warn!(event = "secrets.keepass", variable, kind = %error.kind(), "a file cannot be read");
    let message = format!("the file named by {variable} cannot be read");
    ToolError::refused(Code::ServiceUnavailable, message)
}

fn refused(error: &DatabaseOpenError) -> ToolError {
    let message = match error {
        DatabaseOpenError::UnsupportedVersion => {
            "the KeePass database is of a format we do not read"
        }
        DatabaseOpenError::Key(_) | DatabaseOpenError::Cryptography(_) => {
            "the KeePass database cannot be opened: check KEEPASS_PASSWORD_SECRET_PATH and \
             KEEPASS_KEYFILE_PATH"
        }
        _ => "the KeePass database cannot be understood",
    };
    tracing::warn!(event = "secrets.keepass", "{message}");
    ToolError::refused(Code::ServiceUnavailable, message)
}

fn broken() -> ToolError {
    ToolError::refused(
        Code::InternalError,
        "the KeePass database could not be read",
    )
}
