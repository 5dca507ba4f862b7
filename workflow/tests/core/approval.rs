//! People decide: about exactly what they saw, in time, and each once.

use crate::bench::{Bench, vote};
use workflow::core::{Command, Ending, Event, TaskPath, TimerKind, Verdict};

const CHANGE: &str = "
do:
  - change:
      call: x.change
      with: { host: a }
      metadata: { hub: { approval: { thresholds: [ { approve: 2, deny: 1 } ] } } }
";

fn decide(bench: &mut Bench, by: &str, verdict: Verdict, digest: &str) {
    let vote = vote(by, verdict, digest);
    bench.event(Event::Decided {
        path: TaskPath::new("/do/0/change"),
        attempt: 1,
        vote,
    });
}

/// Acceptance: 99, 347
#[test]
fn votes_count_once_about_this_call_and_not_of_the_starter() {
    let mut bench = Bench::new(CHANGE);
    assert!(bench.sent().is_empty());
    let digest = bench.asked().digest.clone();
    for (by, about) in [
        ("starter", digest.as_str()),
        ("ann", "sha256:of another argument"),
    ] {
        decide(&mut bench, by, Verdict::Approve, about);
        assert!(bench.sent().is_empty(), "{by} {about}");
    }
    decide(&mut bench, "ann", Verdict::Approve, &digest);
    decide(&mut bench, "ann", Verdict::Approve, &digest);
    assert!(bench.sent().is_empty());
    decide(&mut bench, "bob", Verdict::Approve, &digest);
    let sent = bench.sent();
    assert_eq!(sent[0].approval.as_ref().unwrap().by, ["ann", "bob"]);
    assert_eq!(sent[0].key, "r1:/do/0/change#2");
    // The timer that would have refused dies in the transition that decides.
    let path = TaskPath::new("/do/0/change");
    assert!(bench.has(|it| *it
        == Command::StopTimer {
            path: path.clone(),
            timer: TimerKind::Approval
        }));
}

/// Acceptance: 347
#[test]
fn a_refusal_ends_the_run_with_its_reason() {
    let mut bench = Bench::new(CHANGE);
    let digest = bench.asked().digest.clone();
    decide(&mut bench, "bob", Verdict::Deny, &digest);
    let Some(Ending::Faulted(problem)) = bench.run.status().ending else {
        panic!("not faulted")
    };
    assert_eq!(problem.detail.as_deref(), Some("denied by bob: I looked"));
    assert_eq!(problem.status, 403);
}

#[test]
fn no_decision_in_time_is_a_refusal() {
    let mut bench = Bench::new(CHANGE);
    bench.fire("/do/0/change", TimerKind::Approval, 86_399);
    assert_eq!(
        bench.run.status().ending,
        None,
        "a timer that fires early changes nothing"
    );
    bench.fire("/do/0/change", TimerKind::Approval, 1);
    let Some(Ending::Faulted(problem)) = bench.run.status().ending else {
        panic!("not faulted")
    };
    assert_eq!(problem.detail.as_deref(), Some("nobody decided in time"));
}
