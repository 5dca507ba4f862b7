//! The client against a stub on a real socket.

mod certificates;
mod harness;

use super::stub::{Answer, Script, Serving, TOKEN, serve};
use super::*;
use crate::metrics::Metrics;
use crate::policy::unproven;
use crate::resilience::{Guarded, ResilienceConfig};
use crate::upstream::scripted::call_of;
use parking_lot::Mutex;
use proto::spoke;
use shared::clock::SystemClock;
use shared::tool::{Effect, Progress, Report};
use std::sync::atomic::Ordering;

struct Pair {
    script: Arc<Script>,
    serving: Option<Serving>,
    client: Arc<SpokeClient>,
    restarted: Arc<Notify>,
    port: u16,
}

async fn pair() -> Pair {
    let key = Arc::new(HubKey::generate().unwrap());
    let script = Script::new("12_cmdb_mcp", &["stub.tool"], &key);
    let serving = serve(&script, 0).await;
    let restarted = Arc::new(Notify::new());
    let target = SpokeTarget {
        service: "12_cmdb_mcp".into(),
        url: serving.url(),
        token: Some(Secret::new(TOKEN)),
    };
    let clock = SystemClock::shared();
    let client = SpokeClient::new(&target, key, clock, Arc::clone(&restarted)).unwrap();
    Pair {
        script,
        port: serving.address.port(),
        serving: Some(serving),
        client: Arc::new(client),
        restarted,
    }
}

async fn run(upstream: &dyn Upstream, call: &UpstreamCall) -> Result<Output, UpstreamError> {
    let permit = unproven::permit(&call.tool, call.effect);
    let answer = upstream.call(&permit, call);
    timeout(Duration::from_secs(10), answer)
        .await
        .expect("an answer in time")
}

fn result(json: &'static str) -> Event {
    Event::Result(spoke::Result {
        structured_json: json.into(),
        ..spoke::Result::default()
    })
}

/// What the client makes of an answer.
async fn check(answer: Answer, expected: fn(&UpstreamError) -> bool) {
    let pair = pair().await;
    *pair.script.answer.lock() = answer;
    let error = run(&*pair.client, &call_of(Effect::Read))
        .await
        .unwrap_err();
    assert!(expected(&error), "{error:?}");
    assert_eq!(
        pair.script.requests.lock().len(),
        1,
        "nothing is sent twice"
    );
}

