//! `os.linux.cli.rebootSystem`, with programs that play the part of systemd.

use crate::running::{Linux, among};
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::{Effect, ToolError};
use tests::programs::Programs;

const REBOOT: &str = "os.linux.cli.rebootSystem";

/// A host in this state that was started this long ago, and keeps a record of what it was told.
fn host(state: &str, uptime: &str) -> Programs {
    let programs = Programs::new();
    let record = programs.file("record");
    let record = record.display();
    programs
        .with(
            "systemctl",
            &format!(
                "if [ \"$1\" = is-system-running ]; then echo {state}; exit 1; fi\n\
                 echo systemctl \"$@\" >> {record}"
            ),
        )
        .with("shutdown", &format!("echo shutdown \"$@\" >> {record}"))
        .with("who", "echo 'ann pts/0'")
        .with(
            "cat",
            &format!(
                "case \"$1\" in /proc/uptime) echo '{uptime} 1.0' ;; /proc/locks) ;; \
                 *) exec /bin/cat \"$@\" ;; esac"
            ),
        )
}

async fn reboot(linux: &mut Linux, arguments: Value) -> Result<Value, ToolError> {
    linux.approved_as(REBOOT, arguments, Effect::Critical).await
}

fn record(programs: &Programs) -> String {
    std::fs::read_to_string(programs.file("record")).unwrap_or_default()
}

#[tokio::test]
async fn a_host_that_is_ready_is_rebooted() {
    let programs = host("degraded", "601.5");
    let mut linux = among(&programs, &[]).await;
    let arguments = json!({"reason": "new kernel\u{1b}"});
    let assessment = linux.assess(REBOOT, arguments.clone()).await;
    assert!(assessment.ready, "{assessment:?}");
    let users = assessment
        .checks
        .iter()
        .find(|check| check.name == "logged-in users");
    assert_eq!(users.unwrap().detail, "ann pts/0");
    assert_eq!(record(&programs), "", "looking does nothing");

    let done = reboot(&mut linux, arguments).await.unwrap();
    assert_eq!(record(&programs), "shutdown -r -- +1 new kernel\\u{1b}\n");
    assert!(done["scheduled_at"].as_str().unwrap().ends_with('Z'));
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert_eq!(done["boot_id"], json!(boot_id.trim()));

    reboot(&mut linux, json!({"delay_seconds": 0}))
        .await
        .unwrap();
    assert!(record(&programs).ends_with("systemctl reboot\n"));
}

#[tokio::test]
async fn a_host_that_is_not_ready_is_left_alone() {
    for (programs, reason) in [
        (host("starting", "9000.0"), "system state"),
        (host("running", "600.0"), "uptime"),
    ] {
        let mut linux = among(&programs, &[]).await;
        let error = reboot(&mut linux, json!({})).await.unwrap_err();
        assert_eq!(error.code, Code::NotReady, "{reason}: {error}");
        assert!(error.did_not_run);
        assert_eq!(record(&programs), "");
        let assessment = linux.assess(REBOOT, json!({})).await;
        let failed: Vec<_> = assessment.checks.iter().filter(|check| !check.ok).collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(failed[0].name, reason);
    }
}

#[tokio::test]
async fn an_approval_for_less_is_not_enough() {
    let programs = host("running", "9000.0");
    let mut linux = among(&programs, &[]).await;
    let error = linux.call(REBOOT, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired);
    let error = linux.approved(REBOOT, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalInvalid);
    assert_eq!(record(&programs), "");
}
