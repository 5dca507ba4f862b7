//! Everything is bounded: steps, history, nesting, time, and what a waiting run weighs.

use crate::bench::{Bench, vote};
use serde_json::json;
use workflow::core::{
    Command, Ending, Event, Failure, Fault, Limits, Outcome, Problem, RunSettings, TaskPath,
    TimerKind, Verdict,
};

const ENDLESS: &str = "
do:
  - again: { set: { n: 1 }, then: more }
  - more: { set: { n: 2 }, then: again }
";

#[test]
fn a_loop_without_end_lets_others_work_and_then_fails() {
    let limits = Limits {
        events: 5_000,
        ..Limits::default()
    };
    let settings = RunSettings {
        limits,
        ..RunSettings::default()
    };
    let mut bench = Bench::with(ENDLESS, json!({}), settings);
    let mut turns = 0;
    while bench.run.status().ending.is_none() {
        assert!(bench.has(|it| matches!(
            it,
            Command::Timer {
                timer: TimerKind::Yield,
                ..
            }
        )));
        bench.fire("", TimerKind::Yield, 0);
        turns += 1;
        assert!(turns < 10);
    }
    let Some(Ending::Faulted(problem)) = bench.run.status().ending else {
        panic!("not faulted")
    };
    assert_eq!(problem.title.as_deref(), Some("history too long"));
}

#[test]
fn a_run_that_waits_weighs_less_than_a_kilobyte() {
    let mut bench = Bench::new(
        "
do:
  - one: { call: x.one, with: {} }
  - nap: { wait: PT1H }
",
    );
    bench.answer("/do/0/one", 1, json!({"ok": true}));
    let bytes = bench.run.save().len();
    assert!(bytes < 1_024, "{bytes}");
}

#[test]
fn time_people_take_is_not_the_time_of_the_run() {
    let mut bench = Bench::new(
        "
do:
  - change:
      call: x.change
      with: {}
      metadata: { hub: { approval: { thresholds: [ { approve: 1 } ], expires: P2D } } }
  - nap: { wait: PT12H }
",
    );
    let digest = bench.asked().digest.clone();
    let path = TaskPath::new("/do/0/change");
    bench.fire("", TimerKind::Timeout, 24 * 3_600);
    assert_eq!(bench.run.status().ending, None);
    bench.seconds += 3_600;
    let vote = vote("ann", Verdict::Approve, &digest);
    bench.event(Event::Decided {
        path,
        attempt: 1,
        vote,
    });
    bench.answer("/do/0/change", 2, json!(1));
    bench.fire("", TimerKind::Timeout, 11 * 3_600);
    assert_eq!(bench.run.status().ending, None);
    bench.fire("", TimerKind::Timeout, 14 * 3_600);
    assert!(
        matches!(bench.run.status().ending, Some(Ending::Faulted(problem)) if problem.status == 408)
    );
}

#[test]
fn a_try_waits_longer_each_turn() {
    let mut bench = Bench::new("
do:
  - flaky:
      try: [ { one: { call: x.one, with: {} } } ]
      catch:
        retry: { delay: { seconds: 3 }, backoff: { exponential: {} }, limit: { attempt: { count: 3 } } }
");
    let mut waits = Vec::new();
    for turn in 1..=3 {
        let problem = Problem::new(Fault::Communication, "away", "").with_status(503);
        let failure = Failure {
            problem,
            ran: false,
            transient: true,
            retry_after: None,
        };
        let path = TaskPath::new("/do/0/flaky/try/0/one");
        let outcome = Outcome::Failed(failure);
        bench.event(Event::Outcome {
            path,
            attempt: turn,
            outcome,
        });
        let at = bench.last.iter().find_map(|command| match command {
            Command::Timer {
                timer: TimerKind::Retry,
                at,
                ..
            } => Some(at.as_second()),
            _ => None,
        });
        let wait = at.unwrap() - bench.seconds;
        waits.push(wait);
        bench.fire("/do/0/flaky", TimerKind::Retry, wait);
    }
    assert_eq!(waits, [3, 6, 12]);
}

#[test]
fn data_that_does_not_fit_its_schema_is_an_error_with_an_address() {
    let bench = Bench::new(
        "
do:
  - typed:
      input: { schema: { document: { type: array } } }
      set: { a: 1 }
",
    );
    let Some(Ending::Faulted(problem)) = bench.run.status().ending else {
        panic!("not faulted")
    };
    assert!(problem.is(Fault::Validation));
    assert_eq!(problem.instance.unwrap().as_str(), "/do/0/typed");
}
