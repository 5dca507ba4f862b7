//! Which layer set which key, so that a mistake can be traced to its file, line or variable.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use toml::{Table, Value};

/// Where a value was set.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// In the compiled-in text.
    Default,
    /// In a file; the text is kept to find the line.
    File {
        /// Path as given.
        file: Arc<str>,
        /// What the file holds.
        text: Arc<str>,
    },
    /// In a variable of this name.
    Variable(String),
}

/// The origin of every key, by dotted path. Tables have the origin that mentioned them last.
#[derive(Debug, Clone, Default)]
pub(super) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    pub(super) fn note(&mut self, table: &Table, origin: &Origin) {
        self.note_under("", table, origin);
    }

    fn note_under(&mut self, under: &str, table: &Table, origin: &Origin) {
        for (key, value) in table {
            let path = dotted(under, key);
            if let Value::Table(table) = value {
                self.note_under(&path, table, origin);
            }
            self.0.insert(path, origin.clone());
        }
    }

    /// Words for the place that set the key, or the nearest table around it: `config/a.yaml line 3`,
    /// `variable MCP_PORT`; `None` when it is a default or was set nowhere.
    pub(super) fn of(&self, path: &str) -> Option<Place> {
        let mut at = path;
        loop {
            if let Some(origin) = self.0.get(at) {
                return match origin {
                    Origin::Default => None,
                    Origin::Variable(name) => Some(Place(format!("variable {name}"))),
                    Origin::File { file, text } => Some(Place(match line_of(text, at) {
                        Some(line) => format!("{file} line {line}"),
                        None => file.to_string(),
                    })),
                };
            }
            at = at.rsplit_once(['.', '['])?.0;
        }
    }
}

/// Words for a place, such as `config/a.yaml line 3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn dotted(under: &str, key: &str) -> String {
    if under.is_empty() {
        key.to_owned()
    } else if key.is_empty() {
        under.to_owned()
    } else {
        format!("{under}.{key}")
    }
}

/// The line on which the last part of a key is set, when only one line can be meant.
fn line_of(text: &str, path: &str) -> Option<usize> {
    let key = path.rsplit('.').next()?;
    let mut lines = (1_usize..)
        .zip(text.lines())
        .filter(|(_, line)| sets(line, key))
        .map(|(number, _)| number);
    let first = lines.next()?;
    lines.next().is_none().then_some(first)
}

fn sets(line: &str, key: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t', '-', '"', '\'']);
    let header = line
        .trim_start_matches('[')
        .trim_end()
        .trim_end_matches(']');
    let is_header = line.starts_with('[') && header.rsplit('.').next() == Some(key);
    is_header
        || line.strip_prefix(key).is_some_and(|rest| {
            rest.trim_start_matches(['"', '\'', ' ', '\t'])
                .starts_with([':', '='])
        })
}
