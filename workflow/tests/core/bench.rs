//! A run on the bench: events go in by hand, commands are looked at.

use serde_json::{Value, json};
use std::sync::Arc;
use workflow::core::{
    Command, Control, Event, Invoke, Outcome, Reason, Request, Run, RunSettings, Stamped, TaskPath,
    TimerKind, Verdict, Vote,
};
use workflow::dsl::NoCatalogue;
use workflow::dsl::model::Definition;
use workflow::expression::Expressions;

/// A run, its clock, and the commands of the last transition.
pub(crate) struct Bench {
    pub(crate) run: Run,
    pub(crate) seconds: i64,
    pub(crate) last: Vec<Command>,
}

/// A definition with these tasks, in YAML.
pub(crate) fn definition(tasks: &str) -> Arc<Definition> {
    let head = "document: { dsl: '1.0.3', namespace: test, name: bench, version: '1.0.0' }\n";
    Arc::new(Definition::read(&format!("{head}{tasks}"), &NoCatalogue).unwrap())
}

pub(crate) fn reason() -> Reason {
    Reason {
        by: "ann".into(),
        why: "because".into(),
    }
}

pub(crate) fn vote(by: &str, verdict: Verdict, digest: &str) -> Vote {
    let reason = Some("I looked".to_owned());
    Vote {
        by: by.into(),
        groups: vec![],
        verdict,
        reason,
        digest: Some(digest.into()),
        form: None,
    }
}

impl Bench {
    pub(crate) fn with(tasks: &str, input: Value, settings: RunSettings) -> Self {
        let expressions = Arc::new(Expressions::default());
        let run = Run::new("r1", definition(tasks), expressions, input, settings);
        let mut bench = Self {
            run,
            seconds: 0,
            last: Vec::new(),
        };
        bench.event(Event::Started);
        bench
    }

    pub(crate) fn new(tasks: &str) -> Self {
        let settings = RunSettings {
            starter: "starter".into(),
            ..RunSettings::default()
        };
        Self::with(tasks, json!({}), settings)
    }

    /// One transition, stored and loaded again.
    pub(crate) fn event(&mut self, event: Event) -> &[Command] {
        let at = jiff::Timestamp::from_second(self.seconds).unwrap();
        self.last = self.run.advance(Stamped { at, event });
        assert_eq!(self.run.stuck(), None);
        let definition = self.run.definition().clone();
        let expressions = Arc::new(Expressions::default());
        self.run = Run::restore(definition, expressions, &self.run.save()).unwrap();
        &self.last
    }

    pub(crate) fn control(&mut self, control: Control) -> &[Command] {
        self.event(Event::Control(control))
    }

    pub(crate) fn answer(&mut self, path: &str, attempt: u32, output: Value) -> &[Command] {
        let outcome = Outcome::Completed(Arc::new(output));
        self.event(Event::Outcome {
            path: TaskPath::new(path),
            attempt,
            outcome,
        })
    }

    pub(crate) fn fire(&mut self, path: &str, timer: TimerKind, after: i64) -> &[Command] {
        self.seconds += after;
        self.event(Event::Fired {
            path: TaskPath::new(path),
            timer,
        })
    }

    /// What the last transition sends.
    pub(crate) fn sent(&self) -> Vec<&Invoke> {
        let sent = self.last.iter().filter_map(|command| match command {
            Command::Invoke(invoke) => Some(&**invoke),
            _ => None,
        });
        sent.collect()
    }

    /// What the last transition asks people.
    pub(crate) fn asked(&self) -> &Request {
        let asked = self.last.iter().find_map(|command| match command {
            Command::Approve(request) => Some(&**request),
            _ => None,
        });
        asked.unwrap()
    }

    pub(crate) fn has(&self, wanted: impl Fn(&Command) -> bool) -> bool {
        self.last.iter().any(wanted)
    }
}
