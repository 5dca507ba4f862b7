//! Stopping and taking back.

use crate::bench::{Bench, reason};
use serde_json::json;
use workflow::core::{Command, Control, Ending, Phase, Purpose, TimerKind};

const SAGA: &str = "
do:
  - one:
      call: x.one
      with: {}
      metadata: { hub: { compensate: { call: x.undo, with: { of: one } } } }
  - two:
      call: x.two
      with: {}
      metadata: { hub: { compensate: { call: x.undo, with: { of: two } }, lock: [ host ] } }
";

fn second_in_flight() -> Bench {
    let mut bench = Bench::new(SAGA);
    bench.answer("/do/0/one", 1, json!(1));
    bench.event(workflow::core::Event::Locked {
        path: workflow::core::TaskPath::new("/do/1/two"),
    });
    assert_eq!(bench.sent()[0].path.as_str(), "/do/1/two");
    bench
}

#[test]
fn a_call_that_answers_after_the_cancel_is_taken_back_first() {
    let mut bench = second_in_flight();
    bench.control(Control::Cancel(reason()));
    assert!(bench.has(|it| matches!(it, Command::CancelInvoke { .. })));
    assert!(bench.sent().is_empty(), "it may still answer");
    bench.answer("/do/1/two", 1, json!(2));
    let sent = bench.sent()[0];
    assert_eq!(
        (sent.purpose, sent.key.as_str()),
        (Purpose::Undo, "r1:/do/1/two#1:undo")
    );
    bench.answer("/do/1/two/undo", 2, json!(null));
    assert_eq!(bench.sent()[0].key, "r1:/do/0/one#1:undo");
    bench.answer("/do/0/one/undo", 3, json!(null));
    assert!(matches!(
        bench.run.status().ending,
        Some(Ending::Cancelled(_))
    ));
}

#[test]
fn a_cancelled_call_that_never_answers_is_for_a_person_to_judge() {
    let mut bench = second_in_flight();
    bench.control(Control::Cancel(reason()));
    bench.fire("", TimerKind::Grace, 30);
    assert!(bench.has(|it| matches!(it, Command::Notify { .. })));
    assert_eq!(bench.run.status().phase, Phase::Suspended);
    let path = workflow::core::TaskPath::new("/do/1/two");
    let resolution = workflow::core::Resolution::Retry;
    bench.control(Control::Resolve {
        path,
        resolution,
        reason: reason(),
    });
    assert_eq!(
        bench.sent()[0].key,
        "r1:/do/0/one#1:undo",
        "it did not happen, so only one is taken back"
    );
}

#[test]
fn a_kill_takes_nothing_back_and_gives_locks_back() {
    let mut bench = second_in_flight();
    bench.control(Control::Kill(reason()));
    assert!(bench.sent().is_empty());
    assert!(bench.has(|it| matches!(it, Command::Unlock { keys, .. } if keys == &["host"])));
    assert!(matches!(
        bench.last.last(),
        Some(Command::Finish(Ending::Killed(_)))
    ));
}

#[test]
fn locks_are_held_across_a_pause() {
    let mut bench = second_in_flight();
    bench.control(Control::Pause(reason()));
    assert!(!bench.has(|it| matches!(it, Command::Unlock { .. })));
    bench.answer("/do/1/two", 1, json!(2));
    assert!(!bench.has(|it| matches!(it, Command::Unlock { .. })));
    bench.control(Control::Resume(reason()));
    assert!(bench.has(|it| matches!(it, Command::Unlock { .. })));
}

#[test]
fn compensation_that_takes_too_long_is_for_a_person() {
    let mut bench = second_in_flight();
    bench.control(Control::Cancel(reason()));
    bench.answer("/do/1/two", 1, json!(2));
    bench.fire("", TimerKind::Budget, 15 * 60);
    assert!(bench.has(|it| matches!(it, Command::Notify { .. })));
    assert_eq!(bench.run.status().phase, Phase::Suspended);
    assert_eq!(
        bench.run.status().ending,
        None,
        "a failed compensation never hides"
    );
}