/// Acceptance: 338
#[tokio::test]
async fn bytes_pass_through_as_they_are() {
    let pair = pair().await;
    let odd = r#"{ "b":1.50,"a" : "\u0041","big":123456789012345678901234567890 }"#;
    *pair.script.answer.lock() = Answer::Events(vec![result(odd)]);
    let mut call = call_of(Effect::Read);
    call.arguments = Bytes::from_static(br#"{ "x" : 1.0 }"#);
    call.arguments_hash = shared::arguments::hash(&serde_json::json!({"x": 1})).into();
    call.call.traceparent = Some("00-1-2-01".into());
    call.call.idempotency_key = Some("once-1".into());
    let output = run(&*pair.client, &call).await.unwrap();
    assert_eq!(output.structured.get(), odd);
    let seen = pair.script.requests.lock()[0].clone();
    assert_eq!(seen.arguments_json, call.arguments);
    let context = seen.context.unwrap();
    assert_eq!(context.traceparent, "00-1-2-01");
    assert_eq!(context.idempotency_key, "once-1");
    assert_eq!(context.correlation_id, call.call.correlation_id.as_str());
    assert!((29_000..=30_000).contains(&context.deadline_ms));
}

/// Acceptance: 338
#[tokio::test]
async fn progress_and_logs_reach_the_caller() {
    let pair = pair().await;
    let events = vec![
        Event::Progress(spoke::Progress {
            done: 1.0,
            total: 0.0,
            message: "half".into(),
        }),
        Event::Log(spoke::Log {
            level: "warning".into(),
            message: "odd".into(),
        }),
        result("{}"),
    ];
    *pair.script.answer.lock() = Answer::Events(events);
    let reports = Arc::new(Mutex::new(Vec::new()));
    let mut call = call_of(Effect::Read);
    let sink = Arc::clone(&reports);
    call.call.progress = Progress::to(move |report| sink.lock().push(report));
    assert!(run(&*pair.client, &call).await.is_ok());
    let reports = reports.lock();
    assert!(
        matches!(&reports[0], Report::Progress { total: None, message, .. } if message == "half")
    );
    assert!(matches!(&reports[1], Report::Log { message, .. } if message == "odd"));
}

#[tokio::test]
async fn broken_answers_are_told_from_failed_tools() {
    let bad = |error: &UpstreamError| matches!(error, UpstreamError::BadAnswer(_));
    check(Answer::Events(vec![result("{not json")]), bad).await;
    check(Answer::Events(vec![result("")]), bad).await;
    check(Answer::Events(vec![result("{}"), result("{}")]), bad).await;
    check(Answer::Events(Vec::new()), bad).await;
    check(Answer::Status(Status::internal("boom")), bad).await;
    let large = spoke::Result {
        structured_json: vec![b' '; answer::MAX_STRUCTURED_BYTES + 1].into(),
        ..spoke::Result::default()
    };
    check(Answer::Events(vec![Event::Result(large)]), bad).await;
    let failed = spoke::ToolError {
        code: "NOT_FOUND".into(),
        ..spoke::ToolError::default()
    };
    check(Answer::Events(vec![Event::Error(failed)]), |error| {
        matches!(error, UpstreamError::Tool(error) if error.code == Code::NotFound && !error.did_not_run)
    })
    .await;
    check(Answer::Status(Status::deadline_exceeded("late")), |error| {
        matches!(error, UpstreamError::Timeout)
    })
    .await;
    check(Answer::Status(Status::unavailable("stopping")), |error| {
        matches!(error, UpstreamError::Lost(_))
    })
    .await;
}

#[tokio::test]
async fn a_wrong_token_is_a_refusal_of_the_hub() {
    let pair = pair().await;
    let target = SpokeTarget {
        service: "12_cmdb_mcp".into(),
        url: format!("http://127.0.0.1:{}", pair.port),
        token: Some(Secret::new("another")),
    };
    let key = Arc::new(HubKey::generate().unwrap());
    let clock = SystemClock::shared();
    let client = SpokeClient::new(&target, key, clock, Arc::default()).unwrap();
    let error = run(&client, &call_of(Effect::Read)).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_hub_with_another_key_is_refused_and_asks_no_third_time() {
    let pair = pair().await;
    let target = SpokeTarget {
        service: "12_cmdb_mcp".into(),
        url: format!("http://127.0.0.1:{}", pair.port),
        token: Some(Secret::new(TOKEN)),
    };
    let key = Arc::new(HubKey::generate().unwrap());
    let client = SpokeClient::new(&target, key, SystemClock::shared(), Arc::default()).unwrap();
    let error = run(&client, &call_of(Effect::Mutate)).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Refused(_)), "{error:?}");
    assert!(error.did_not_run());
    assert_eq!(pair.script.requests.lock().len(), 1);
}

#[tokio::test]
async fn a_restarted_spoke_is_described_anew_and_called_again() {
    let pair = pair().await;
    assert!(run(&*pair.client, &call_of(Effect::Read)).await.is_ok());
    *pair.script.boot_id.lock() = "boot-2".into();
    assert!(run(&*pair.client, &call_of(Effect::Mutate)).await.is_ok());
    pair.restarted.notified().await;
    assert_eq!(
        pair.script.requests.lock().len(),
        3,
        "one of them was refused"
    );
}

/// Acceptance: 69
#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let mut pair = pair().await;
    pair.serving = None;
    until_closed(pair.port).await;
    let error = run(&*pair.client, &call_of(Effect::Mutate))
        .await
        .unwrap_err();
    assert!(matches!(error, UpstreamError::Unreachable(_)), "{error:?}");
    assert!(pair.client.probe().await.is_err());
}

