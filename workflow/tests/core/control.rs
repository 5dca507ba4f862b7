//! What operators do to a run.

use crate::bench::{Bench, definition, reason};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use workflow::core::{
    Command, Control, Ending, Event, Outcome, Phase, RestoreError, Reuse, Run, RunSettings,
    TaskPath, TimerKind, WaitOn,
};
use workflow::expression::Expressions;

const STEPS: &str = "
do:
  - one: { call: x.one, with: {} }
  - nap: { wait: PT1M }
  - two: { call: x.two, with: {} }
";

#[test]
fn a_paused_run_begins_nothing_and_forgets_nothing() {
    let mut bench = Bench::new(STEPS);
    bench.control(Control::Pause(reason()));
    assert_eq!(bench.run.status().in_flight, 1);
    bench.answer("/do/0/one", 1, json!(1));
    let status = bench.run.status();
    assert_eq!((status.phase, status.in_flight), (Phase::Suspended, 0));
    // What was answered is not an orphan, whoever takes the run over.
    bench.event(Event::Recover { epoch: 7 });
    assert!(bench.sent().is_empty());
    bench.control(Control::Resume(reason()));
    assert!(bench.has(|it| matches!(
        it,
        Command::Timer {
            timer: TimerKind::Wait,
            ..
        }
    )));
}

#[test]
fn timers_go_on_in_a_paused_run() {
    let mut bench = Bench::new(STEPS);
    bench.answer("/do/0/one", 1, json!(1));
    bench.control(Control::Pause(reason()));
    bench.fire("/do/1/nap", TimerKind::Wait, 60);
    assert!(bench.sent().is_empty());
    bench.control(Control::Resume(reason()));
    assert_eq!(bench.sent()[0].path.as_str(), "/do/2/two");
}

#[test]
fn a_run_moves_to_a_newer_definition_that_has_its_steps() {
    let mut bench = Bench::new(STEPS);
    bench.answer("/do/0/one", 1, json!(1));
    let newer = definition(&STEPS.replace("x.two", "x.three"));
    bench.run = bench.run.adopt(newer, BTreeMap::new()).unwrap().0;
    bench.fire("/do/1/nap", TimerKind::Wait, 60);
    let sent = bench.sent();
    assert!(format!("{:?}", sent[0].call.target).contains("x.three"));
    let without = definition("do: [ { only: { set: { a: 1 } } } ]");
    assert!(
        matches!(bench.run.adopt(without, BTreeMap::new()), Err(RestoreError::Step(path)) if path.as_str() == "/do/2/two")
    );
}

#[test]
fn only_this_version_and_the_one_before_are_loaded() {
    let bench = Bench::new(STEPS);
    let saved = String::from_utf8(bench.run.save()).unwrap();
    let load = |version: &str| {
        let text = saved.replace(
            r#""interpreter_version":1"#,
            &format!(r#""interpreter_version":{version}"#),
        );
        let expressions = Arc::new(Expressions::default());
        Run::restore(bench.run.definition().clone(), expressions, text.as_bytes())
    };
    assert!(load("0").is_ok());
    assert!(load("1").is_ok());
    assert!(matches!(load("2"), Err(RestoreError::Version { found: 2 })));
}

#[test]
fn a_rerun_takes_over_what_was_done_before_its_step() {
    let outputs = BTreeMap::from([
        (TaskPath::new("/do/0/one"), Arc::new(json!("old one"))),
        (TaskPath::new("/do/1/nap"), Arc::new(json!("old nap"))),
        (TaskPath::new("/do/2/two"), Arc::new(json!("old two"))),
    ]);
    let reuse = Reuse {
        outputs,
        from: Some(TaskPath::new("/do/2/two")),
    };
    let settings = RunSettings {
        reuse,
        ..RunSettings::default()
    };
    let mut bench = Bench::with(STEPS, json!({}), settings);
    assert_eq!(bench.sent()[0].path.as_str(), "/do/2/two");
    bench.answer("/do/2/two", 1, json!("new two"));
    assert_eq!(
        bench.run.status().ending,
        Some(Ending::Completed(Arc::new(json!("new two"))))
    );
}

/// Acceptance: 348
#[test]
fn an_outcome_nobody_knows_waits_for_a_person() {
    let mut bench = Bench::new(STEPS);
    bench.event(Event::Recover { epoch: 1 });
    assert!(bench.sent().is_empty(), "it may have happened");
    assert!(bench.has(|it| matches!(it, Command::Notify { .. })));
    let waits = bench.run.waits();
    let key = waits.iter().find_map(|wait| match &wait.on {
        WaitOn::Operator { key, .. } => key.clone(),
        _ => None,
    });
    assert_eq!(key.as_deref(), Some("r1:/do/0/one#1"));
    let resolution = workflow::core::Resolution::Retry;
    let path = TaskPath::new("/do/0/one");
    bench.control(Control::Resolve {
        path,
        resolution,
        reason: reason(),
    });
    assert_eq!(
        bench.sent()[0].key,
        "r1:/do/0/one#2",
        "another attempt has another key"
    );
}

/// Acceptance: 71
#[test]
fn a_stale_answer_changes_nothing() {
    let mut bench = Bench::new(
        "
do:
  - one: { call: x.one, with: {}, metadata: { hub: { effect: idempotent } } }
  - two: { call: x.two, with: {} }
",
    );
    bench.event(Event::Recover { epoch: 1 });
    assert_eq!(
        bench.sent()[0].key,
        "r1:/do/0/one#1",
        "the same key is the same effect"
    );
    bench.answer("/do/0/one", 1, json!(1));
    assert_eq!(bench.sent()[0].path.as_str(), "/do/1/two");
    let outcome = Outcome::Completed(Arc::new(json!("again")));
    let path = TaskPath::new("/do/0/one");
    assert!(
        bench
            .event(Event::Outcome {
                path,
                attempt: 1,
                outcome
            })
            .is_empty()
    );
}
