//! Each tool with the stand-in for the program.

use crate::desk::{Desk, KEY, git, strings};
use proto::spoke::call_event::Event;
use serde_json::json;
use shared::error::Code;
use shared::tool::Effect;
use spoke_14_aider_mcp::SERVICE;
use std::time::Duration;
use tests::rig::{Rig, now};
use tokio::time::Instant;

/// Acceptance: 59
#[tokio::test]
async fn an_edit_is_made_in_the_work_tree_returned_as_a_diff_and_not_committed() {
    let mut desk = Desk::start(&[("AIDER_MODEL", "openai/small")]).await;
    let head = git(&desk.repo(), &["rev-parse", "HEAD"]);
    let arguments = json!({"prompt": "Add a line", "files": ["note.txt"]});
    let held = desk
        .rig
        .call("aider.chat", arguments.clone())
        .await
        .unwrap_err();
    assert_eq!(held.code, Code::ApprovalRequired);
    assert_eq!(desk.noted("words"), "", "nothing ran");
    let edited = desk
        .rig
        .approved("aider.chat", arguments, Effect::Mutate)
        .await
        .unwrap();
    assert_eq!(
        (&edited["success"], &edited["return_code"]),
        (&json!(true), &json!(0))
    );
    assert_eq!(edited["stdout"], "thinking\ndone\n");
    assert_eq!(
        strings(&edited["changed_files"]),
        ["new/file.txt", "note.txt"]
    );
    let diff = edited["diff"].as_str().unwrap();
    assert!(
        diff.contains("+a line") && diff.contains("+fresh") && !diff.contains("elsewhere"),
        "{diff}"
    );
    assert_eq!(
        desk.text("note.txt"),
        "first\nmine\na line\n",
        "on top of what was not committed"
    );
    assert_eq!(desk.text("new/file.txt"), "fresh\n");
    assert_eq!(desk.text(".env"), "A=b\n");
    assert_eq!(
        git(&desk.repo(), &["rev-parse", "HEAD"]),
        head,
        "nothing is committed"
    );
    assert_eq!(
        git(&desk.repo(), &["diff", "--cached", "--name-only"]),
        "",
        "the index is as it was"
    );
    let backup = edited["backup_ref"].as_str().unwrap();
    assert!(backup.starts_with("refs/waygate/backup/"), "{backup}");
    let saved = |file: &str| git(&desk.repo(), &["show", &format!("{backup}:{file}")]);
    assert_eq!(saved("note.txt"), "first\nmine\n");
    assert_eq!(saved("untracked.txt"), "mine, too\n");
    assert_ne!(
        desk.noted("place").trim(),
        desk.repo().display().to_string()
    );
    assert_eq!(
        desk.noted("dotenv"),
        "",
        "settings of the repository are not there"
    );
    assert_eq!(desk.copies(), 0);
}

/// Acceptance: 59
#[tokio::test]
async fn aider_is_told_to_commit_and_to_ask_nothing_and_its_lines_are_progress() {
    let mut desk = Desk::start(&[("AIDER_MODEL", "openai/small")]).await;
    let arguments = json!({"prompt": "Add a line", "files": ["note.txt"]});
    let hub = &mut desk.rig.hub;
    let call = now("aider.chat", &arguments).key("progress");
    let call = hub.approve(call, Effect::Mutate);
    let request = hub.identity.request(&hub.spoke, &call);
    let mut events = hub.send(request).await.unwrap();
    let mut lines = Vec::new();
    while let Some(event) = events.message().await.unwrap() {
        if let Some(Event::Progress(progress)) = event.event {
            lines.push(progress.message);
        }
    }
    // Of reports that wait together only the latest is passed on.
    assert!(lines.iter().any(|line| line == "done"), "{lines:?}");
    let words = desk.noted("words");
    for word in [
        "--yes-always",
        "--no-auto-commits",
        "--no-stream",
        "--model=openai/small",
        "--file=note.txt",
        "--message=Add a line",
    ] {
        assert!(words.contains(&format!("{word}\n")), "{word}: {words}");
    }
}

/// Acceptance: 59
#[tokio::test]
async fn answers_and_plans_change_nothing() {
    let mut desk = Desk::start(&[]).await;
    let before = git(&desk.repo(), &["status", "--porcelain"]);
    let answer = desk
        .rig
        .call("aider.ask", json!({"question": "What is here?"}))
        .await
        .unwrap();
    assert_eq!(
        answer,
        json!({"success": true, "answer": "thinking\ndone\n", "stderr": ""})
    );
    assert!(
        desk.noted("words")
            .contains("--chat-mode\nask\n--dry-run\n")
    );
    let plan = json!({"description": "A greeting", "model": "anthropic/large"});
    let plan = desk.rig.call("aider.architect", plan).await.unwrap();
    assert_eq!(
        (&plan["analysis"], &plan["changed_files"]),
        (&json!("thinking\ndone\n"), &json!([]))
    );
    assert!(
        desk.noted("words")
            .contains("--chat-mode\narchitect\n--dry-run\n--model=anthropic/large\n")
    );
    assert_eq!(git(&desk.repo(), &["status", "--porcelain"]), before);
    assert_eq!(
        git(&desk.repo(), &["for-each-ref", "refs/waygate"]),
        "",
        "a look leaves nothing"
    );
    let apply = json!({"description": "A greeting", "apply": true});
    let held = desk
        .rig
        .call("aider.architect", apply.clone())
        .await
        .unwrap_err();
    assert_eq!(held.code, Code::ApprovalRequired);
    let done = desk
        .rig
        .approved("aider.architect", apply, Effect::Mutate)
        .await
        .unwrap();
    assert_eq!(done["count"], 2);
    assert!(!desk.noted("words").contains("--dry-run"));
}

