//! A disk that is full for a while, several times: runs wait, none is lost, nothing is done twice.

use crate::installation;
use crate::load::Load;
use crate::verdict::Verdict;
use std::sync::Arc;
use std::time::Duration;
use tests::disk::Disk;

const RUNS: usize = 60;
const TIMES: usize = 3;
const WITH_SPACE: Duration = Duration::from_millis(700);
const FULL: Duration = Duration::from_millis(1500);

/// Acceptance: 348
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_holds_runs_up_and_loses_none() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let disk = Disk::watch(place.path(), &data);
    let mut extra = disk.environment();
    extra.push(("WAYGATE_DATA_DIR".into(), data.display().to_string()));
    let (stack, spoke) = installation(&extra).await;
    let load = Load::new(&stack.url, &stack.agent, RUNS);
    load.until_tools_are_known().await;
    let clients = tokio::spawn(Arc::clone(&load).run());
    for _ in 0..TIMES {
        tokio::time::sleep(WITH_SPACE).await;
        disk.set_full(true);
        tokio::time::sleep(FULL).await;
        disk.set_full(false);
    }
    load.stop();
    let ids = clients.await.unwrap();
    let verdict = Verdict::of(&load, &spoke.effects, &ids).await;
    println!("{} runs; {verdict:?}", ids.len());
    let log = stack.hub.log();
    verdict.assert(&log);
    assert!(
        log.contains("store_commit"),
        "the disk was never full: {log}"
    );
}
