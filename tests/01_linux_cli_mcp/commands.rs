//! `os.linux.runCommand`.

use crate::running::{Linux, lives, until, with};
use proto::spoke::Effect;
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::ToolError;
use std::time::Duration;
use tokio::time::Instant;

const RUN: &str = "os.linux.runCommand";

async fn run(linux: &mut Linux, command: &str) -> Result<Value, ToolError> {
    linux.call(RUN, json!({"command": command})).await
}

/// Acceptance: 32
#[tokio::test]
async fn a_command_gives_its_output_and_exit_code() {
    let mut linux = with(&[]).await;
    let result = run(&mut linux, "echo hi").await.unwrap();
    assert_eq!(result["stdout"], "hi\n");
    assert_eq!(result["stderr"], "");
    assert_eq!(result["exit_code"], 0);
    assert_eq!(result["truncated"], false);
    assert_eq!(result["read_only"], true);
    assert!(result["duration_ms"].is_u64() && result["host"].is_string());
    let command = format!("cat {}", linux.text("absent"));
    let arguments = json!({ "command": command });
    let failed = linux.approved(RUN, arguments).await.unwrap();
    assert_eq!(failed["exit_code"], 1);
    assert_ne!(failed["stderr"], "");
}

#[tokio::test]
async fn further_arguments_are_taken_as_they_are() {
    let mut linux = with(&[]).await;
    let arguments = json!({"command": "echo 'a  b'", "args": ["$(id)", ";", "c  d", "*"]});
    let result = linux.call(RUN, arguments).await.unwrap();
    assert_eq!(result["stdout"], "a  b $(id) ; c  d *\n");
}

/// Acceptance: 33
#[tokio::test]
async fn what_a_shell_would_act_on_is_refused() {
    let mut linux = with(&[]).await;
    let marker = linux.text("marker.txt");
    for command in [
        "echo a; rm -rf /".to_owned(),
        "echo $(id)".into(),
        "echo `id`".into(),
        "echo a && echo b".into(),
        "echo a || echo b".into(),
        "echo a\necho b".into(),
        format!("echo touch {marker} | sh"),
        format!("echo a > {marker}"),
        "sh -c id".into(),
    ] {
        for attempt in [
            linux.call(RUN, json!({ "command": command })).await,
            linux.approved(RUN, json!({ "command": command })).await,
        ] {
            let error = attempt.unwrap_err();
            assert_eq!(error.code, Code::PolicyViolation, "{command:?}: {error}");
            assert!(error.did_not_run);
        }
    }
    assert!(!linux.work("marker.txt").exists());
}

/// Acceptance: 34
#[tokio::test]
async fn a_command_outside_the_list_is_refused_with_the_reason() {
    let mut linux = with(&[("ALLOWED_COMMANDS", "echo,cat")]).await;
    let error = run(&mut linux, "ls").await.unwrap_err();
    assert_eq!(error.code, Code::PolicyViolation);
    assert!(
        error
            .message
            .contains("\"ls\" is not in ALLOWED_COMMANDS (cat, echo)"),
        "{error}"
    );
    let arguments = json!({"command": "ls"});
    let error = linux.approved(RUN, arguments).await.unwrap_err();
    assert_eq!(
        error.code,
        Code::PolicyViolation,
        "an approval changes nothing"
    );
}

/// Acceptance: 35
#[tokio::test]
async fn a_command_that_takes_too_long_is_stopped() {
    let mut linux = with(&[("ALLOWED_COMMANDS", "sleep")]).await;
    let started = Instant::now();
    let arguments = json!({"command": "sleep 5.01", "timeout": 1});
    let error = linux.approved(RUN, arguments).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert!(!lives("5.01"));
}

#[tokio::test]
async fn a_caller_who_goes_away_ends_the_command() {
    let mut linux = with(&[("ALLOWED_COMMANDS", "sleep")]).await;
    {
        let arguments = json!({"command": "sleep 31601"});
        let running = linux.approved(RUN, arguments);
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => panic!("ended by itself: {ended:?}"),
            started = until(|| lives("31601")) => assert!(started),
        }
    }
    assert!(until(|| !lives("31601")).await);
}

