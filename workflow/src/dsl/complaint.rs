//! One thing that is wrong with a document, and where.
//!
//! Wording is the business of the check that complains.

use std::fmt;

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Stable name of the rule, such as `unknown_tool`.
    pub code: &'static str,
    /// JSON pointer to the place; empty for the whole document.
    pub pointer: String,
    /// Line in the text, counted from 1; `None` when the text could not be located.
    pub line: Option<u32>,
    /// What is wrong and what would be right; lower case, no full stop.
    pub message: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        write!(f, "{} ({})", self.message, self.code)
    }
}
