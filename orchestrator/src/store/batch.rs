//! Statements of a batch as one text, and what came of each.
//!
//! A connection to SQLite is a thread of its own: handing it one order instead of one for each statement
//! saves most of what a small write costs.

use super::StoreError;
use super::fault::{classify, is_connection_error, is_transient};
use super::statement::{Outcome, Row, Statement};

/// Statements in one text. SQLite copies what is left of a text for each statement it reads there.
pub(in crate::store) const TOGETHER: usize = 32;

/// Why a batch did not run to its end.
pub(in crate::store) enum Stopped {
    /// A statement, by its place, touched other rows than it expects.
    Unexpected(usize),
    /// The database refused, or is gone.
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

impl Stopped {
    pub(in crate::store) fn refusal(self) -> StoreError {
        match self {
            Self::Unexpected(at) => StoreError::Unexpected(at),
            Self::Failed(error) => classify(error),
        }
    }
}

/// One text of all. Arguments without a number are counted by the driver over all statements, those with
/// one are looked up by it each; so the former come first, and a statement that counts its arguments up
/// anyway loses the numbers.
pub(in crate::store) fn joined(controls: &[&'static str], statements: &[Statement]) -> Statement {
    let mut text = String::new();
    for control in controls {
        text.push_str(control);
        text.push(';');
    }
    let texts: Vec<_> = statements.iter().map(Statement::sql).collect();
    let parts: Vec<Vec<Piece<'_>>> = texts.iter().map(|text| pieces(text.as_str())).collect();
    let all = || statements.iter().zip(&parts);
    let plain = all().filter(|(_, pieces)| counts_up(pieces));
    let numbered = all().filter(|(_, pieces)| !counts_up(pieces));
    let mut arguments: Vec<_> = plain
        .flat_map(|(statement, _)| statement.arguments.iter().cloned())
        .collect();
    let mut before = arguments.len();
    for (statement, pieces) in all() {
        if counts_up(pieces) {
            append(pieces, &mut text, |_| "?".to_owned());
        } else {
            append(pieces, &mut text, |own| {
                format!("${}", own.saturating_add(before))
            });
            before += statement.arguments.len();
        }
        text.push(';');
    }
    arguments.extend(numbered.flat_map(|(statement, _)| statement.arguments.iter().cloned()));
    let mut joined = Statement::generated(text.into());
    joined.arguments = arguments;
    joined
}

/// Some text, and the number of the argument that follows it.
type Piece<'a> = (&'a str, Option<usize>);

/// A text cut at its numbered arguments. What is quoted is left whole.
fn pieces(sql: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut from, mut quoted) = (0, false);
    for (at, byte) in sql.bytes().enumerate() {
        quoted ^= byte == b'\'';
        if byte != b'$' || quoted {
            continue;
        }
        let rest = sql.get(at + 1..).unwrap_or_default();
        let end = rest.find(|c: char| !c.is_ascii_digit());
        let digits = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        if let Ok(number) = digits.parse() {
            pieces.push((sql.get(from..at).unwrap_or_default(), Some(number)));
            from = at + 1 + digits.len();
        }
    }
    pieces.push((sql.get(from..).unwrap_or_default(), None));
    pieces
}

/// Whether every argument is used once, in order.
fn counts_up(pieces: &[Piece<'_>]) -> bool {
    let numbers = pieces.iter().filter_map(|(_, number)| *number);
    numbers.zip(1..).all(|(number, place)| number == place)
}

fn append(pieces: &[Piece<'_>], text: &mut String, name: impl Fn(usize) -> String) {
    for (part, number) in pieces {
        text.push_str(part);
        if let Some(number) = number {
            text.push_str(&name(*number));
        }
    }
}

/// What came of each statement, as the database tells it.
pub(in crate::store) struct Checked<'a> {
    controls: usize,
    statements: &'a [Statement],
    outcomes: Vec<Outcome>,
    rows: Vec<Row>,
    /// The first that touched other rows than it expects.
    unexpected: Option<usize>,
}

impl<'a> Checked<'a> {
    pub(in crate::store) fn new(controls: usize, statements: &'a [Statement]) -> Self {
        Self {
            controls,
            statements,
            outcomes: Vec::with_capacity(statements.len()),
            rows: Vec::new(),
            unexpected: None,
        }
    }

    /// The statement that runs gave a row.
    pub(in crate::store) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The statement that runs is done.
    pub(in crate::store) fn done(&mut self, touched: u64) {
        let rows = std::mem::take(&mut self.rows);
        if self.controls > 0 {
            self.controls -= 1;
        } else {
            self.take(Outcome { touched, rows });
        }
    }

    /// What the next statement came to.
    pub(in crate::store) fn take(&mut self, outcome: Outcome) {
        let at = self.outcomes.len();
        let expected = self.statements.get(at).and_then(|it| it.expected);
        if expected.is_some_and(|rows| rows != outcome.touched) {
            self.unexpected.get_or_insert(at);
        }
        self.outcomes.push(outcome);
    }

    /// Why the batch stopped. What runs after a statement that touched other rows than it expects may fail
    /// because of that, which is then not the reason.
    pub(in crate::store) fn failed(&self, error: sqlx::Error) -> Stopped {
        let unsound = is_transient(&error) || is_connection_error(&error);
        match self.unexpected {
            Some(at) if !unsound => Stopped::Unexpected(at),
            _ => Stopped::Failed(error),
        }
    }

    /// All outcomes, once every statement has run.
    pub(in crate::store) fn outcomes(self) -> Result<Vec<Outcome>, Stopped> {
        match self.unexpected {
            Some(at) => Err(Stopped::Unexpected(at)),
            None => Ok(self.outcomes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::Argument;
    use super::*;

    #[test]
    fn arguments_keep_their_statements_and_quotes_are_left_alone() {
        let numbered = Statement::new("UPDATE a SET b = $2, c = '$1 it''s' WHERE d = $1 OR e = $2")
            .bind(1)
            .bind(2);
        let counted = Statement::new("INSERT INTO a VALUES ($1, $2)")
            .bind(3)
            .bind(4);
        let plain = Statement::new("INSERT INTO a VALUES (?)").bind(5);
        let last = Statement::new("DELETE FROM a WHERE b = $1 OR c = $1").bind(6);
        let joined = joined(&["SAVEPOINT batch"], &[numbered, counted, plain, last]);
        assert_eq!(
            joined.sql().as_str(),
            "SAVEPOINT batch;UPDATE a SET b = $5, c = '$1 it''s' WHERE d = $4 OR e = $5;\
             INSERT INTO a VALUES (?, ?);INSERT INTO a VALUES (?);DELETE FROM a WHERE b = $6 OR c = $6;"
        );
        let numbers: Vec<_> = [3, 4, 5, 1, 2, 6].map(Argument::Integer).into();
        assert_eq!(joined.arguments, numbers);
    }
}
