//! Environment variables as plain data, and how their text becomes a value.

use super::{ConfigError, Kind};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use toml::Value;

/// A set of environment variables. Its `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. The only place that reads them; what is not UTF-8 is left out.
    #[must_use]
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// Adds what a file of `NAME=value` lines (`.env`) holds and this set does not. A file that does
    /// not exist adds nothing. Lines may begin with `export`, values may stand in quotes.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read or a line has no `=`.
    pub fn or_file(mut self, path: &Path) -> Result<Self, ConfigError> {
        let file = || path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(self),
            Err(source) => {
                return Err(ConfigError::File {
                    file: file(),
                    source,
                });
            }
        };
        for (number, line) in (1_usize..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line = line.strip_prefix("export ").unwrap_or(line);
            let Some((name, value)) = line.split_once('=') else {
                return Err(ConfigError::Syntax {
                    file: file(),
                    line: Some(number),
                    problem: "expected NAME=value".into(),
                });
            };
            let name = name.trim().to_owned();
            self.0.entry(name).or_insert_with(|| unquoted(value));
        }
        Ok(self)
    }

    /// Sets a variable, for flags that win over the environment.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// The variable of exactly this name; `None` when it is not set or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The variable with the prefix `WAYGATE_`, else the one without, and the name it was found by.
    /// `None` when neither is set or both are empty.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(String, &str)> {
        let prefixed = format!("WAYGATE_{name}");
        if !name.starts_with("WAYGATE_")
            && let Some(value) = self.get(&prefixed)
        {
            return Some((prefixed, value));
        }
        self.get(name).map(|value| (name.to_owned(), value))
    }

    /// Every variable, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<N: Into<String>, V: Into<String>, const COUNT: usize> From<[(N, V); COUNT]> for Environment {
    fn from(pairs: [(N, V); COUNT]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

/// Reads the text of a variable, or says what was expected. The text itself is never repeated: it
/// may be a secret that went astray.
pub(super) fn parse(kind: Kind, text: &str) -> Result<Value, &'static str> {
    let text = text.trim();
    match kind {
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::Integer => text.parse().map(Value::Integer).or(Err("a whole number")),
        Kind::Number => text.parse().map(Value::Float).or(Err("a number")),
        Kind::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Value::Boolean(true)),
            "false" | "0" | "no" | "off" => Ok(Value::Boolean(false)),
            _ => Err("true or false"),
        },
        Kind::List => parse_list(text)
            .map(|items| Value::Array(items.into_iter().map(Value::String).collect())),
    }
}

fn parse_list(text: &str) -> Result<Vec<String>, &'static str> {
    if text.starts_with('[') {
        return serde_json::from_str(text).or(Err("a JSON array of texts, or a comma list"));
    }
    Ok(text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect())
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|rest| rest.split_once(quote))
        {
            return inner.0.to_owned();
        }
    }
    value
        .split_once(" #")
        .map_or(value, |(value, _comment)| value.trim_end())
        .to_owned()
}
