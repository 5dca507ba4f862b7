//! Scripts: data for `osascript`, never words of a command.

use crate::mac;
use serde_json::json;
use shared::error::Code;

const APPLE: &str = "os.macos.script.runAppleScript";
const JXA: &str = "os.macos.script.runJxaScript";

/// Acceptance: 65
#[tokio::test]
async fn a_script_reaches_osascript_as_its_input_byte_for_byte() {
    let mut mac = mac::with(&[]).await;
    let script = "tell application \"Finder\"\n  set x to \"it's $(id) `id` é\"\nend tell";
    let error = mac.call(APPLE, json!({"script": script})).await;
    assert_eq!(error.unwrap_err().code, Code::ApprovalRequired);
    assert_eq!(mac.record(), "", "nothing ran without approval");
    let result = mac.approved(APPLE, json!({"script": script})).await;
    let result = result.unwrap();
    assert_eq!(result["output"], "the value");
    assert_eq!(
        (&result["stdout"], &result["exit_code"]),
        (&json!("the value\n"), &json!(0))
    );
    assert_eq!(mac.record(), format!("osascript -\n{script}\n"));

    let long = "// a comment\n".repeat(7000);
    let result = mac.approved(JXA, json!({"script": long})).await.unwrap();
    assert_eq!(result["output"], "the value");
    let record = mac.record();
    let (_, jxa) = record.split_once("osascript -l JavaScript -\n").unwrap();
    assert_eq!(jxa.trim_end(), long.trim_end());
}

#[tokio::test]
async fn an_approver_reads_the_script() {
    let mut mac = mac::with(&[]).await;
    let arguments = json!({"script": "display dialog \"hi\u{202e}\""});
    let summary = mac.rig.summary(APPLE, arguments).await;
    for part in [
        "AppleScript on 127.0.0.1 port",
        "host key SHA256:",
        "display dialog \"hi",
    ] {
        assert!(summary.contains(part), "{summary}");
    }
    assert!(!summary.contains('\u{202e}'), "{summary}");
}

#[tokio::test]
async fn a_script_that_fails_or_does_not_end_says_so() {
    let mut mac = mac::with(&[]).await;
    let result = mac
        .approved(APPLE, json!({"script": "fail"}))
        .await
        .unwrap();
    assert_eq!(result["exit_code"], 1);
    assert!(
        result["stderr"].as_str().unwrap().contains("-2700"),
        "{result}"
    );
    let arguments = json!({"script": "wait", "timeout": 1});
    let error = mac.approved(APPLE, arguments).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout);
    for bad in ["", "  \n"] {
        let error = mac.approved(JXA, json!({"script": bad})).await;
        assert_eq!(error.unwrap_err().code, Code::InvalidInput, "{bad:?}");
    }
}