#[tokio::test]
async fn a_spoke_lost_in_mid_call_may_have_run() {
    let mut pair = pair().await;
    *pair.script.answer.lock() = Answer::Silence;
    let call = call_of(Effect::Mutate);
    let (result, ()) = tokio::join!(run(&*pair.client, &call), async {
        pair.script.began.notified().await;
        pair.serving = None;
    });
    let error = result.unwrap_err();
    assert!(matches!(error, UpstreamError::Lost(_)), "{error:?}");
}

/// Acceptance: 30
#[tokio::test]
async fn one_connection_serves_all_calls_and_a_restart_needs_none_of_ours() {
    let mut pair = pair().await;
    let metrics = Arc::new(Metrics::new("1"));
    let inner = Arc::clone(&pair.client) as Arc<dyn Upstream>;
    let guarded = Guarded::new("12".into(), inner, &ResilienceConfig::default(), metrics);
    for _ in 0..20 {
        assert!(run(&guarded, &call_of(Effect::Read)).await.is_ok());
    }
    assert_eq!(guarded.probe().await.unwrap(), Health::Healthy);
    assert_eq!(pair.script.connections.load(Ordering::Acquire), 1);
    pair.serving = None;
    until_closed(pair.port).await;
    *pair.script.boot_id.lock() = "boot-2".into();
    pair.serving = Some(serve(&pair.script, pair.port).await);
    assert!(run(&guarded, &call_of(Effect::Read)).await.is_ok());
    assert_eq!(pair.script.connections.load(Ordering::Acquire), 2);
}

#[tokio::test]
async fn a_port_that_speaks_something_else_is_no_spoke() {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").await;
        }
    });
    let target = SpokeTarget {
        service: "12_cmdb_mcp".into(),
        url,
        token: None,
    };
    let key = Arc::new(HubKey::generate().unwrap());
    let client = SpokeClient::new(&target, key, SystemClock::shared(), Arc::default()).unwrap();
    let error = run(&client, &call_of(Effect::Mutate)).await.unwrap_err();
    assert!(
        matches!(
            error,
            UpstreamError::Lost(_) | UpstreamError::Unreachable(_)
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_assessment_says_what_a_call_would_do() {
    let pair = pair().await;
    let call = call_of(Effect::Read);
    let reach = unproven::reach(&call.tool);
    let assessment = pair.client.assess(&reach, &call).await.unwrap();
    assert_eq!(
        (assessment.effect, assessment.ready()),
        (Effect::Mutate, true)
    );
    let status = Status::invalid_argument("INVALID_INPUT: path: is required");
    *pair.script.answer.lock() = Answer::Status(status);
    let error = pair.client.assess(&reach, &call).await.unwrap_err();
    let UpstreamError::Tool(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::InvalidInput, "path: is required")
    );
}

#[tokio::test]
async fn unusable_addresses_and_tokens_are_refused_at_once() {
    let check = |url: &str, token: &str| {
        let target = SpokeTarget {
            service: "12_cmdb_mcp".into(),
            url: url.into(),
            token: Some(Secret::new(token)),
        };
        let key = Arc::new(HubKey::generate().unwrap());
        SpokeClient::new(&target, key, SystemClock::shared(), Arc::default()).is_ok()
    };
    assert!(check("http://127.0.0.1:8012", "token"));
    assert!(!check("https://127.0.0.1:8012", "token"));
    assert!(!check("127.0.0.1:8012", "token"));
    assert!(!check("http://", "token"));
    assert!(!check("http://127.0.0.1:8012", "to\nken"));
}

/// The stub's listener closes some moments after it was told to.
async fn until_closed(port: u16) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_ok()
    {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the port stays open"
        );
        tokio::task::yield_now().await;
    }
}

use bytes::Bytes;
use tonic::Status;
