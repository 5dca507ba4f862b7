//! Settings: an annotated default, then files, then the environment; every mistake is named.
//!
//! A component owns a `Config` that derives `Deserialize` with `deny_unknown_fields`; its defaults are
//! a commented TOML text compiled in. This module joins the layers, remembers where each key came
//! from and reports mistakes by file, key and variable. Callers stop with [`EXIT_CODE`] before a
//! socket opens. Secrets are not settings: see [`crate::secret`]. Source: `interfaces.md` 13.

mod bounded;
mod environment;
mod error;
mod file;
mod origin;

pub use bounded::Bounded;
pub use environment::Environment;
pub use error::ConfigError;
pub use origin::Place;

use crate::redact::{Redactor, is_sensitive_name};
use origin::{Origin, Origins};
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use toml::{Table, Value};

/// Exit code of a program whose settings cannot be used (`EX_USAGE`).
pub const EXIT_CODE: u8 = 64;

/// A setting that may come from the environment.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Name; without the prefix `WAYGATE_` it is also read with it, which wins.
    pub name: &'static str,
    /// Older names, read when `name` is not set.
    pub also: &'static [&'static str],
    /// The key it sets, as a dotted path such as `server.port`.
    pub key: &'static str,
    /// How the text is read.
    pub kind: Kind,
}

impl Variable {
    /// A variable without other names.
    #[must_use]
    pub const fn new(name: &'static str, key: &'static str, kind: Kind) -> Self {
        Self {
            name,
            also: &[],
            key,
            kind,
        }
    }

    /// The same with older names.
    #[must_use]
    pub const fn or(mut self, also: &'static [&'static str]) -> Self {
        self.also = also;
        self
    }
}

/// How the text of a variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it is.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true`/`false`, `1`/`0`, `yes`/`no`, `on`/`off`.
    Boolean,
    /// A JSON array of texts, or texts with commas between them.
    List,
}

/// Where settings come from; later wins.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// Annotated TOML, compiled in.
    pub defaults: &'a str,
    /// TOML or YAML by extension. Each must exist.
    pub files: &'a [PathBuf],
    /// What is read from the environment.
    pub variables: &'a [Variable],
    /// The environment.
    pub environment: &'a Environment,
}

/// All layers joined, not yet held against a type.
#[derive(Debug, Clone)]
pub struct Merged {
    table: Table,
    origins: Origins,
    variables: Vec<Variable>,
}

/// Settings that fit their type.
#[derive(Debug, Clone)]
pub struct Loaded<C> {
    /// The settings.
    pub config: C,
    merged: Merged,
}

/// Joins the layers and reads them as a `C`.
///
/// # Errors
/// [`ConfigError`], which names the key and where it came from; stop with [`EXIT_CODE`].
pub fn load<C: DeserializeOwned>(sources: &Sources<'_>) -> Result<Loaded<C>, ConfigError> {
    let merged = Merged::from(sources)?;
    let config = merged.read()?;
    Ok(Loaded { config, merged })
}

impl<C> Loaded<C> {
    /// The settings in force as TOML, for `--print-config`: secrets and passwords in URLs are masked.
    #[must_use]
    pub fn print(&self) -> String {
        self.merged.print()
    }
}

impl Merged {
    /// Joins the layers.
    ///
    /// # Errors
    /// [`ConfigError`] when a file or a variable cannot be read.
    pub fn from(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let mut merged = Self {
            table: Table::new(),
            origins: Origins::default(),
            variables: sources.variables.to_vec(),
        };
        let defaults = file::parse_toml("the defaults", sources.defaults)?;
        merged.put(defaults, &Origin::Default);
        for path in sources.files {
            let (table, origin) = file::read(path, sources.environment)?;
            merged.put(table, &origin);
        }
        for variable in sources.variables {
            merged.put_variable(*variable, sources.environment)?;
        }
        Ok(merged)
    }

    /// Everything as a `C`.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown key, a bad value or a missing one.
    pub fn read<C: DeserializeOwned>(&self) -> Result<C, ConfigError> {
        self.read_value("", Value::Table(self.table.clone()))
    }

    /// One top-level table as a `C`; an absent one is read as an empty one. For programs whose parts
    /// own their sections; [`Merged::only`] refuses what no part owns.
    ///
    /// # Errors
    /// As [`Merged::read`].
    pub fn section<C: DeserializeOwned>(&self, name: &str) -> Result<C, ConfigError> {
        let value = self.table.get(name).cloned();
        self.read_value(name, value.unwrap_or_else(|| Value::Table(Table::new())))
    }

    /// Checks that there are no other top-level keys than these.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for the first key that is not one of them.
    pub fn only(&self, sections: &[&str]) -> Result<(), ConfigError> {
        match self
            .table
            .keys()
            .find(|key| !sections.contains(&key.as_str()))
        {
            None => Ok(()),
            Some(key) => Err(ConfigError::Value {
                key: key.clone(),
                origin: self.origins.of(key),
                problem: "unknown key".into(),
            }),
        }
    }

    /// See [`Loaded::print`].
    #[must_use]
    pub fn print(&self) -> String {
        let mut table = self.table.clone();
        let redactor = Redactor::new();
        for (key, value) in &mut table {
            mask(key, value, &redactor);
        }
        toml::to_string_pretty(&table).unwrap_or_else(|error| format!("# {error}\n"))
    }

    fn put(&mut self, table: Table, origin: &Origin) {
        self.origins.note(&table, origin);
        join(&mut self.table, table);
    }

    fn put_variable(
        &mut self,
        variable: Variable,
        environment: &Environment,
    ) -> Result<(), ConfigError> {
        let names = std::iter::once(&variable.name).chain(variable.also);
        let Some((name, text)) = names.filter_map(|name| environment.find(name)).next() else {
            return Ok(());
        };
        let value =
            environment::parse(variable.kind, text).map_err(|expected| ConfigError::Variable {
                variable: name.clone(),
                expected,
            })?;
        let table = variable.key.rsplit('.').fold(value, |value, part| {
            Value::Table(Table::from_iter([(part.to_owned(), value)]))
        });
        if let Value::Table(table) = table {
            self.put(table, &Origin::Variable(name));
        }
        Ok(())
    }

    fn read_value<C: DeserializeOwned>(&self, under: &str, value: Value) -> Result<C, ConfigError> {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let problem = error.inner().message();
            error::explain(&self.origins, &self.variables, (under, &path), problem)
        })
    }
}

fn join(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => join(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn mask(key: &str, value: &mut Value, redactor: &Redactor) {
    match value {
        Value::Table(table) => {
            for (key, value) in table.iter_mut() {
                mask(key, value, redactor);
            }
        }
        Value::Array(items) => {
            for item in items {
                mask(key, item, redactor);
            }
        }
        Value::String(text) if text.is_empty() => {}
        value if is_sensitive_name(key) => *value = Value::String("[redacted]".into()),
        Value::String(text) => *text = redactor.redact(text).into_owned(),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
