//! What can be wrong with settings.

use super::Variable;
use super::origin::{Origins, Place, dotted};
use crate::redact::is_sensitive_name;

/// Why the settings cannot be used. The text names file, key and variable and never shows a value
/// that came from the environment.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is away or may not be read.
    #[error("{file}: cannot be read")]
    File {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what its extension says.
    #[error("{file}{}: {problem}", line.map(|line| format!(" line {line}")).unwrap_or_default())]
    Syntax {
        /// The file.
        file: String,
        /// Line from 1; `None` when unknown.
        line: Option<usize>,
        /// What the parser says.
        problem: String,
    },
    /// A file needs a variable nobody set.
    #[error("{file}: variable {variable} is not set and has no default")]
    Unset {
        /// The file.
        file: String,
        /// The variable.
        variable: String,
    },
    /// The text of a variable cannot be read.
    #[error("variable {variable}: expected {expected}")]
    Variable {
        /// The variable.
        variable: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A key is not known or its value does not fit.
    #[error("{key}{}: {problem}", origin.as_ref().map(|at| format!(" ({at})")).unwrap_or_default())]
    Value {
        /// Dotted path of the key.
        key: String,
        /// Where it was set; `None` for a default.
        origin: Option<Place>,
        /// What is wrong.
        problem: String,
    },
    /// A required key is set nowhere.
    #[error("{key} is not set{}", variable.map(|name| format!(": set variable {name}")).unwrap_or_default())]
    Missing {
        /// Dotted path of the key.
        key: String,
        /// The variable that would set it; `None` when only a file can.
        variable: Option<&'static str>,
    },
}

/// Turns what serde says into an error that names the key, given its path beneath a section.
pub(super) fn explain(
    origins: &Origins,
    variables: &[Variable],
    (section, path): (&str, &str),
    problem: &str,
) -> ConfigError {
    let path = if path == "." { "" } else { path };
    let at = dotted(section, path);
    if let Some(name) = quoted_after(problem, "missing field `") {
        let key = dotted(&at, name);
        let variable = variables.iter().find(|variable| variable.key == key);
        return ConfigError::Missing {
            key,
            variable: variable.map(|variable| variable.name),
        };
    }
    let key = match quoted_after(problem, "unknown field `") {
        Some(name) if at != name && !at.ends_with(&format!(".{name}")) => dotted(&at, name),
        _ => at,
    };
    // What serde says may repeat the value.
    let hidden = is_sensitive_name(key.rsplit('.').next().unwrap_or_default());
    ConfigError::Value {
        origin: origins.of(&key),
        key,
        problem: if hidden { "cannot be used" } else { problem }.to_owned(),
    }
}

fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    Some(text.strip_prefix(start)?.split_once('`')?.0)
}
