//! A statement with its arguments, and the rows it gives back, for either database.

use super::StoreError;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use std::collections::HashMap;
use std::sync::Arc;

/// One value bound to a statement. JSON travels as text, times as microseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// SQL null of a text column.
    Null,
    /// SQL null of an integer column.
    NullInteger,
    /// Text, JSON included.
    Text(String),
    /// Text somebody else holds too; binding it copies nothing.
    Shared(Arc<str>),
    /// Integers, times, booleans as 0 and 1.
    Integer(i64),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<&str> for Argument {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Argument {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Arc<str>> for Argument {
    fn from(value: Arc<str>) -> Self {
        Self::Shared(value)
    }
}

impl From<Option<Arc<str>>> for Argument {
    fn from(value: Option<Arc<str>>) -> Self {
        value.map_or(Self::Null, Self::Shared)
    }
}

impl From<i64> for Argument {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Argument {
    fn from(value: bool) -> Self {
        Self::Integer(i64::from(value))
    }
}

impl From<Option<String>> for Argument {
    fn from(value: Option<String>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }
}

impl From<Option<i64>> for Argument {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::NullInteger, Self::Integer)
    }
}

impl From<Vec<u8>> for Argument {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

/// SQL with `$1 … $n`, its arguments, and how many rows it must touch.
#[derive(Debug, Clone)]
pub struct Statement {
    sql: Sql,
    pub(in crate::store) arguments: Vec<Argument>,
    pub(in crate::store) expected: Option<u64>,
}

impl Statement {
    /// A statement of the portable subset (see `crate::store`).
    #[must_use]
    pub const fn new(sql: &'static str) -> Self {
        Self {
            sql: Sql::Written(sql),
            arguments: Vec::new(),
            expected: None,
        }
    }

    /// A statement whose text was put together from parts of the program, such as one row of
    /// placeholders repeated. Input goes into arguments, never in here.
    #[must_use]
    pub(crate) const fn generated(sql: Arc<str>) -> Self {
        Self {
            sql: Sql::Generated(sql),
            arguments: Vec::new(),
            expected: None,
        }
    }

    /// The text, as the driver wants it.
    pub(in crate::store) fn sql(&self) -> SqlStr {
        match &self.sql {
            Sql::Written(text) => text.into_sql_str(),
            Sql::Generated(text) => AssertSqlSafe(Arc::clone(text)).into_sql_str(),
        }
    }

    /// Binds the next argument.
    #[must_use]
    pub fn bind(mut self, argument: impl Into<Argument>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Rolls the whole batch back with [`StoreError::Unexpected`] unless exactly `rows` rows are
    /// touched: the compare-and-set of every state machine.
    #[must_use]
    pub const fn expect(mut self, rows: u64) -> Self {
        self.expected = Some(rows);
        self
    }
}

/// SQL that is part of the program, never of its input.
#[derive(Debug, Clone)]
enum Sql {
    Written(&'static str),
    Generated(Arc<str>),
}

/// What one statement did.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Rows inserted, updated or deleted.
    pub touched: u64,
    /// Rows of a `RETURNING` clause.
    pub rows: Vec<Row>,
}

/// One row, by column name.
#[derive(Debug, Clone, Default)]
pub struct Row(pub(in crate::store) HashMap<String, Argument>);

impl Row {
    /// A text column.
    ///
    /// # Errors
    /// [`StoreError::Column`] when it is null, absent or no text.
    pub fn text(&self, column: &'static str) -> Result<&str, StoreError> {
        match self.0.get(column) {
            Some(Argument::Text(text)) => Ok(text),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// A text column that may be null.
    ///
    /// # Errors
    /// [`StoreError::Column`] when it is absent or no text.
    pub fn optional_text(&self, column: &'static str) -> Result<Option<&str>, StoreError> {
        match self.0.get(column) {
            Some(Argument::Text(text)) => Ok(Some(text)),
            Some(Argument::Null | Argument::NullInteger) => Ok(None),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// An integer column.
    ///
    /// # Errors
    /// [`StoreError::Column`] when it is null, absent or no integer.
    pub fn integer(&self, column: &'static str) -> Result<i64, StoreError> {
        match self.0.get(column) {
            Some(Argument::Integer(value)) => Ok(*value),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// An integer column that may be null.
    ///
    /// # Errors
    /// [`StoreError::Column`] when it is absent or no integer.
    pub fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        match self.0.get(column) {
            Some(Argument::Integer(value)) => Ok(Some(*value)),
            Some(Argument::Null | Argument::NullInteger) => Ok(None),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// A column of bytes.
    ///
    /// # Errors
    /// [`StoreError::Column`] when it is null, absent or no bytes.
    pub fn bytes(&self, column: &'static str) -> Result<&[u8], StoreError> {
        match self.0.get(column) {
            Some(Argument::Bytes(bytes)) => Ok(bytes),
            _ => Err(StoreError::Column(column)),
        }
    }
}
