//! Planted secrets of every kind, in the places they turn up.

use super::*;
use serde_json::json;

#[track_caller]
fn check(text: &str, expected: &str) {
    let redactor = Redactor::new();
    let redacted = redactor.redact(text);
    assert_eq!(redacted, expected);
    let again = redactor.redact(&redacted).into_owned();
    assert!(again.contains("[redacted"), "{again}");
}

/// Acceptance: 360
#[test]
fn kinds_of_secret_are_found_by_their_form() {
    let long = "abcdefghij0123456789ABCDEFGHIJ0123456789xyz";
    check(
        &format!("key wgk_a1b2c3d4_{long}_0aZ9xx."),
        "key [redacted:waygate-key].",
    );
    check(
        "got eyJhbGciOi.eyJzdWIiOi.c2ln here",
        "got [redacted:jwt] here",
    );
    check(
        "x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- y",
        "x [redacted:private-key] y",
    );
    check(
        "-----BEGIN PRIVATE KEY-----\nMII cut",
        "[redacted:private-key]",
    );
    check("id AKIAIOSFODNN7EXAMPLE", "id [redacted:aws]");
    check(&format!("ghp_{long}"), "[redacted:github]");
    check(&format!("use hvs.{long}!"), "use [redacted:vault]!");
    check(&format!("sk-ant-{long}"), "[redacted:model-key]");
}

/// Acceptance: 360
#[test]
fn headers_urls_and_assignments_keep_their_names_only() {
    for (text, expected) in [
        ("bearer 0123456789abc= x", "bearer [redacted:bearer] x"),
        (
            "sent Basic dXNlcjpwYXNzd2Q= x",
            "sent Basic [redacted:basic] x",
        ),
        (
            "Authorization: Digest a=b, c=d",
            "Authorization: [redacted:header]",
        ),
        (
            r#"{"authorization": "Bearer 0123456789", "b": 1}"#,
            r#"{"authorization": "[redacted:header]", "b": 1}"#,
        ),
        ("cookie: a=b; c=d\nnext", "cookie: [redacted:header]\nnext"),
        (
            "to postgres://u:p@ss@host/db",
            "to postgres://u:[redacted:url]@host/db",
        ),
        ("redis://:secret1@h:6379", "redis://:[redacted:url]@h:6379"),
        ("?api_key=abc&b=1", "?api_key=[redacted:assignment]&b=1"),
        (
            "DB_PASSWORD=hunter2 b",
            "DB_PASSWORD=[redacted:assignment] b",
        ),
        (
            "password: 'two words' b",
            "password: [redacted:assignment] b",
        ),
        (
            r#"{"client_secret":"a \"b\" c","d":1}"#,
            r#"{"client_secret":[redacted:assignment],"d":1}"#,
        ),
        (
            r#""{\"password\":\"two words\",\"d\":1}""#,
            r#""{\"password\":[redacted:assignment],\"d\":1}""#,
        ),
        ("x-api-key: abc", "x-api-key: [redacted:assignment]"),
        ("AccountKey=abc==;b", "AccountKey=[redacted:assignment];b"),
    ] {
        check(text, expected);
    }
}

/// Acceptance: 360
#[test]
fn a_learnt_value_is_found_in_every_encoding() {
    let redactor = Redactor::new();
    let value = "pa\"ss wörd/+9";
    redactor.learn("DB", &Secret::new(value));
    let encode = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    for text in [
        format!("a {value} b"),
        format!("a {} b", encode(value)),
        format!("a {} b", encode(&format!("u:{value}"))),
        format!("a {} b", encode(&format!("user:{value}@host"))),
        format!("a {} b", hex::encode(value)),
        "a pa%22ss%20w%C3%B6rd%2F%2B9 b".to_owned(),
        "a pa%22ss+w%C3%B6rd%2F%2B9 b".to_owned(),
        serde_json::to_string(value).unwrap(),
    ] {
        let redacted = redactor.redact(&text);
        assert!(redacted.contains("[redacted:DB]"), "{text} -> {redacted}");
    }
}

#[test]
fn values_are_forgotten_in_order_and_short_ones_not_learnt() {
    let redactor = Redactor::new();
    redactor.learn("SHORT", &Secret::new("admin"));
    assert_eq!(redactor.redact("the admin"), "the admin");
    for number in 0..=MAX_LEARNT {
        redactor.learnt.lock().push_back(Learnt {
            name: "N".into(),
            value: Zeroizing::new(format!("value-{number:05}")),
        });
        if number < MAX_LEARNT {
            continue;
        }
        redactor.learnt.lock().pop_front();
    }
    redactor.learn("LAST", &Secret::new("the-last-value"));
    assert_eq!(redactor.redact("value-00001"), "value-00001");
    assert_eq!(redactor.redact("value-00002"), "[redacted:N]");
    assert_eq!(redactor.redact("the-last-value"), "[redacted:LAST]");
}

#[test]
fn ordinary_text_is_left_alone_and_not_copied() {
    let redactor = Redactor::new();
    for text in [
        "basic authentication is off, see the bearer of news",
        "token_ttl=300 secret_path=/run/secrets/x input_tokens=12",
        "GET http://example.org:8080/a@b?x=1 took 12 ms",
        "the key of wgk is short: wgk_1",
        "cmdb.local.getServerInfo",
    ] {
        assert!(matches!(redactor.redact(text), Cow::Borrowed(_)), "{text}");
    }
}

/// Acceptance: 360
#[test]
fn json_is_redacted_by_name_and_content() {
    let mut value = json!({
        "user": "u",
        "password": 12345,
        "headers": [{"X-API-Key": "k", "Accept": "a"}],
        "note": "password=hunter2 ok",
        "token": "",
        "max_tokens": 5,
        "callToken": {"deep": "x"},
    });
    Redactor::new().redact_json(&mut value);
    assert_eq!(
        value,
        json!({
            "user": "u",
            "password": "[redacted]",
            "headers": [{"X-API-Key": "[redacted]", "Accept": "a"}],
            "note": "password=[redacted:assignment] ok",
            "token": "",
            "max_tokens": 5,
            "callToken": "[redacted]",
        })
    );
}
