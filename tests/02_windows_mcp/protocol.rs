//! How a host is spoken to, and what its refusals become.

use crate::windows::{HOST, Host, PASSWORD, python, usual, with};
use serde_json::json;
use shared::error::Code;
use std::process::Command;
use tests::rig::Rig;

const INFO: &str = "os.windows.ps.getOsInfo";

/// The stand-in is held against a client of others: what it takes and refuses is what they expect.
#[tokio::test]
async fn the_stand_in_satisfies_another_client() {
    for (options, auth) in [(json!({}), "ntlm"), (json!({"auth": "basic"}), "basic")] {
        let host = Host::start(&options);
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/02_windows_mcp/other_client.py"
        );
        let output = Command::new(python())
            .args([script, &host.port])
            .arg(host.certificate())
            .arg(auth)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{auth}: {said}");
    }
}

/// Acceptance: 65
#[tokio::test]
async fn a_call_is_proven_once_and_leaves_no_shell() {
    let mut windows = usual().await;
    let info = windows.answer(INFO, json!({})).await;
    assert_eq!(
        (&info["host"], &info["build_number"]),
        (&json!(HOST), &json!("20348"))
    );
    assert_eq!(info["last_boot_at"], "2026-11-01T06:00:00Z");
    let record = windows.host.record();
    let proven: Vec<_> = record
        .iter()
        .filter(|it| it["let_in"].is_string())
        .collect();
    assert_eq!(proven.len(), 1, "{record:?}");
    assert_eq!(proven[0]["let_in"], "CORP\\ops");
    assert_eq!(
        windows.host.actions(),
        ["Create", "Command", "Send", "Receive", "Delete"]
    );
}

/// Acceptance: 65
#[tokio::test]
async fn basic_is_spoken_where_it_is_set() {
    let mut windows = with(json!({"auth": "basic"}), &[("WINRM_AUTH", "basic")]).await;
    let info = windows.answer(INFO, json!({})).await;
    assert_eq!(info["version"], "10.0.20348");
    let mut windows = with(json!({"auth": "basic"}), &[]).await;
    let error = windows.call(INFO, json!({})).await.unwrap_err();
    assert_eq!((error.code, error.did_not_run), (Code::BadGateway, true));
}

/// Acceptance: 360
#[tokio::test]
async fn a_wrong_password_is_tried_once_and_told_without_it() {
    let wrong = "another-hunter3";
    let mut windows = with(json!({}), &[("WINRM_PASSWORD", wrong)]).await;
    let error = windows.call(INFO, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::BadGateway);
    assert!(error.did_not_run);
    assert!(
        error.message.contains("refused the user or the password"),
        "{error}"
    );
    for secret in [wrong, PASSWORD] {
        assert!(!error.to_string().contains(secret), "{error}");
    }
    let record = windows.host.record();
    let refused = record.iter().filter(|it| it["refused"].is_string());
    assert_eq!(
        refused.count(),
        1,
        "accounts are locked by more: {record:?}"
    );
    assert!(windows.host.actions().is_empty());
}

#[tokio::test]
async fn a_certificate_nobody_trusts_is_refused_before_anything_is_said() {
    let other = Host::start(&json!({}));
    let certificate = other.certificate().display().to_string();
    let mut windows = with(json!({}), &[("WINRM_CA_PATH", &certificate)]).await;
    let error = windows.call(INFO, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::PolicyViolation, "{error}");
    assert!(windows.host.record().is_empty());
}

/// Acceptance: 359
#[tokio::test]
async fn a_host_that_is_no_windows_is_refused() {
    let options = json!({"vendor": "Open Management Infrastructure", "version": "1.9.1"});
    let mut windows = with(options, &[]).await;
    let error = windows.call(INFO, json!({})).await.unwrap_err();
    assert_eq!((error.code, error.did_not_run), (Code::NotSupported, true));
    assert!(
        error.message.contains("this tool is for Windows"),
        "{error}"
    );
    assert!(windows.host.actions().is_empty());
}

#[tokio::test]
async fn odd_answers_and_silence_are_told() {
    for (status, code) in [(200, Code::BadGateway), (503, Code::BadGateway)] {
        let mut windows = with(json!({"fault": status}), &[]).await;
        let error = windows.call(INFO, json!({})).await.unwrap_err();
        assert_eq!(error.code, code, "{status}: {error}");
        assert!(!error.message.contains("html"), "{error}");
    }
    let mut windows = usual().await;
    windows.host = Host::start(&json!({}));
    let error = windows.call(INFO, json!({})).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::ProxyError, true));
}

/// Acceptance: 65
#[tokio::test]
async fn a_spoke_without_settings_lists_its_tools_and_says_what_is_missing() {
    let mut rig = Rig::start(&spoke_02_windows_mcp::SERVICE, &[]).await;
    let (status, body) = rig.probe("/health").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.to_string().contains("set WINRM_HOSTS"), "{body}");
    let error = rig.call(INFO, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
}

#[tokio::test]
async fn only_hosts_in_the_list_are_reached() {
    let mut windows = with(json!({}), &[("WINRM_HOSTS", "localhost,other")]).await;
    let error = windows.call(INFO, json!({})).await.unwrap_err();
    assert_eq!(error.details.unwrap()["field"], "host");
    let error = windows.call(INFO, json!({"host": "127.0.0.1"})).await;
    assert_eq!(error.unwrap_err().code, Code::PolicyViolation);
    let info = windows.answer(INFO, json!({"host": HOST})).await;
    assert_eq!(info["host"], HOST);
}
