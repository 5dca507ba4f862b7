//! The set of tools: names, effects, other names, and parameters that do not fit.

use crate::running::with;
use proto::spoke::Effect;
use serde_json::{Value, json};
use shared::error::Code;

#[tokio::test]
async fn the_catalogue_s_tools_are_there_with_their_effects_and_other_names() {
    let linux = with(&[]).await;
    let tools = &linux.hub.spoke.tools;
    let expected = [
        ("linux.sshExecuteCommand", Effect::Mutate, true, true),
        ("os.linux.ceph.getOSDTree", Effect::Read, false, false),
        ("os.linux.ceph.getStatus", Effect::Read, false, false),
        ("os.linux.cli.getMetrics", Effect::Read, false, false),
        ("os.linux.cli.getOsInfo", Effect::Read, false, false),
        ("os.linux.cli.listDirectory", Effect::Read, false, false),
        ("os.linux.cli.readFile", Effect::Read, false, false),
        ("os.linux.cli.rebootSystem", Effect::Critical, false, false),
        ("os.linux.cli.writeFile", Effect::Mutate, false, false),
        ("os.linux.mta.checkQueue", Effect::Read, false, false),
        ("os.linux.nginx.checkConfig", Effect::Read, false, false),
        (
            "os.linux.nginx.getAccessLogTail",
            Effect::Read,
            false,
            false,
        ),
        ("os.linux.nginx.reloadConfig", Effect::Mutate, false, false),
        (
            "os.linux.nginx.updateSiteConfig",
            Effect::Mutate,
            false,
            false,
        ),
        ("os.linux.runCommand", Effect::Mutate, true, true),
        ("os.linux.sftp.listUsers", Effect::Read, false, false),
    ];
    let found: Vec<_> = tools
        .iter()
        .map(|tool| {
            (
                tool.id.as_str(),
                tool.effect(),
                tool.effect_per_call,
                tool.long_running,
            )
        })
        .collect();
    assert_eq!(found, expected);
    let aliases = |id: &str| {
        tools
            .iter()
            .find(|tool| tool.id == id)
            .unwrap()
            .aliases
            .clone()
    };
    assert_eq!(
        aliases("os.linux.runCommand"),
        ["os.linux.cli.runCommand", "linux.runLocalCommand"]
    );
    assert_eq!(aliases("os.linux.cli.readFile"), ["linux.readFile"]);
    assert_eq!(aliases("os.linux.cli.writeFile"), ["linux.writeFile"]);
}

/// Acceptance: 101
#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let mut linux = with(&[]).await;
    for (tool, arguments, field) in [
        ("os.linux.runCommand", json!({}), "command"),
        ("os.linux.runCommand", json!({"command": 1}), "command"),
        (
            "os.linux.runCommand",
            json!({"command": "echo", "timeout": 0}),
            "timeout",
        ),
        (
            "os.linux.runCommand",
            json!({"command": "echo", "timeout": 301}),
            "timeout",
        ),
        (
            "os.linux.runCommand",
            json!({"command": "echo", "shell": true}),
            "shell",
        ),
        (
            "os.linux.cli.readFile",
            json!({"path": "/etc/hosts", "encoding": "x"}),
            "encoding",
        ),
        (
            "os.linux.cli.listDirectory",
            json!({"path": "/etc", "max_entries": 1001}),
            "max_entries",
        ),
        (
            "os.linux.cli.rebootSystem",
            json!({"delay_seconds": -1}),
            "delay_seconds",
        ),
        (
            "linux.sshExecuteCommand",
            json!({"target_host": "a"}),
            "remote_command",
        ),
        (
            "os.linux.nginx.getAccessLogTail",
            json!({"log": "../x"}),
            "log",
        ),
    ] {
        let error = linux.call(tool, arguments.clone()).await.unwrap_err();
        assert_eq!(
            error.code,
            Code::InvalidInput,
            "{tool} {arguments}: {error}"
        );
        assert!(error.did_not_run);
        assert_eq!(
            error.details.unwrap()["field"],
            json!(field),
            "{tool} {arguments}"
        );
    }
}

/// Acceptance: 38
#[tokio::test]
async fn the_system_is_that_of_its_release_file() {
    let mut linux = with(&[]).await;
    let info = linux
        .call("os.linux.cli.getOsInfo", json!({}))
        .await
        .unwrap();
    let text = std::fs::read_to_string("/etc/os-release").unwrap();
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        assert_eq!(info[name], json!(value.trim_matches('"')), "{name}");
    }
    assert!(info["ID"].is_string() && info["VERSION_ID"].is_string());
    for name in ["kernel", "architecture", "hostname", "package_manager"] {
        assert!(
            info[name].as_str().is_some_and(|value| !value.is_empty()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn another_platform_is_refused() {
    let mut linux = with(&[("PLATFORM", "macos"), ("PACKAGE_MANAGER", "brew")]).await;
    let error = linux
        .call("os.linux.cli.getOsInfo", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotSupported);
    let error = linux
        .call("os.linux.runCommand", json!({"command": "echo hi"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotSupported);
}

#[tokio::test]
async fn metrics_count_calls() {
    let mut linux = with(&[]).await;
    let arguments = json!({"command": "echo hi"});
    linux.call("os.linux.runCommand", arguments).await.unwrap();
    let metrics = linux
        .call("os.linux.cli.getMetrics", json!({}))
        .await
        .unwrap();
    assert_eq!(metrics["service"], "01_linux_cli_mcp");
    assert_eq!(
        metrics["metrics"]["calls_by_tool"]["os.linux.runCommand"],
        json!(1)
    );
    assert_ne!(metrics["timestamp"], Value::Null);
}

#[tokio::test]
async fn health_names_what_is_missing() {
    let linux = with(&[("SSH_HOSTS", "web-1")]).await;
    let url = format!("http://{}/health", linux.running.address);
    let health: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(health["status"], "degraded", "{health}");
    assert!(
        health.to_string().contains("SSH_KNOWN_HOSTS_PATH"),
        "{health}"
    );
}
