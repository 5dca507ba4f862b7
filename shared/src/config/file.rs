//! One settings file: TOML or YAML by extension, with variables filled in for YAML.

use super::origin::Origin;
use super::{ConfigError, Environment};
use serde_yaml_ng::Value as Yaml;
use std::path::Path;
use std::sync::Arc;
use toml::{Table, Value};

/// Longest settings file, in bytes.
const MAX_FILE_BYTES: usize = 1024 * 1024;

pub(super) fn read(path: &Path, environment: &Environment) -> Result<(Table, Origin), ConfigError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
        file: file.clone(),
        source,
    })?;
    if text.len() > MAX_FILE_BYTES {
        return Err(syntax(&file, None, "larger than 1 MiB"));
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    let table = match extension {
        Some("yaml" | "yml") => parse_yaml(&file, &text, environment)?,
        Some("toml") => parse_toml(&file, &text)?,
        _ => return Err(syntax(&file, None, "expected .toml, .yaml or .yml")),
    };
    let origin = Origin::File {
        file: file.into(),
        text: text.into(),
    };
    Ok((table, origin))
}

pub(super) fn parse_toml(file: &str, text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|error| {
        let start = error.span().map(|span| span.start);
        let line = start.and_then(|start| text.get(..start));
        let line = line.map(|before| before.matches('\n').count() + 1);
        syntax(file, line, error.message())
    })
}

fn parse_yaml(file: &str, text: &str, environment: &Environment) -> Result<Table, ConfigError> {
    let yaml: Yaml = serde_yaml_ng::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        syntax(file, line, &error.to_string())
    })?;
    let reader = YamlReader {
        file: file.into(),
        environment,
    };
    match reader.value(yaml)? {
        Some(Value::Table(table)) => Ok(table),
        None => Ok(Table::new()),
        Some(_) => Err(syntax(file, None, "expected keys and values")),
    }
}

struct YamlReader<'a> {
    file: Arc<str>,
    environment: &'a Environment,
}

impl YamlReader<'_> {
    /// `None` for null: such a key is as if it were not there.
    fn value(&self, yaml: Yaml) -> Result<Option<Value>, ConfigError> {
        Ok(Some(match yaml {
            Yaml::Null => return Ok(None),
            Yaml::Bool(value) => Value::Boolean(value),
            Yaml::Number(number) => self.number(&number)?,
            Yaml::String(text) => return self.text(text),
            Yaml::Sequence(items) => {
                let items = items.into_iter().map(|item| self.value(item));
                Value::Array(
                    items
                        .filter_map(Result::transpose)
                        .collect::<Result<_, _>>()?,
                )
            }
            Yaml::Mapping(mapping) => Value::Table(self.table(mapping)?),
            Yaml::Tagged(_) => return Err(syntax(&self.file, None, "tags are not supported")),
        }))
    }

    fn table(&self, mapping: serde_yaml_ng::Mapping) -> Result<Table, ConfigError> {
        let mut table = Table::new();
        for (key, value) in mapping {
            if let Some(value) = self.value(value)? {
                table.insert(self.key(&key)?, value);
            }
        }
        Ok(table)
    }

    fn key(&self, key: &Yaml) -> Result<String, ConfigError> {
        match key {
            Yaml::String(text) => Ok(text.clone()),
            Yaml::Number(number) => Ok(number.to_string()),
            _ => Err(syntax(&self.file, None, "keys must be text")),
        }
    }

    fn number(&self, number: &serde_yaml_ng::Number) -> Result<Value, ConfigError> {
        match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Value::Integer(whole)),
            (None, Some(number)) if !number.is_nan() => Ok(Value::Float(number)),
            _ => Err(syntax(&self.file, None, "a number is out of range")),
        }
    }

    /// Fills in `${NAME}` and `${NAME:-default}`; `$${` stands for `${`. A value that is nothing but
    /// one variable is read as a YAML scalar again, so that `${PORT:-8000}` is a number.
    fn text(&self, text: String) -> Result<Option<Value>, ConfigError> {
        if !text.contains("${") {
            return Ok(Some(Value::String(text)));
        }
        let whole = text.starts_with("${") && text.find('}') == text.len().checked_sub(1);
        let expanded = self.expand(&text)?;
        if whole {
            match serde_yaml_ng::from_str::<Yaml>(&expanded) {
                Ok(Yaml::Bool(value)) => return Ok(Some(Value::Boolean(value))),
                Ok(Yaml::Number(number)) => return self.number(&number).map(Some),
                _ => {}
            }
        }
        Ok(Some(Value::String(expanded)))
    }

    fn expand(&self, text: &str) -> Result<String, ConfigError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = after;
                continue;
            }
            out.push_str(before);
            let Some((inside, after)) = after.split_once('}') else {
                return Err(syntax(&self.file, None, "`${` without `}`"));
            };
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            match self.environment.find(name) {
                Some((_, value)) => out.push_str(value),
                None => out.push_str(default.ok_or_else(|| ConfigError::Unset {
                    file: self.file.to_string(),
                    variable: name.to_owned(),
                })?),
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn syntax(file: &str, line: Option<usize>, problem: &str) -> ConfigError {
    ConfigError::Syntax {
        file: file.to_owned(),
        line,
        problem: problem.to_owned(),
    }
}
