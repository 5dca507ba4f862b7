//! What went wrong, as an RFC 7807 problem; `instance` is the path of the step.

use super::path::TaskPath;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// Where the standard's own error types live.
const STANDARD: &str = "https://serverlessworkflow.io/spec/1.0.0/errors/";
/// A second spelling of the same place, used by the conformance scenarios.
const ALIAS: &str = "https://serverlessworkflow.io/dsl/errors/types/";

/// The standard's error types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The definition asks for what cannot be done. 400.
    Configuration,
    /// Data does not fit its schema or its place. 400.
    Validation,
    /// An expression failed. 400.
    Expression,
    /// Nobody said who they are. 401.
    Authentication,
    /// Refused: by policy, or by the people asked. 403.
    Authorization,
    /// Took too long. 408.
    Timeout,
    /// The other side could not be reached, or answered with an error. 500 unless it said otherwise.
    Communication,
    /// Something of ours: a limit, a lock that was refused. 500.
    Runtime,
}

impl Fault {
    /// The last part of the type's address.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Validation => "validation",
            Self::Expression => "expression",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Timeout => "timeout",
            Self::Communication => "communication",
            Self::Runtime => "runtime",
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::Configuration | Self::Validation | Self::Expression => 400,
            Self::Authentication => 401,
            Self::Authorization => 403,
            Self::Timeout => 408,
            Self::Communication | Self::Runtime => 500,
        }
    }
}

/// An error of a step or a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Address of the kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// HTTP-like status, 100–599 by custom.
    pub status: u16,
    /// Short, for a person. `None` when nobody gave one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// About this occurrence. `None` when there is nothing to add.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// The step it comes from; `None` until a step owns it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instance: Option<TaskPath>,
}

impl Problem {
    /// One of the standard's errors, with a detail for a person.
    #[must_use]
    pub fn new(fault: Fault, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{STANDARD}{}", fault.name()),
            status: fault.status(),
            title: Some(title.to_owned()),
            detail: Some(detail.into()),
            instance: None,
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Whether this is `fault`, in either spelling of its address.
    #[must_use]
    pub fn is(&self, fault: Fault) -> bool {
        short(&self.kind) == Some(fault.name())
    }

    /// Whether an author's filter `type: text` means this error: both spellings of the standard's
    /// addresses are one.
    #[must_use]
    pub fn has_type(&self, text: &str) -> bool {
        self.kind == text || (short(text).is_some() && short(text) == short(&self.kind))
    }

    /// As a value for expressions and outputs.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("type".into(), self.kind.clone().into());
        map.insert("status".into(), self.status.into());
        for (name, text) in [("title", &self.title), ("detail", &self.detail)] {
            if let Some(text) = text {
                map.insert(name.into(), text.clone().into());
            }
        }
        if let Some(instance) = &self.instance {
            map.insert("instance".into(), instance.as_str().into());
        }
        Value::Object(map)
    }

    /// Sets the step it comes from, unless one is known already.
    #[must_use]
    pub(super) fn at(mut self, path: &TaskPath) -> Self {
        self.instance.get_or_insert_with(|| path.clone());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = self.title.as_deref().unwrap_or(&self.kind);
        write!(f, "{title} ({})", self.status)?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

fn short(kind: &str) -> Option<&str> {
    kind.strip_prefix(STANDARD)
        .or_else(|| kind.strip_prefix(ALIAS))
}

#[cfg(test)]
mod tests {
    use super::{Fault, Problem};

    #[test]
    fn both_spellings_of_a_standard_error_are_one() {
        let problem = Problem::new(Fault::Communication, "not found", "404").with_status(404);
        assert!(problem.has_type("https://serverlessworkflow.io/dsl/errors/types/communication"));
        assert!(problem.has_type("https://serverlessworkflow.io/spec/1.0.0/errors/communication"));
        assert!(!problem.has_type("https://serverlessworkflow.io/spec/1.0.0/errors/timeout"));
        assert!(problem.is(Fault::Communication));
    }
}
