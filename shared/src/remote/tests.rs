//! What the parts of a client do with good and bad answers.

use super::*;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

const WAIT: Duration = Duration::from_secs(5);

fn remote(allowed: &[&str]) -> Remote {
    let guard = Outbound::allowing(allowed).unwrap();
    Remote::new("the store", "STORE_KEY", guard, WAIT).unwrap()
}

/// A server that answers with this status and a body that holds a secret.
async fn answering(status: u16) -> (MockServer, Url) {
    let server = MockServer::start().await;
    let body = json!({"password": "hunter2"});
    let answer = ResponseTemplate::new(status)
        .insert_header("retry-after", "7")
        .set_body_json(body);
    Mock::given(path("/a%2Fb/c"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let base: Url = server.uri().parse().unwrap();
    let url = join(&base, ["a/b", "c"]);
    (server, url)
}

#[tokio::test]
async fn refusals_are_told_in_our_own_words() {
    for (status, code, retryable) in [
        (400, Code::InvalidInput, false),
        (401, Code::BadGateway, false),
        (403, Code::BadGateway, false),
        (404, Code::NotFound, false),
        (409, Code::Conflict, false),
        (429, Code::RateLimited, true),
        (302, Code::BadGateway, false),
        (418, Code::BadGateway, false),
        (503, Code::ServiceUnavailable, true),
    ] {
        let (_server, url) = answering(status).await;
        let remote = remote(&["127.0.0.1"]);
        let error = remote.json::<Value>(remote.get(url)).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, retryable), "{status}");
        assert_eq!(error.retry_after.is_some(), retryable, "{status}");
        assert_eq!(error.did_not_run, status < 500, "{status}");
        assert!(error.message.starts_with("the store "), "{}", error.message);
        assert!(!error.message.contains("hunter2"), "{}", error.message);
        let ours = matches!(status, 401 | 403 | 429 | 503);
        assert_eq!(remote.trouble().is_some(), ours, "{status}");
    }
}

#[tokio::test]
async fn a_message_that_is_repeated_is_cut_and_plain() {
    let (_server, url) = answering(400).await;
    let remote = remote(&["127.0.0.1"]);
    let reply = remote.ask(remote.get(url)).await.unwrap();
    let long = format!("name\u{1b}[31m is taken{}", "x".repeat(1000));
    let error = remote.refused(&reply, Some(&long));
    let expected = "the store does not take the request: name [31m is taken";
    assert!(error.message.starts_with(expected), "{}", error.message);
    assert!(error.message.chars().count() < 400);
}

#[tokio::test]
async fn answers_are_bounded_and_of_the_shape_that_was_asked_for() {
    let (_server, url) = answering(200).await;
    let remote_ = remote(&["127.0.0.1"]);
    let found: Value = remote_.json(remote_.get(url.clone())).await.unwrap();
    assert_eq!(found["password"], "hunter2");
    let odd = remote_
        .json::<Vec<u8>>(remote_.get(url.clone()))
        .await
        .unwrap_err();
    assert_eq!(odd.code, Code::BadGateway);
    assert!(!odd.message.contains("hunter2"), "{}", odd.message);
    let narrow = remote(&["127.0.0.1"]).max_bytes(5);
    let large = narrow.ask(narrow.get(url)).await.unwrap_err();
    assert_eq!(large.code, Code::BadGateway);
    assert!(large.message.contains("5 bytes"), "{}", large.message);
}

/// Acceptance: 303
#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_asked() {
    let (server, url) = answering(200).await;
    let remote = remote(&[]);
    let error = remote.ask(remote.get(url)).await.unwrap_err();
    assert_eq!(
        (error.code, error.did_not_run),
        (Code::AddressRefused, true)
    );
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[test]
fn base_addresses_are_https_or_loopback_and_bare() {
    let parse = |text: &str| BaseUrl::try_from(text.to_owned());
    assert_eq!(parse(" "), Ok(BaseUrl(None)));
    for good in [
        "https://a.example/api/v1",
        "http://127.0.0.1:1",
        "http://[::1]/",
    ] {
        assert!(parse(good).unwrap().0.is_some(), "{good}");
    }
    for bad in [
        "a.example",
        "http://a.example",
        "ftp://a.example",
        "https://u:p@a.example",
        "https://a.example?x=1",
        "https://a.example#x",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert!(Seconds::<120>::try_from(0).is_err());
    assert!(Seconds::<120>::try_from(121).is_err());
    assert_eq!(
        Seconds::<120>::try_from(120).unwrap().duration().as_secs(),
        120
    );
}
