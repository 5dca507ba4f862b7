//! The state machine on a paused clock.

use super::*;
use tokio::time::advance;

const OPEN_FOR: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn breaker(class: Class) -> Breaker {
    let watch = Watch {
        target: "12_cmdb_mcp".into(),
        metrics: Arc::new(Metrics::new("1")),
        opened: Arc::default(),
    };
    Breaker::new(class, BreakerConfig::default(), watch)
}

/// One call with this verdict; `false` when the breaker refused it.
fn call(breaker: &Breaker, verdict: Verdict) -> bool {
    breaker.admit().map(|pass| pass.settle(verdict)).is_ok()
}

fn opened(class: Class) -> Breaker {
    let breaker = breaker(class);
    while call(&breaker, Verdict::Bad) {}
    breaker
}

fn state(breaker: &Breaker) -> BreakerState {
    breaker.view().state
}

/// Acceptance: 78
#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_open_it() {
    let breaker = breaker(Class::Read);
    for _ in 0..4 {
        assert!(call(&breaker, Verdict::Bad));
    }
    assert!(call(&breaker, Verdict::Good), "a success starts over");
    for _ in 0..5 {
        assert_eq!(state(&breaker), BreakerState::Closed);
        assert!(call(&breaker, Verdict::Bad));
    }
    assert_eq!(breaker.admit().err(), Some(OPEN_FOR));
    let view = breaker.view();
    assert_eq!((view.state, view.failures), (BreakerState::Open, 5));
    assert_eq!(view.retry_after, Some(OPEN_FOR));
    advance(SECOND).await;
    assert_eq!(breaker.refusal(), Some(OPEN_FOR - SECOND));
    let shown = breaker.watch.metrics.render();
    assert!(shown.contains(r#"waygate_breaker_state{class="read",target="12_cmdb_mcp"} 2"#));
}

/// Acceptance: 351
#[tokio::test(start_paused = true)]
async fn half_of_many_calls_failing_or_slow_opens_it() {
    for bad in [Verdict::Bad, Verdict::Slow] {
        let breaker = breaker(Class::Read);
        let mut calls = 0;
        while call(&breaker, if calls % 2 == 0 { Verdict::Good } else { bad }) {
            calls += 1;
        }
        assert_eq!(calls, 20, "{bad:?}");
        assert_eq!(state(&breaker), BreakerState::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn few_or_old_failures_do_not_open_it() {
    let breaker = breaker(Class::Read);
    for number in 0..200 {
        let verdict = if number % 2 == 0 {
            Verdict::Good
        } else {
            Verdict::Bad
        };
        assert!(call(&breaker, verdict));
        advance(Duration::from_secs(4)).await;
    }
}

/// Acceptance: 79
#[tokio::test(start_paused = true)]
async fn one_trial_decides_after_the_open_time() {
    for (verdict, after) in [
        (Verdict::Good, BreakerState::Closed),
        (Verdict::Slow, BreakerState::Closed),
        (Verdict::Bad, BreakerState::Open),
    ] {
        let breaker = opened(Class::Read);
        advance(OPEN_FOR - SECOND).await;
        assert!(breaker.admit().is_err());
        advance(SECOND).await;
        let trial = breaker.admit().unwrap();
        assert_eq!(state(&breaker), BreakerState::HalfOpen);
        for _ in 0..100 {
            assert!(breaker.admit().is_err(), "one trial only");
        }
        trial.settle(verdict);
        assert_eq!(state(&breaker), after);
    }
}

/// Acceptance: 79
#[tokio::test(start_paused = true)]
async fn an_abandoned_trial_does_not_block_it() {
    let breaker = opened(Class::Read);
    advance(OPEN_FOR).await;
    drop(breaker.admit().unwrap());
    assert!(call(&breaker, Verdict::None));
    assert!(call(&breaker, Verdict::Good));
    assert_eq!(state(&breaker), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn calls_without_a_verdict_change_nothing() {
    let breaker = breaker(Class::Read);
    for _ in 0..100 {
        drop(breaker.admit().unwrap());
        assert!(call(&breaker, Verdict::None));
    }
    assert_eq!(breaker.view().failures, 0);
}

#[tokio::test(start_paused = true)]
async fn late_answers_of_an_earlier_state_do_not_count() {
    let breaker = breaker(Class::Read);
    let (late_bad, late_good) = (breaker.admit().unwrap(), breaker.admit().unwrap());
    while call(&breaker, Verdict::Bad) {}
    advance(OPEN_FOR).await;
    let trial = breaker.admit().unwrap();
    late_good.settle(Verdict::Good);
    assert_eq!(state(&breaker), BreakerState::HalfOpen);
    trial.settle(Verdict::Good);
    late_bad.settle(Verdict::Bad);
    assert_eq!(breaker.view().failures, 0);
}

/// Acceptance: 79
#[tokio::test(start_paused = true)]
async fn a_probe_ends_the_open_time_early() {
    let breaker = opened(Class::Read);
    breaker.note_probe_ok();
    assert_eq!(state(&breaker), BreakerState::Open, "too early to believe");
    advance(SECOND).await;
    breaker.note_probe_ok();
    assert_eq!(state(&breaker), BreakerState::HalfOpen);
    assert!(call(&breaker, Verdict::Good));
    assert_eq!(state(&breaker), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_only_answers_probes_is_tried_ever_more_rarely() {
    let breaker = opened(Class::Read);
    let mut trials = 0;
    for _ in 0..600 {
        advance(SECOND).await;
        if state(&breaker) == BreakerState::HalfOpen {
            trials += u32::from(call(&breaker, Verdict::Bad));
        }
        breaker.note_probe_ok();
    }
    assert!((6..=16).contains(&trials), "{trials} trials in ten minutes");
}

/// Acceptance: 79
#[tokio::test(start_paused = true)]
async fn a_change_is_the_trial_only_when_nothing_else_comes() {
    let breaker = opened(Class::Change);
    advance(OPEN_FOR).await;
    assert_eq!(breaker.admit().err(), Some(PATIENCE));
    breaker.note_read_ok();
    assert_eq!(state(&breaker), BreakerState::Closed);
    assert!(call(&breaker, Verdict::Bad));
    assert_eq!(state(&breaker), BreakerState::Open, "closed on trust only");
    advance(OPEN_FOR + PATIENCE).await;
    assert!(call(&breaker, Verdict::Good));
    assert_eq!(state(&breaker), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_read_does_not_cut_the_open_time_of_changes_short() {
    let breaker = opened(Class::Change);
    advance(OPEN_FOR - SECOND).await;
    breaker.note_read_ok();
    assert_eq!(state(&breaker), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_close_it() {
    let breaker = opened(Class::Read);
    breaker.reset();
    assert_eq!(state(&breaker), BreakerState::Closed);
    assert_eq!(breaker.view().failures, 0);
    assert!(call(&breaker, Verdict::Bad) && call(&breaker, Verdict::Good));
}
