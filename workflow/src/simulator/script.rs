//! What the world around a simulated run does, as written under `document.metadata.sim`.

use crate::core::{Resolution, TaskPath, Verdict, Vote};
use crate::dsl::model::Definition;
use serde_json::Value;
use std::sync::Arc;

/// What the world does.
#[derive(Debug, Clone)]
pub struct Script {
    /// `input`: of the run.
    pub input: Value,
    /// `events`: delivered in order to whoever listens.
    pub events: Vec<Value>,
    /// `votes`: cast in order on each request: `approve`, `deny`, or such with `@who`.
    pub votes: Vec<String>,
    /// `cancel`: the run is cancelled as soon as this step is under way.
    pub cancel: Option<TaskPath>,
    /// `kill`: it is killed instead.
    pub kill: bool,
    /// `operator`: what is done with steps that gave up: `fail`, `retry` (the default) or `skip`.
    pub operator: Resolution,
    /// `expect`: how the run ends, as in [`super::Report::ending`]; `None` leaves it open.
    pub expect: Option<Value>,
}

impl Script {
    /// Reads the script of a definition; what is not said is empty.
    #[must_use]
    pub fn of(definition: &Definition) -> Self {
        let script = definition.json.pointer("/document/metadata/sim");
        let field = |name: &str| script.and_then(|script| script.get(name));
        let list = |name: &str| {
            field(name)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let text = |name: &str| field(name).and_then(Value::as_str);
        Self {
            input: field("input").cloned().unwrap_or_default(),
            events: list("events"),
            votes: list("votes")
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            cancel: text("cancel").map(TaskPath::new),
            kill: field("kill").and_then(Value::as_bool).unwrap_or(false),
            operator: match text("operator") {
                Some("fail") => Resolution::Fail,
                Some("skip") => Resolution::Skip(Arc::new(Value::from("skipped"))),
                _ => Resolution::Retry,
            },
            expect: field("expect").cloned(),
        }
    }

    /// The vote that is cast when so many were.
    pub(super) fn vote(&self, cast: usize, digest: String) -> Vote {
        let text = self.votes.get(cast).map_or("approve", String::as_str);
        let (word, by) = text.split_once('@').unwrap_or((text, ""));
        let verdict = if word == "deny" {
            Verdict::Deny
        } else {
            Verdict::Approve
        };
        let by = if by.is_empty() {
            format!("person {cast}")
        } else {
            by.to_owned()
        };
        let groups = vec!["sre".to_owned()];
        Vote {
            by,
            groups,
            verdict,
            reason: Some(word.into()),
            digest: Some(digest),
            form: None,
        }
    }
}
