//! Reads `metadata.hub`.
//!
//! Everything else under `metadata` belongs to others and is not looked at.

use super::fields::{Fields, Node, Reader};
use crate::dsl::model::{
    Approval, Compensation, Conflict, Effect, Hub, Lock, OnFailure, Parallel, Threshold, Timeouts,
    Tolerance, Verify, WorkflowHub,
};
use serde_json::{Map, Value};

const EFFECTS: &[(&str, Effect)] = &[
    ("read", Effect::Read),
    ("idempotent", Effect::Idempotent),
    ("once", Effect::Once),
];
const FAILURES: &[(&str, OnFailure)] =
    &[("suspend", OnFailure::Suspend), ("fail", OnFailure::Fail)];
const TASK_KEYS: &[&str] = &[
    "for",
    "effect",
    "verify",
    "compensate",
    "lock",
    "index",
    "timeouts",
    "approval",
    "backoff",
    "onFailure",
];

impl Reader<'_> {
    /// `document.metadata.hub`.
    pub(super) fn workflow_hub(&mut self, metadata: Option<&Node<'_>>) -> Option<WorkflowHub> {
        let fields = self.hub_fields(
            metadata,
            &["index", "lock", "onFailure", "grant", "schedule"],
        )?;
        Some(WorkflowHub {
            index: self.index(&fields),
            lock: fields.get("lock").and_then(|it| self.lock(&it)),
            on_failure: self.on_failure(&fields).unwrap_or_default(),
            grant: fields.get("grant").and_then(|it| self.texts(&it)),
        })
    }

    /// `metadata.hub` of a task of a kind.
    pub(super) fn task_hub(&mut self, metadata: Option<&Node<'_>>, kind: &str) -> Option<Hub> {
        let fields = self.hub_fields(metadata, TASK_KEYS)?;
        self.places_of(&fields, kind);
        let (backoff_factor, max_delay) = match fields.get("backoff") {
            Some(node) => self.hub_backoff(&node),
            None => (None, None),
        };
        Some(Hub {
            parallel: fields.get("for").and_then(|it| self.parallel(&it)),
            effect: fields.get("effect").and_then(|it| self.word(&it, EFFECTS)),
            verify: fields.get("verify").and_then(|it| self.verify(&it)),
            compensate: fields
                .get("compensate")
                .and_then(|it| self.compensation(&it)),
            lock: fields.get("lock").and_then(|it| self.lock(&it)),
            index: self.index(&fields),
            timeouts: fields
                .get("timeouts")
                .and_then(|it| self.timeouts(&it))
                .unwrap_or_default(),
            approval: fields.get("approval").and_then(|it| self.approval(&it)),
            backoff_factor,
            max_delay,
            on_failure: self.on_failure(&fields),
        })
    }

    fn hub_fields<'v>(
        &mut self,
        metadata: Option<&Node<'v>>,
        known: &[&str],
    ) -> Option<Fields<'v>> {
        let hub = self.object(metadata?)?.get("hub")?;
        let fields = self.object(&hub)?;
        self.known(&fields, known, "unknown_hub_key");
        Some(fields)
    }

    /// Complains about keys that mean nothing on this kind of task.
    fn places_of(&mut self, fields: &Fields<'_>, kind: &str) {
        let homes: &[(&str, &[&str])] = &[
            ("for", &["for"]),
            ("backoff", &["try"]),
            ("effect", &["call", "run"]),
            ("verify", &["call", "run"]),
            ("timeouts", &["call", "run"]),
        ];
        for (key, kinds) in homes {
            if let Some(node) = fields.get(key)
                && !kinds.contains(&kind)
            {
                let message = format!("{key} belongs on {}, not on {kind}", kinds.join(" or "));
                self.complain("misplaced_hub_key", &node.pointer, message);
            }
        }
    }

    fn on_failure(&mut self, fields: &Fields<'_>) -> Option<OnFailure> {
        let node = fields.get("onFailure")?;
        self.word(&node, FAILURES)
    }

    fn index(&mut self, fields: &Fields<'_>) -> Map<String, Value> {
        let node = fields.get("index");
        let Some(inner) = node.as_ref().and_then(|it| self.object(it)) else {
            return Map::new();
        };
        if inner.map.len() > 100 {
            self.complain(
                "out_of_range",
                &inner.pointer,
                "at most 100 search attributes",
            );
        }
        for (_, value) in inner.all() {
            self.template(&value);
        }
        inner.map.clone()
    }

    fn parallel(&mut self, node: &Node<'_>) -> Option<Parallel> {
        let fields = self.fields(node, &["concurrency", "failFast", "maxFailures"])?;
        let concurrency = self.need(&fields, "concurrency")?;
        let concurrency = self.whole(&concurrency, 1, 1000)?;
        let tolerance = fields.get("maxFailures").and_then(|it| self.tolerance(&it));
        Some(Parallel {
            concurrency: u32::try_from(concurrency).unwrap_or(1),
            fail_fast: self.flag(fields.get("failFast").as_ref()).unwrap_or(false),
            tolerance: tolerance.unwrap_or(Tolerance::Count(0)),
        })
    }

    fn tolerance(&mut self, node: &Node<'_>) -> Option<Tolerance> {
        let Value::String(text) = node.value else {
            let count = self.whole(node, 0, 10_000)?;
            return u32::try_from(count).ok().map(Tolerance::Count);
        };
        let share = text
            .strip_suffix('%')
            .and_then(|it| it.trim().parse::<u8>().ok());
        let share = share.filter(|it| *it <= 100);
        if share.is_none() {
            let message = format!("{text:?} is neither a number nor a share such as 10%");
            self.complain("unknown_value", &node.pointer, message);
        }
        share.map(Tolerance::Percent)
    }

    fn verify(&mut self, node: &Node<'_>) -> Option<Verify> {
        let fields = self.fields(node, &["call", "with", "holds"])?;
        let (call, with) = self.side_call(&fields)?;
        let holds = self.condition(fields.get("holds").as_ref());
        Some(Verify { call, with, holds })
    }

    fn compensation(&mut self, node: &Node<'_>) -> Option<Compensation> {
        let fields = self.fields(node, &["call", "with"])?;
        let (call, with) = self.side_call(&fields)?;
        Some(Compensation { call, with })
    }

    /// A call of a tool beside the task's own.
    fn side_call(&mut self, fields: &Fields<'_>) -> Option<(String, Value)> {
        let call = self.need(fields, "call")?;
        let name = self.text(&call)?;
        let with = fields.get("with");
        let arguments = with.as_ref().and_then(|it| self.object_template(it));
        let arguments = arguments.unwrap_or_else(|| Value::Object(Map::new()));
        let place = with.map_or_else(|| fields.pointer.clone(), |it| it.pointer);
        self.tool(name, &call.pointer, (&arguments, &place));
        Some((name.to_owned(), arguments))
    }

    fn lock(&mut self, node: &Node<'_>) -> Option<Lock> {
        let (keys, conflict) = match node.value {
            Value::Array(_) => (node.clone(), None),
            _ => {
                let fields = self.fields(node, &["keys", "onConflict"])?;
                (self.need(&fields, "keys")?, fields.get("onConflict"))
            }
        };
        let words = [
            ("queue", Conflict::Queue),
            ("reject", Conflict::Reject),
            ("cancelOld", Conflict::CancelOld),
        ];
        let items = self.list(&keys)?;
        if items.is_empty() || items.len() > 100 {
            self.complain("out_of_range", &keys.pointer, "1 to 100 keys can be locked");
        }
        Some(Lock {
            keys: items
                .iter()
                .filter_map(|it| self.phrase(Some(it)))
                .collect(),
            conflict: conflict
                .and_then(|it| self.word(&it, &words))
                .unwrap_or_default(),
        })
    }

    fn timeouts(&mut self, node: &Node<'_>) -> Option<Timeouts> {
        let fields = self.fields(node, &["queue", "heartbeat"])?;
        Some(Timeouts {
            queue: self.length_of(fields.get("queue").as_ref()),
            heartbeat: self.length_of(fields.get("heartbeat").as_ref()),
        })
    }

    fn approval(&mut self, node: &Node<'_>) -> Option<Approval> {
        let known = &[
            "thresholds",
            "selfApproval",
            "reason",
            "message",
            "form",
            "expires",
        ];
        let fields = self.fields(node, known)?;
        let reasons = [("required", true), ("optional", false)];
        let reason = fields.get("reason").and_then(|it| self.word(&it, &reasons));
        let form = fields.get("form").and_then(|it| self.json_schema(&it));
        Some(Approval {
            thresholds: self.thresholds(&fields),
            self_approval: self
                .flag(fields.get("selfApproval").as_ref())
                .unwrap_or(false),
            reason_required: reason.unwrap_or(true),
            message: self.phrase(fields.get("message").as_ref()),
            form: form.map(|it| it.as_ref().clone()),
            expires: self.length_of(fields.get("expires").as_ref()),
        })
    }

    fn thresholds(&mut self, fields: &Fields<'_>) -> Vec<Threshold> {
        let single = Threshold {
            approve: 1,
            deny: 1,
            group: None,
        };
        let Some(node) = fields.get("thresholds") else {
            return vec![single];
        };
        let items = self.list(&node).unwrap_or_default();
        if items.is_empty() {
            self.complain(
                "empty",
                &node.pointer,
                "there is no threshold, so nobody could decide",
            );
        }
        items.iter().filter_map(|it| self.threshold(it)).collect()
    }

    fn threshold(&mut self, node: &Node<'_>) -> Option<Threshold> {
        let fields = self.fields(node, &["approve", "deny", "group"])?;
        let mut count = |name| {
            let number = match fields.get(name) {
                Some(node) => self.whole(&node, 1, 100)?,
                None => 1,
            };
            u32::try_from(number).ok()
        };
        let (approve, deny) = (count("approve"), count("deny"));
        Some(Threshold {
            approve: approve?,
            deny: deny?,
            group: self.owned(fields.get("group").as_ref()),
        })
    }

    fn hub_backoff(&mut self, node: &Node<'_>) -> (Option<u32>, Option<crate::dsl::model::Length>) {
        let Some(fields) = self.fields(node, &["factor", "maxDelay"]) else {
            return (None, None);
        };
        let max_delay = self.length_of(fields.get("maxDelay").as_ref());
        let Some(factor) = fields.get("factor") else {
            return (None, max_delay);
        };
        let number = factor
            .value
            .as_f64()
            .filter(|it| (1.0..=100.0).contains(it));
        if number.is_none() {
            self.complain(
                "out_of_range",
                &factor.pointer,
                "the factor is a number from 1 to 100",
            );
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "1 to 100"
        )]
        let thousandths = number.map(|it| (it * 1000.0).round() as u32);
        (thousandths, max_delay)
    }
}
