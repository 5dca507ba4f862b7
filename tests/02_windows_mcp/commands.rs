//! `PowerShell` of the caller: data for a fixed script.

use crate::windows::{HOST, usual};
use serde_json::json;
use shared::error::Code;

const RUN: &str = "os.windows.ps.runCommand";
const SCRIPT: &str = "os.windows.ps.runScript";

/// Acceptance: 65
#[tokio::test]
async fn a_pipeline_that_reads_runs_at_once_and_any_other_asks() {
    let mut windows = usual().await;
    let line = "Get-Process -Name svchost | Sort-Object Id";
    let result = windows.answer(RUN, json!({"command": line})).await;
    assert_eq!(result["stdout"], format!("did: {line}\r\n"));
    assert_eq!(
        [&result["host"], &result["read_only"], &result["exit_code"]],
        [&json!(HOST), &json!(true), &json!(0)]
    );
    for line in ["Restart-Computer", "Get-Process; calc", "Get-Content C:\\x"] {
        let error = windows.call(RUN, json!({"command": line})).await;
        assert_eq!(error.unwrap_err().code, Code::ApprovalRequired, "{line}");
    }
    let error = windows.call(RUN, json!({"command": "notepad"})).await;
    assert_eq!(error.unwrap_err().code, Code::InteractiveRefused);
    let result = windows.approved(RUN, json!({"command": "fail"})).await;
    let result = result.unwrap();
    assert_eq!(
        (&result["exit_code"], &result["read_only"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(result["stderr"], "it failed\r\n");
}

/// Acceptance: 65
#[tokio::test]
async fn a_script_is_data_whatever_is_in_it() {
    let mut windows = usual().await;
    let script = "'@ \"` $(x) #>\r\n'; Remove-Item C:\\ é \u{1f600}";
    let arguments = json!({"scriptBlock": script});
    let error = windows.call(SCRIPT, arguments.clone()).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired);
    assert!(
        windows.host.record().is_empty(),
        "nothing ran without approval"
    );
    let summary = windows.rig.summary(SCRIPT, arguments.clone()).await;
    assert!(
        summary.contains("localhost as CORP\\\\ops") && summary.contains("SHA-256"),
        "{summary}"
    );
    windows.approved(SCRIPT, arguments).await.unwrap();
    let record = windows.host.record();
    let ran = record.iter().find(|it| it["script"].is_string()).unwrap();
    assert_eq!(ran["script"], "run", "the text of this build, nothing else");
    assert_eq!(ran["parameters"]["script"], script);
}

#[tokio::test]
async fn long_output_is_cut_and_long_scripts_arrive_in_parts() {
    let mut windows = usual().await;
    let script = format!("large # {}", "x".repeat(99_000));
    let result = windows
        .approved(SCRIPT, json!({"scriptBlock": script}))
        .await;
    let result = result.unwrap();
    assert_eq!(result["stdout"].as_str().unwrap().len(), 1024 * 1024);
    assert_eq!(result["truncated"], true);
    let sends = windows
        .host
        .actions()
        .iter()
        .filter(|it| *it == "Send")
        .count();
    assert_eq!(sends, 2);
}

/// Acceptance: 35
#[tokio::test]
async fn what_does_not_end_is_stopped_and_its_shell_closed() {
    let mut windows = usual().await;
    let arguments = json!({"scriptBlock": "Start-Sleep 600", "timeout": 2});
    let error = windows.approved(SCRIPT, arguments).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout, "{error}");
    assert!(windows.host.closed().await);
    let actions = windows.host.actions();
    assert_eq!(actions[actions.len() - 2..], ["Signal", "Delete"]);
}
