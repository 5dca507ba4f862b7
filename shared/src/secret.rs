//! Secrets: one type that cannot be printed, one way to read them.
//!
//! Settings are not read here ([`crate::config`]); no other code looks for secrets in files or in
//! the environment. Source: `catalogue.md` 3, decisions on secrets.

use crate::config::Environment;
use crate::redact::Redactor;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest secret that is read from a file, in bytes.
pub const MAX_FILE_BYTES: usize = 64 * 1024;

/// A value that must not be shown. Wiped from memory when the last copy is dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a value into custody.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value itself. Every use of this is a place to review.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Where secrets come from.
pub trait SecretProvider: Send + Sync {
    /// The secret of this name; `None` when nobody set it.
    ///
    /// # Errors
    /// [`SecretError`] when it is set but cannot be read.
    fn get(&self, name: &str) -> Result<Option<Secret>, SecretError>;

    /// The secret of this name, which has to exist.
    ///
    /// # Errors
    /// [`SecretError`] when it is not set or cannot be read.
    fn require(&self, name: &str) -> Result<Secret, SecretError> {
        self.get(name)?
            .ok_or_else(|| SecretError::Missing { name: name.into() })
    }
}

/// Why a secret could not be had. Names variables, never paths or content: somebody may have put
/// the secret itself where the path belongs.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Not set in any of the three ways.
    #[error("set {name}_SECRET_PATH, {name}_FILE or {name}")]
    Missing {
        /// The name that was asked for.
        name: String,
    },
    /// The file is away or may not be read.
    #[error("the file named by {variable} cannot be read")]
    Unreadable {
        /// The variable that names the file.
        variable: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something that is no secret of ours.
    #[error("the file named by {variable} {rule}")]
    Unusable {
        /// The variable that names the file.
        variable: String,
        /// What is wrong with it.
        rule: &'static str,
    },
}

/// The file named by `<NAME>_SECRET_PATH`, else the one named by `<NAME>_FILE`, else `<NAME>` itself.
///
/// Each is looked for with the prefix `WAYGATE_` first. An empty variable counts as not set; line
/// ends at the end of a file are dropped.
#[derive(Debug, Clone)]
pub struct FileThenEnvironment {
    environment: Environment,
    redactor: Option<Arc<Redactor>>,
}

impl FileThenEnvironment {
    /// Reads with the help of these variables.
    #[must_use]
    pub const fn new(environment: Environment) -> Self {
        Self {
            environment,
            redactor: None,
        }
    }

    /// Makes every secret that is read known to `redactor`, so that logs cannot show it.
    #[must_use]
    pub fn telling(mut self, redactor: Arc<Redactor>) -> Self {
        self.redactor = Some(redactor);
        self
    }

    fn look_up(&self, name: &str) -> Result<Option<Secret>, SecretError> {
        for suffix in ["_SECRET_PATH", "_FILE"] {
            if let Some((variable, path)) = self.environment.find(&format!("{name}{suffix}")) {
                return read_file(&variable, path).map(Some);
            }
        }
        Ok(self
            .environment
            .find(name)
            .map(|(_, value)| Secret::new(value)))
    }
}

impl SecretProvider for FileThenEnvironment {
    fn get(&self, name: &str) -> Result<Option<Secret>, SecretError> {
        let found = self.look_up(name)?;
        if let (Some(redactor), Some(secret)) = (&self.redactor, &found) {
            redactor.learn(name, secret);
        }
        Ok(found)
    }
}

/// Secrets given by hand, for tests.
#[derive(Debug, Clone, Default)]
pub struct MapSecrets(BTreeMap<String, Secret>);

impl<const N: usize> From<[(&str, &str); N]> for MapSecrets {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .collect(),
        )
    }
}

impl SecretProvider for MapSecrets {
    fn get(&self, name: &str) -> Result<Option<Secret>, SecretError> {
        Ok(self.0.get(name).cloned())
    }
}

fn read_file(variable: &str, path: &str) -> Result<Secret, SecretError> {
    let unreadable = |source| SecretError::Unreadable {
        variable: variable.into(),
        source,
    };
    let unusable = |rule| SecretError::Unusable {
        variable: variable.into(),
        rule,
    };
    // Read in one piece into a buffer that never grows, so that no copy is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE_BYTES + 1));
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(unusable("is larger than 65536 bytes"));
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(unusable("is not UTF-8 text"));
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(unusable("is empty"));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider<const N: usize>(pairs: [(&str, &str); N]) -> FileThenEnvironment {
        FileThenEnvironment::new(Environment::from(pairs))
    }

    #[track_caller]
    fn check<const N: usize>(pairs: [(&str, &str); N], expected: Result<Option<&str>, &str>) {
        let got = provider(pairs).get("DB_PASSWORD");
        match (got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got.as_ref().map(Secret::expose), expected),
            (Err(got), Err(expected)) => assert_eq!(got.to_string(), expected),
            (got, _) => panic!("{got:?}"),
        }
    }

    /// Acceptance: 25
    #[test]
    fn a_file_wins_over_the_environment_and_the_prefix_over_none() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (a, b) = (write("a", "from-a\n"), write("b", "from-b\r\n"));
        check([], Ok(None));
        check([("DB_PASSWORD", "")], Ok(None));
        check([("DB_PASSWORD", "plain")], Ok(Some("plain")));
        check(
            [("DB_PASSWORD", "plain"), ("WAYGATE_DB_PASSWORD", "ours")],
            Ok(Some("ours")),
        );
        check(
            [("WAYGATE_DB_PASSWORD", "ours"), ("DB_PASSWORD_FILE", &b)],
            Ok(Some("from-b")),
        );
        check(
            [("DB_PASSWORD_SECRET_PATH", &a), ("DB_PASSWORD_FILE", &b)],
            Ok(Some("from-a")),
        );
    }

    /// Acceptance: 25
    #[test]
    fn a_bad_file_is_named_by_its_variable_and_without_a_value() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty");
        std::fs::write(&empty, "\n").unwrap();
        let large = dir.path().join("large");
        std::fs::write(&large, vec![b'x'; MAX_FILE_BYTES + 1]).unwrap();
        check(
            [("DB_PASSWORD_SECRET_PATH", "hunter2-by-mistake")],
            Err("the file named by DB_PASSWORD_SECRET_PATH cannot be read"),
        );
        check(
            [("WAYGATE_DB_PASSWORD_FILE", empty.to_str().unwrap())],
            Err("the file named by WAYGATE_DB_PASSWORD_FILE is empty"),
        );
        check(
            [("DB_PASSWORD_FILE", large.to_str().unwrap())],
            Err("the file named by DB_PASSWORD_FILE is larger than 65536 bytes"),
        );
        let error = provider([]).require("DB_PASSWORD").unwrap_err();
        assert_eq!(
            error.to_string(),
            "set DB_PASSWORD_SECRET_PATH, DB_PASSWORD_FILE or DB_PASSWORD"
        );
    }

    /// Acceptance: 360
    #[test]
    fn a_secret_cannot_be_printed_and_is_known_to_the_redactor() {
        let redactor = Arc::new(Redactor::new());
        let provider = provider([("DB_PASSWORD", "correct horse")]).telling(Arc::clone(&redactor));
        let secret = provider.require("DB_PASSWORD").unwrap();
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(
            redactor.redact("it was correct horse again"),
            "it was [redacted:DB_PASSWORD] again"
        );
    }
}
