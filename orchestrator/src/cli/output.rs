//! What commands print: tables and sentences for people, JSON for machines, never both.

use super::Failure;
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;

/// Where a command's results go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints `value` as JSON, or what `text` makes of it.
    pub(crate) fn show(self, value: &Value, text: impl FnOnce(&Value) -> String) {
        let printed = if self.json {
            pretty(value)
        } else {
            text(value)
        };
        self.line(&printed);
    }

    /// Prints one line. A closed pipe ends the output, not the program.
    pub(crate) fn line(self, text: &str) {
        let mut out = std::io::stdout().lock();
        drop(writeln!(out, "{}", text.trim_end_matches('\n')));
    }

    /// Tells a person something beside the result.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            drop(writeln!(std::io::stderr().lock(), "{text}"));
        }
    }

    /// Reports a failure on standard error and gives its exit code.
    pub(crate) fn failed(self, failure: &Failure) -> ExitCode {
        let mut err = std::io::stderr().lock();
        let text = if self.json {
            json!({"error": {"message": failure.message, "exit_code": failure.code}}).to_string()
        } else {
            format!("waygate: {}", failure.message)
        };
        drop(writeln!(err, "{text}"));
        ExitCode::from(failure.code)
    }
}

/// Indented JSON.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_error| value.to_string())
}

/// A table with a header; columns as wide as their widest cell, none wider than 60 characters.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    const WIDEST: usize = 60;
    let cut = |cell: &str| -> String {
        if cell.chars().count() <= WIDEST {
            cell.to_owned()
        } else {
            cell.chars().take(WIDEST - 1).chain(['…']).collect()
        }
    };
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(&header)
        .chain(rows)
        .map(|row| row.iter().map(|cell| cut(cell)).collect())
        .collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|at| {
            lines
                .iter()
                .filter_map(|row| row.get(at))
                .map(|c| c.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in lines {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A text field of an object; empty when absent.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let rows = vec![
            vec!["a".into(), "first".into()],
            vec!["longer".into(), "x".repeat(80)],
        ];
        let text = table(&["ID", "TEXT"], &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ID      TEXT");
        assert_eq!(lines[1], "a       first");
        assert!(lines[2].ends_with('…') && lines[2].chars().count() == 8 + 60);
    }
}
