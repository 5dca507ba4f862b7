//! A guarded upstream over a scripted one, on a paused clock, without jitter.

use super::*;
use crate::policy::unproven;
use crate::upstream::scripted::{Scripted, call_of};
use futures::FutureExt as _;
use shared::error::Code;
use shared::tool::ToolError;

type Answers = Vec<Result<(), UpstreamError>>;

fn config() -> ResilienceConfig {
    ResilienceConfig {
        retry: RetryConfig {
            jitter: false,
            ..RetryConfig::default()
        },
        ..ResilienceConfig::default()
    }
}

fn once() -> ResilienceConfig {
    let mut config = config();
    config.retry.attempts = 1;
    config
}

fn guarded(inner: &Arc<Scripted>, config: &ResilienceConfig) -> Guarded {
    let metrics = Arc::new(Metrics::new("1"));
    Guarded::new("01_stub".into(), Arc::clone(inner) as _, config, metrics)
}

async fn run(guarded: &Guarded, call: &UpstreamCall) -> Result<Output, UpstreamError> {
    let permit = unproven::permit(&call.tool, call.effect);
    guarded.call(&permit, call).await
}

fn unreachable() -> UpstreamError {
    UpstreamError::Unreachable("refused".into())
}

fn lost() -> UpstreamError {
    UpstreamError::Lost("reset".into())
}

/// How often the upstream was called, and how long it took in all.
async fn check(answers: Answers, effect: Effect, idempotent: bool, expected: (usize, u64)) {
    let inner = Scripted::answering(answers);
    let guarded = guarded(&inner, &config());
    let mut call = call_of(effect);
    call.idempotent = idempotent;
    let began = Instant::now();
    let _any = run(&guarded, &call).await;
    let took = began.elapsed().as_millis();
    assert_eq!((inner.calls(), took), (expected.0, u128::from(expected.1)));
}

/// Acceptance: 80
#[tokio::test(start_paused = true)]
async fn what_is_safe_is_sent_up_to_three_times_with_growing_waits() {
    let twice = || vec![Err(lost()), Err(lost()), Ok(())];
    check(twice(), Effect::Read, true, (3, 300)).await;
    check(twice(), Effect::Mutate, true, (3, 300)).await;
    check(twice(), Effect::Mutate, false, (1, 0)).await;
    let refused = || vec![Err(unreachable()), Err(unreachable()), Ok(())];
    check(refused(), Effect::Mutate, false, (3, 300)).await;
    let four = (0..4).map(|_| Err(lost())).collect();
    check(four, Effect::Read, true, (3, 300)).await;
}

#[tokio::test(start_paused = true)]
async fn a_tool_says_whether_and_when_to_come_back() {
    let failing = |retryable, did_not_run| {
        let mut error = ToolError::new(Code::ServiceUnavailable, "later");
        (error.retryable, error.did_not_run) = (retryable, did_not_run);
        error.retry_after = Some(Duration::from_secs(3));
        vec![Err(UpstreamError::Tool(error)), Ok(())]
    };
    check(failing(true, true), Effect::Mutate, false, (2, 3000)).await;
    check(failing(true, false), Effect::Mutate, false, (1, 0)).await;
    check(failing(false, true), Effect::Mutate, false, (1, 0)).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_again_past_the_deadline() {
    let inner = Scripted::answering(vec![Err(lost()), Err(lost()), Ok(())]);
    let guarded = guarded(&inner, &config());
    let mut call = call_of(Effect::Read);
    call.call.deadline = Instant::now() + Duration::from_millis(250);
    assert!(matches!(
        run(&guarded, &call).await,
        Err(UpstreamError::Lost(_))
    ));
    assert_eq!(inner.calls(), 2, "the second wait would end too late");
}

#[tokio::test(start_paused = true)]
async fn retries_have_a_budget() {
    let inner = Scripted::answering((0..1000).map(|_| Err(lost())).collect());
    let mut config = config();
    config.breaker.failures = u32::MAX;
    config.breaker.min_calls = u32::MAX;
    config.retry.first_wait = Duration::ZERO;
    let guarded = guarded(&inner, &config);
    for _ in 0..200 {
        assert!(run(&guarded, &call_of(Effect::Read)).await.is_err());
    }
    let retries = inner.calls() - 200;
    assert!(
        (40..=70).contains(&retries),
        "{retries} retries of 200 calls"
    );
}

/// Acceptance: 78
#[tokio::test(start_paused = true)]
async fn an_open_breaker_answers_at_once_and_calls_nobody() {
    let inner = Scripted::answering((0..5).map(|_| Err(lost())).collect());
    let guarded = guarded(&inner, &once());
    for _ in 0..5 {
        let error = run(&guarded, &call_of(Effect::Read)).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Lost(_)));
    }
    let error = run(&guarded, &call_of(Effect::Read)).await.unwrap_err();
    let UpstreamError::BreakerOpen { retry_after } = error else {
        panic!("{error}")
    };
    assert_eq!(retry_after, Duration::from_secs(60));
    assert_eq!(inner.calls(), 5);
    guarded.opened().await;
}