#[tokio::test]
async fn aider_that_fails_changes_nothing_and_its_words_hold_no_key() {
    let mut desk = Desk::start(&[]).await;
    let arguments = json!({"file": "note.txt", "instruction": "fail at once"});
    let failed = desk
        .rig
        .approved("aider.editFile", arguments, Effect::Mutate)
        .await
        .unwrap();
    assert_eq!(
        (&failed["success"], &failed["return_code"]),
        (&json!(false), &json!(3))
    );
    assert!(!failed.to_string().contains(KEY), "{failed}");
    assert_eq!((&failed["diff"], &failed["count"]), (&json!(""), &json!(0)));
    assert_eq!(desk.text("note.txt"), "first\nmine\n");
}

#[tokio::test]
async fn a_message_is_never_a_command_of_aider() {
    let mut desk = Desk::start(&[]).await;
    for question in ["/run rm -rf .", "!rm -rf ."] {
        desk.rig
            .call("aider.ask", json!({"question": question}))
            .await
            .unwrap();
        assert!(
            desk.noted("words")
                .contains(&format!("--message= {question}\n"))
        );
    }
}

#[tokio::test]
async fn odd_files_and_models_are_refused_before_anything_runs() {
    let mut desk = Desk::start(&[]).await;
    std::os::unix::fs::symlink("/etc", desk.repo().join("link")).unwrap();
    for arguments in [
        json!({"question": "x", "files": ["../secret"]}),
        json!({"question": "x", "files": ["/etc/passwd"]}),
        json!({"question": "x", "files": [".git/config"]}),
        json!({"question": "x", "files": ["-x"]}),
        json!({"question": "x", "files": ["link/passwd"]}),
        json!({"question": "x", "model": "--apply=x"}),
        json!({"question": "  "}),
    ] {
        let refused = desk
            .rig
            .call("aider.ask", arguments.clone())
            .await
            .unwrap_err();
        assert_eq!(refused.code, Code::InvalidInput, "{arguments}: {refused}");
    }
    assert_eq!(desk.noted("words"), "");
}

#[tokio::test]
async fn who_gives_up_ends_aider_and_leaves_no_copy() {
    let mut desk = Desk::start(&[]).await;
    let mut call = now("aider.ask", &json!({"question": "sleep well"}));
    call.deadline_ms = 3_000;
    let error = desk.rig.hub.call(&call).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout, "{error}");
    let patience = Instant::now() + Duration::from_secs(30);
    while desk.copies() > 0 && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(desk.copies(), 0);
}

#[tokio::test]
async fn tests_run_in_the_work_tree_when_there_is_a_command_and_an_approval() {
    let mut bare = Desk::start(&[]).await;
    let missing = bare
        .rig
        .approved("aider.runTests", json!({}), Effect::Mutate)
        .await
        .unwrap_err();
    assert_eq!(missing.code, Code::NotConfigured);
    assert!(missing.message.contains("AIDER_TEST_COMMAND"), "{missing}");
    let mut desk = Desk::start(&[("AIDER_TEST_COMMAND", "grep -c mine note.txt")]).await;
    let held = desk
        .rig
        .call("aider.runTests", json!({}))
        .await
        .unwrap_err();
    assert_eq!(held.code, Code::ApprovalRequired);
    let summary = desk.rig.summary("aider.runTests", json!({})).await;
    assert!(summary.contains("note.txt"), "{summary}");
    let tested = desk
        .rig
        .approved("aider.runTests", json!({"timeout": 30}), Effect::Mutate)
        .await
        .unwrap();
    assert_eq!(
        (&tested["success"], &tested["stdout"]),
        (&json!(true), &json!("1\n"))
    );
    let mut failing = Desk::start(&[("AIDER_TEST_COMMAND", "grep absent note.txt")]).await;
    let failed = failing
        .rig
        .approved("aider.runTests", json!({}), Effect::Mutate)
        .await
        .unwrap();
    assert_eq!(
        (&failed["success"], &failed["return_code"]),
        (&json!(false), &json!(1))
    );
    for timeout in [0, 301] {
        let odd = json!({"timeout": timeout});
        let odd = desk
            .rig
            .approved("aider.runTests", odd, Effect::Mutate)
            .await
            .unwrap_err();
        assert_eq!(odd.code, Code::InvalidInput, "{timeout}");
    }
}

#[tokio::test]
async fn what_is_missing_is_named_and_the_tools_are_there_all_the_same() {
    let mut nothing = Rig::start(&SERVICE, &[("AIDER_PATH", "aider-that-is-not-there")]).await;
    let error = nothing
        .call("aider.ask", json!({"question": "x"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
    assert!(error.message.contains("AIDER_PATH"), "{error}");
    let (status, health) = nothing.probe("/health").await;
    assert_eq!((status, &health["status"]), (200, &json!("degraded")));
    assert!(health.to_string().contains("REPO_PATH"), "{health}");
    let mut keyless = Desk::start(&[("OPENAI_API_KEY", "")]).await;
    let error = keyless
        .rig
        .call("aider.ask", json!({"question": "x"}))
        .await
        .unwrap_err();
    assert!(
        error.message.contains("OPENAI_API_KEY_SECRET_PATH"),
        "{error}"
    );
    let outside = tempfile::tempdir().unwrap();
    let plain = outside.path().display().to_string();
    let mut plain = Desk::start(&[("REPO_PATH", &plain)]).await;
    let error = plain
        .rig
        .call("aider.ask", json!({"question": "x"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
    assert!(error.message.contains("REPO_PATH"), "{error}");
}
