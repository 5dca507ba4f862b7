//! What people say to a request: yes or no, why, and what its author wants to know.

use super::{Approval, ApprovalError};
use jiff::Timestamp;
use serde_json::Value;
use shared::arguments::ArgumentSchema;

/// Longest note, in bytes.
const MAX_NOTE: usize = 4096;
/// Longest form, in bytes of its JSON.
const MAX_FORM: usize = 64 * 1024;

/// What somebody says.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Yes or no.
    pub verdict: Verdict,
    /// Why; `None` when they do not say.
    pub note: Option<&'a str>,
    /// The form, filled in; `None` when there is none.
    pub form: Option<&'a Value>,
}

impl<'a> Said<'a> {
    /// A word without a form.
    #[must_use]
    pub const fn plain(verdict: Verdict, note: Option<&'a str>) -> Self {
        Self {
            verdict,
            note,
            form: None,
        }
    }

    /// Whether it answers what is asked.
    pub(super) fn answers(&self, approval: &Approval) -> Result<(), ApprovalError> {
        if self.note.is_some_and(|note| note.len() > MAX_NOTE) {
            return Err(ApprovalError::Invalid("the note is longer than 4096 bytes"));
        }
        let unreasoned = self.note.is_none_or(|note| note.trim().is_empty());
        if approval.reason_required && unreasoned {
            return Err(ApprovalError::Invalid("a reason is required"));
        }
        match (&approval.form, self.form) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(ApprovalError::Invalid("this request has no form")),
            (Some(_), None) if self.verdict == Verdict::Reject => Ok(()),
            (Some(_), None) => Err(ApprovalError::Invalid("a yes needs the form filled in")),
            (Some(schema), Some(form)) => fits(schema, form),
        }
    }
}

fn fits(schema: &Value, form: &Value) -> Result<(), ApprovalError> {
    if form.to_string().len() > MAX_FORM {
        return Err(ApprovalError::Invalid("the form is longer than 64 KiB"));
    }
    let Ok(schema) = ArgumentSchema::compile(schema.clone()) else {
        return Err(ApprovalError::Invalid(
            "the form of this request cannot be used",
        ));
    };
    schema.check(form).map_err(ApprovalError::Form)
}

/// What one person said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// The approver's principal.
    pub approver: String,
    /// What they said.
    pub verdict: Verdict,
    /// Why; `None` when they did not say.
    pub note: Option<String>,
    /// The form they filled in; `None` when there was none.
    pub form: Option<Value>,
    /// When.
    pub at: Timestamp,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// One yes; as many as required approve.
    Approve,
    /// One no rejects.
    Reject,
}

impl Verdict {
    /// The word in the store and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }

    /// Reads the word; `None` for another one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Approve, Self::Reject]
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
    }
}