/// Acceptance: 351
#[tokio::test(start_paused = true)]
async fn failing_changes_do_not_stop_reads() {
    let inner = Scripted::answering((0..5).map(|_| Err(lost())).collect());
    let guarded = guarded(&inner, &once());
    for _ in 0..5 {
        assert!(run(&guarded, &call_of(Effect::Mutate)).await.is_err());
    }
    let refused = run(&guarded, &call_of(Effect::Mutate)).await;
    assert!(matches!(refused, Err(UpstreamError::BreakerOpen { .. })));
    assert!(run(&guarded, &call_of(Effect::Read)).await.is_ok());
    let [reads, changes] = guarded.breakers();
    assert_eq!(reads.state, BreakerState::Closed);
    assert_eq!(
        changes.state,
        BreakerState::Open,
        "a read is no verdict on changes"
    );
}

/// Acceptance: 351
#[tokio::test(start_paused = true)]
async fn slow_calls_open_the_breaker_unless_their_class_is_slow() {
    let mut config = once();
    config.breaker.slow_after = Duration::from_secs(2);
    let inner = Scripted::taking(Duration::from_secs(3));
    let guarded = guarded(&inner, &config);
    for _ in 0..20 {
        let mut long = call_of(Effect::Read);
        long.call.deadline = Instant::now() + Duration::from_secs(300);
        assert!(run(&guarded, &long).await.is_ok());
    }
    assert_eq!(guarded.breakers()[0].state, BreakerState::Closed);
    let mut slow = 0;
    while guarded.breakers()[0].state == BreakerState::Closed {
        assert!(run(&guarded, &call_of(Effect::Read)).await.is_ok());
        slow += 1;
    }
    assert!((10..=20).contains(&slow), "{slow} slow calls opened it");
    assert_eq!(guarded.breakers()[0].state, BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn impatient_callers_do_not_open_the_breaker() {
    let inner = Scripted::taking(Duration::from_secs(20));
    let guarded = guarded(&inner, &once());
    for _ in 0..20 {
        let mut call = call_of(Effect::Read);
        call.call.deadline = Instant::now() + Duration::from_secs(5);
        assert!(matches!(
            run(&guarded, &call).await,
            Err(UpstreamError::Timeout)
        ));
        let mut call = call_of(Effect::Read);
        call.call.cancelled = cancelled_after(Duration::from_secs(1));
        assert!(matches!(
            run(&guarded, &call).await,
            Err(UpstreamError::Cancelled)
        ));
        let permit = unproven::permit(&call.tool, call.effect);
        let dropped = guarded.call(&permit, &call_of(Effect::Read)).now_or_never();
        assert!(dropped.is_none());
    }
    assert_eq!(guarded.breakers()[0].state, BreakerState::Closed);
    assert_eq!(guarded.breakers()[0].failures, 0);
}

/// Acceptance: 84
#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_call_to_a_silent_target() {
    let inner = Scripted::taking(Duration::from_secs(31));
    let guarded = guarded(&inner, &once());
    for (budget, ok) in [(30, false), (300, true)] {
        let mut call = call_of(Effect::Read);
        let began = Instant::now();
        call.call.deadline = began + Duration::from_secs(budget);
        assert_eq!(run(&guarded, &call).await.is_ok(), ok);
        assert_eq!(began.elapsed(), Duration::from_secs(budget.min(31)));
    }
    for _ in 0..4 {
        let _any = run(&guarded, &call_of(Effect::Read)).await;
    }
    assert_eq!(
        guarded.breakers()[0].failures,
        4,
        "patient callers do count"
    );
}

#[tokio::test(start_paused = true)]
async fn the_tools_own_failures_do_not_open_the_breaker() {
    let failed = || Err(UpstreamError::Tool(ToolError::new(Code::NotFound, "no")));
    let inner = Scripted::answering((0..50).map(|_| failed()).collect());
    let guarded = guarded(&inner, &once());
    for _ in 0..50 {
        assert!(run(&guarded, &call_of(Effect::Read)).await.is_err());
    }
    assert_eq!(guarded.breakers()[0].state, BreakerState::Closed);
}

/// Acceptance: 352
#[tokio::test(start_paused = true)]
async fn one_hanging_target_does_not_slow_another() {
    let (hanging, healthy) = (
        Scripted::taking(Duration::from_secs(3600)),
        Scripted::answering(Vec::new()),
    );
    let (hanging, healthy) = (guarded(&hanging, &once()), guarded(&healthy, &once()));
    let call = call_of(Effect::Read);
    let crowd = futures::future::join_all((0..500).map(|_| run(&hanging, &call)));
    let others = async {
        let began = Instant::now();
        for _ in 0..1000 {
            assert!(run(&healthy, &call).await.is_ok());
        }
        began.elapsed()
    };
    let (results, took) = tokio::join!(crowd, others);
    assert_eq!(took, Duration::ZERO);
    let shed = |result: &&Result<_, _>| matches!(result, Err(UpstreamError::Overloaded { .. }));
    assert_eq!(results.iter().filter(shed).count(), 500 - 32);
}

fn cancelled_after(wait: Duration) -> tokio_util::sync::CancellationToken {
    let token = tokio_util::sync::CancellationToken::new();
    let fired = token.clone();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        fired.cancel();
    });
    token
}