#[tokio::test]
async fn what_is_not_known_to_only_read_needs_a_person_who_sees_it() {
    let mut linux = with(&[]).await;
    let command = format!("find {} -delete -name '\u{202e}x\x1b'", linux.text(""));
    let arguments = json!({"command": command, "requires_approval": false});
    let error = linux.call(RUN, arguments.clone()).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired);
    assert!(error.did_not_run);
    let assessment = linux.assess(RUN, arguments).await;
    assert_eq!(assessment.effect(), Effect::Mutate);
    for line in [
        "[0] find",
        "[2] -delete",
        r"[4] \u{202e}x\u{1b}",
        "Not known to only read:",
    ] {
        assert!(
            assessment.summary.contains(line),
            "{line}: {}",
            assessment.summary
        );
    }
    let reading = linux.assess(RUN, json!({"command": "echo hi"})).await;
    assert_eq!(reading.effect(), Effect::Read);
}

#[tokio::test]
async fn reading_outside_the_allowed_folders_needs_a_person() {
    let mut linux = with(&[]).await;
    let secret = linux.outside("token");
    std::os::unix::fs::symlink(&secret, linux.work("link.txt")).unwrap();
    let secret = secret.display().to_string();
    for command in [
        format!("cat {secret}"),
        format!("cat {}", linux.text("../token")),
        format!("cat {}", linux.text("link.txt")),
        "cat ../token".into(),
        "cat link.txt".into(),
        format!("grep -f {secret} x"),
        "ls /".into(),
    ] {
        let error = run(&mut linux, &command).await.unwrap_err();
        assert_eq!(error.code, Code::ApprovalRequired, "{command}");
    }
    std::fs::write(linux.work("plain.txt"), "plain").unwrap();
    let result = run(&mut linux, "cat plain.txt").await.unwrap();
    assert_eq!(result["stdout"], "plain");
}

#[tokio::test]
async fn a_session_remembers_its_directory_for_reads_only() {
    let mut linux = with(&[("ALLOWED_COMMANDS", "ls,touch")]).await;
    std::fs::create_dir(linux.work("deep")).unwrap();
    std::fs::write(linux.work("deep/here.txt"), "").unwrap();
    let first = json!({"command": "ls", "session_id": "s", "cwd": linux.text("deep")});
    let second = json!({"command": "ls", "session_id": "s"});
    let other = json!({"command": "ls", "session_id": "t"});
    assert_eq!(
        linux.call(RUN, first).await.unwrap()["stdout"],
        "here.txt\n"
    );
    assert_eq!(
        linux.call(RUN, second).await.unwrap()["stdout"],
        "here.txt\n"
    );
    assert_eq!(linux.call(RUN, other).await.unwrap()["stdout"], "deep\n");
    let change = json!({"command": "touch x", "session_id": "s"});
    let error = linux.approved(RUN, change).await.unwrap_err();
    assert_eq!(error.code, Code::InvalidInput);
    assert_eq!(error.details.unwrap()["field"], "cwd");
    let nowhere = json!({"command": "ls", "cwd": "/no/such"});
    assert_eq!(
        linux.call(RUN, nowhere).await.unwrap_err().code,
        Code::InvalidInput
    );
}

#[tokio::test]
async fn programs_for_terminals_and_programs_that_are_not_there_are_refused() {
    let mut linux = with(&[("ALLOWED_COMMANDS", "vim,top,nosuchprogram,ssh,ls")]).await;
    for command in ["vim /etc/hosts", "top", "ssh host"] {
        let error = run(&mut linux, command).await.unwrap_err();
        assert_eq!(error.code, Code::InteractiveRefused, "{command}");
    }
    let arguments = json!({"command": "nosuchprogram"});
    let error = linux.approved(RUN, arguments).await.unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
    assert!(
        error.message.contains("nosuchprogram is not installed"),
        "{error}"
    );
    let arguments = json!({"command": "ssh web-1 ls /etc"});
    let error = linux.approved(RUN, arguments).await.unwrap_err();
    assert_eq!(error.message, "not configured: set SSH_HOSTS");
}

#[tokio::test]
async fn long_output_is_cut_at_a_mebibyte() {
    let mut linux = with(&[]).await;
    std::fs::write(linux.work("big.txt"), "x".repeat(3 << 20)).unwrap();
    let result = run(&mut linux, "cat big.txt").await.unwrap();
    assert_eq!(result["truncated"], true);
    assert_eq!(result["stdout"].as_str().unwrap().len(), 1 << 20);
}
