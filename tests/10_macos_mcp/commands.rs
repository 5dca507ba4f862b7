//! Commands, facts and applications.

use crate::mac::{self, HOST};
use serde_json::json;
use shared::error::Code;
use tests::programs::Programs;

const RUN: &str = "os.macos.cli.runCommand";

/// Acceptance: 65
#[tokio::test]
async fn a_command_gives_its_output_and_exit_code() {
    let mut mac = mac::with(&[("ALLOWED_COMMANDS", "echo,cat,ls,stat")]).await;
    let line = r#"echo '$(id)' 'a;b' "it's" '*' '>x'"#;
    let result = mac.answer(RUN, json!({"command": line})).await;
    assert_eq!(result["stdout"], "$(id) a;b it's * >x\n");
    assert_eq!(
        [&result["host"], &result["read_only"], &result["exit_code"]],
        [&json!(HOST), &json!(true), &json!(0)]
    );
    std::fs::write(mac.work("note.txt"), "here").unwrap();
    let arguments = json!({"command": "cat note.txt", "cwd": mac.text("")});
    let error = mac.call(RUN, arguments.clone()).await.unwrap_err();
    assert_eq!(
        error.code,
        Code::ApprovalRequired,
        "relative paths: {error}"
    );
    let result = mac.approved(RUN, arguments).await.unwrap();
    assert_eq!(result["stdout"], "here");
    // Its input is empty: it does not wait for one.
    let result = mac.approved(RUN, json!({"command": "cat"})).await.unwrap();
    assert_eq!(result["stdout"], "");
    let elsewhere = json!({"command": "ls /absent", "cwd": "/absent"});
    let result = mac.approved(RUN, elsewhere).await.unwrap();
    assert_ne!(result["exit_code"], 0);
}

/// Acceptance: 359
#[tokio::test]
async fn a_host_that_is_no_mac_is_refused() {
    let programs = Programs::new().with("uname", "echo Linux");
    let mut mac = mac::of(programs, &[]).await;
    for (tool, arguments) in [
        (RUN, json!({"command": "echo hi"})),
        ("os.macos.cli.getOsInfo", json!({})),
        ("os.macos.cli.readFile", json!({"path": mac.text("x")})),
    ] {
        let error = mac.call(tool, arguments).await.unwrap_err();
        assert_eq!(error.code, Code::NotSupported, "{tool}: {error}");
        assert!(error.did_not_run, "{tool}");
        let said = "the host runs Linux, this tool is for macOS";
        assert!(error.message.contains(said), "{tool}: {error}");
    }
}

/// Acceptance: 359
#[tokio::test]
async fn the_policy_of_commands_holds() {
    let mut mac = mac::with(&[("ALLOWED_COMMANDS", "echo,rm,ls,ssh,osascript")]).await;
    for (command, code) in [
        ("echo a; id", Code::PolicyViolation),
        ("curl x", Code::PolicyViolation),
        ("rm -rf /", Code::PolicyViolation),
        ("rm -rf /Users", Code::PolicyViolation),
        ("zsh -c id", Code::PolicyViolation),
        ("ssh other echo hi", Code::PolicyViolation),
        ("vim x", Code::InteractiveRefused),
        ("ls /srv/x", Code::ApprovalRequired),
        ("osascript -e 1", Code::ApprovalRequired),
    ] {
        let error = mac.call(RUN, json!({"command": command})).await;
        let error = error.unwrap_err();
        assert_eq!(error.code, code, "{command}: {error}");
    }
    let error = mac.call(RUN, json!({"command": "echo a", "cwd": "x"}));
    assert_eq!(error.await.unwrap_err().details.unwrap()["field"], "cwd");
}

#[tokio::test]
async fn only_macs_in_the_list_are_reached() {
    let mut mac = mac::with(&[("SSH_HOSTS", "127.0.0.1,other")]).await;
    let error = mac.call(RUN, json!({"command": "echo a"})).await;
    let error = error.unwrap_err();
    assert_eq!(error.details.unwrap()["field"], "host");
    let elsewhere = json!({"command": "echo a", "host": "localhost"});
    let error = mac.call(RUN, elsewhere).await.unwrap_err();
    assert_eq!(error.code, Code::PolicyViolation);
    assert!(error.message.contains("SSH_HOSTS"), "{error}");
    // Listed, but its key is not known.
    let unknown = json!({"command": "echo a", "host": "other"});
    let error = mac.call(RUN, unknown).await.unwrap_err();
    assert_eq!(error.code, Code::PolicyViolation);
    let named = json!({"command": "echo a", "host": HOST});
    assert_eq!(mac.answer(RUN, named).await["stdout"], "a\n");
}

/// Acceptance: 65
#[tokio::test]
async fn facts_and_applications_are_those_the_mac_tells() {
    let mut mac = mac::with(&[]).await;
    let facts = mac.answer("os.macos.cli.getOsInfo", json!({})).await;
    assert_eq!(
        facts,
        json!({"host": HOST, "product_name": "macOS", "product_version": "14.5",
            "build_version": "23F79", "architecture": "arm64", "hostname": "mini.local"})
    );
    let found = mac.answer("os.macos.apps.listApps", json!({})).await;
    assert_eq!(found["count"], 2);
    assert_eq!(
        found["apps"][0],
        json!({"name": "Notes", "path": "/System/Applications/Notes.app", "version": null, "bundle_id": null})
    );
    assert_eq!(found["apps"][1]["version"], "17.5");

    let open = "os.macos.apps.openApp";
    let error = mac.call(open, json!({"appName": "Notes"})).await;
    assert_eq!(error.unwrap_err().code, Code::ApprovalRequired);
    assert_eq!(mac.record(), "", "nothing was opened without approval");
    let opened = mac.approved(open, json!({"appName": "Notes; id"})).await;
    assert_eq!(opened.unwrap()["started"], true);
    assert_eq!(mac.record(), "open -a Notes; id\n");
    let error = mac.approved(open, json!({"appName": "Nowhere"})).await;
    assert_eq!(error.unwrap_err().code, Code::NotFound);
    let error = mac.approved(open, json!({"appName": "-x"})).await;
    assert_eq!(error.unwrap_err().details.unwrap()["field"], "appName");
}

/// Acceptance: 65
#[tokio::test]
async fn a_spoke_without_settings_lists_its_tools_and_says_what_is_missing() {
    let mut rig = tests::rig::Rig::start(&spoke_10_macos_mcp::SERVICE, &[]).await;
    let (status, body) = rig.probe("/health").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.to_string().contains("set SSH_HOSTS"), "{body}");
    let error = rig.call("os.macos.cli.getOsInfo", json!({})).await;
    let error = error.unwrap_err();
    assert_eq!(error.code, Code::NotConfigured, "{error}");
}
