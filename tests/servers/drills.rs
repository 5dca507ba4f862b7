//! Servers that die, come back, or are slow.

use crate::installed::{everything, on_stdio, typescript};
use crate::rig::{Remote, Rig, text};
use futures::future::join_all;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

const ROUNDS: usize = 100;

/// Processes below the hub, the hub excepted.
fn children(hub: u32) -> BTreeSet<u32> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut fields = rest.split_ascii_whitespace();
        let (state, parent) = (fields.next(), fields.next());
        if state != Some("Z") {
            parents.push((id, parent.and_then(|it| it.parse().ok()).unwrap_or(0)));
        }
    }
    let mut found = BTreeSet::from([hub]);
    loop {
        let before = found.len();
        let more: Vec<u32> = parents
            .iter()
            .filter(|(_, parent)| found.contains(parent))
            .map(|(id, _)| *id)
            .collect();
        found.extend(more);
        if found.len() == before {
            found.remove(&hub);
            return found;
        }
    }
}

fn open_files(hub: u32) -> usize {
    let folder = PathBuf::from(format!("/proc/{hub}/fd"));
    std::fs::read_dir(folder).unwrap().count()
}

/// Waits until counts are back at the start; connections of the test itself come and go.
async fn until_as_before(hub: u32, processes: usize, files: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = (children(hub).len(), open_files(hub));
        if now.0 == processes && now.1 <= files + 4 {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{now:?} processes and files, {processes} and {files} at the start"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A later call works; it may be told to come back in a moment, while the breaker is open.
async fn later_call_works(rig: &Rig, round: usize) {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let error = match rig.call("ts", "add", &json!({"z": 1, "a": 2})).await {
            Ok(later) => {
                assert_eq!(text(&later), "3");
                return;
            }
            Err(error) => error,
        };
        let log = || rig.stack.hub.log();
        assert_eq!(
            error["error"]["code"],
            "CIRCUIT_BREAKER_OPEN",
            "round {round}: {}",
            log()
        );
        assert!(Instant::now() < deadline, "round {round}: {}", log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Acceptance: 263, 343
#[tokio::test]
async fn a_server_on_stdio_that_is_killed_a_hundred_times_is_back_for_every_later_call() {
    let rig = Rig::start();
    rig.register(&on_stdio("ts", typescript("stdio"))).await;
    let sum = json!({"z": 1, "a": 2});
    rig.call("ts", "add", &sum).await.unwrap();
    let hub = rig.stack.hub.pid();
    let (processes, files) = (children(hub).len(), open_files(hub));
    assert!(processes >= 1);
    for round in 0..ROUNDS {
        let slow = json!({"ms": 10_000});
        let in_flight = rig.call("ts", "slow-tool", &slow);
        let killing = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            children(hub).into_iter().for_each(kill);
        };
        let (_lost_or_retried, ()) = tokio::join!(
            tokio::time::timeout(Duration::from_millis(200), in_flight),
            killing
        );
        later_call_works(&rig, round).await;
    }
    until_as_before(hub, processes, files).await;
}

/// Acceptance: 263, 343
#[tokio::test]
async fn a_server_on_http_that_restarts_is_used_again_without_a_human() {
    let rig = Rig::start();
    let mut remote = Remote::start(typescript("http"));
    let specification = json!({"name": "ts", "protocol": "http", "url": remote.url("/mcp")});
    rig.register(&specification).await;
    let sum = json!({"z": 1, "a": 2});
    rig.call("ts", "add", &sum).await.unwrap();
    for _ in 0..5 {
        remote.kill();
        remote.revive();
        let later = rig.call("ts", "add", &sum).await.unwrap();
        assert_eq!(text(&later), "3");
    }
    remote.kill();
    rig.until_status("ts", "unhealthy").await;
    remote.revive();
    rig.until_status("ts", "active").await;
    assert_eq!(text(&rig.call("ts", "add", &sum).await.unwrap()), "3");
}

/// Acceptance: 343
#[tokio::test]
async fn removing_a_server_ends_its_process() {
    let rig = Rig::start();
    let hub = rig.stack.hub.pid();
    assert!(children(hub).is_empty());
    rig.register(&on_stdio("everything", everything("stdio")))
        .await;
    assert_eq!(children(hub).len(), 1, "the probe's process has ended");
    rig.ask("DELETE", "/gateway/servers/everything", None).await;
    assert!(children(hub).is_empty());
}

/// Acceptance: 262
#[tokio::test]
async fn a_slow_server_does_not_hold_up_the_others() {
    let rig = Rig::start();
    rig.register(&on_stdio("quick", typescript("stdio"))).await;
    let mut slow = on_stdio("slow", typescript("stdio"));
    slow["timeout_seconds"] = json!(3);
    slow["max_retries"] = json!(0);
    rig.register(&slow).await;
    let waiting = json!({"ms": 60_000});
    let stuck = join_all((0..20).map(|_| rig.call("slow", "slow-tool", &waiting)));
    let quick = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let began = Instant::now();
        for _ in 0..20 {
            rig.call("quick", "add", &json!({"z": 1, "a": 2}))
                .await
                .unwrap();
        }
        began.elapsed()
    };
    let (stuck, took) = tokio::join!(stuck, quick);
    assert!(took < Duration::from_secs(2), "{took:?}");
    for failed in stuck {
        assert_eq!(failed.unwrap_err()["error"]["code"], "TIMEOUT");
    }
}

/// It may have ended by itself.
fn kill(process: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
}
