//! Power cuts: whatever the store called durable is there afterwards, however the disk forgot the rest.
//!
//! The real program commits while its disk is watched; then the power is cut at moments all over that
//! record, and what was on disk for sure is opened again. The same with less durability must lose
//! something, or this would prove nothing. How many cuts there are is said by `POWER_CUTS`.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails"
)]

use orchestrator::store::{DatabaseUrl, Statement, Store, StoreConfig};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tests::disk::{Disk, Fate, Platter};
use tests::process::program;

const CUTS: usize = 200;
const BATCHES: &str = "1500";

/// What a program said of its commits, and everything it did to its disk.
struct Recording {
    /// Batch, and how long the record was when it was called durable.
    durable: Vec<(String, usize)>,
    disk: Vec<u8>,
}

/// Acceptance: 348
#[tokio::test(flavor = "multi_thread")]
async fn no_power_cut_takes_what_was_durable() {
    let seen = record(&[]);
    let cuts = std::env::var("POWER_CUTS").map_or(CUTS, |text| text.parse().unwrap());
    let lost = lost(&seen, cuts).await;
    println!(
        "{cuts} cuts, {} batches, {} bytes written",
        seen.durable.len(),
        seen.disk.len()
    );
    assert!(lost.is_empty(), "{lost:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_takes_what_only_survives_the_process() {
    let seen = record(&["--lax"]);
    let lost = lost(&seen, 20).await;
    assert!(!lost.is_empty(), "the cuts of this test take nothing");
}

/// Lets the program commit on a watched disk.
fn record(more: &[&str]) -> Recording {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("store");
    let disk = Disk::watch(place.path(), &folder);
    let mut child = Command::new(program("waygate"))
        .args([
            "bench",
            "commits",
            "--tell",
            "--writers",
            "8",
            "--batches",
            BATCHES,
        ])
        .arg("--folder")
        .arg(&folder)
        .args(more)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(disk.recorded())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let durable = lines.map(|line| (line.unwrap(), disk.position())).collect();
    assert!(child.wait().unwrap().success());
    Recording {
        durable,
        disk: disk.record(),
    }
}

/// Cuts the power at moments all over the record: which batches were durable by then and are gone.
async fn lost(seen: &Recording, cuts: usize) -> Vec<String> {
    let first = seen.durable.first().unwrap().1;
    let stride = (seen.disk.len() - first) / cuts;
    let mut platter = Platter::default();
    let mut left = seen.disk.as_slice();
    let mut lost = Vec::new();
    for cut in 0..cuts {
        let moment = first + cut * stride;
        while seen.disk.len() - left.len() < moment {
            left = platter.take(left).unwrap();
        }
        let moment = seen.disk.len() - left.len();
        let fate = match cut % 2 {
            0 => Fate::Lost,
            _ => Fate::Torn(u64::try_from(cut).unwrap()),
        };
        let folder = tempfile::tempdir().unwrap();
        platter.cut(folder.path(), fate);
        let kept = batches_in(folder.path()).await;
        let durable = seen.durable.iter().filter(|(_, then)| *then < moment);
        let gone: Vec<&str> = durable
            .map(|(batch, _)| batch.as_str())
            .filter(|batch| !kept.contains(*batch))
            .collect();
        if !gone.is_empty() {
            lost.push(format!(
                "cut {cut} at {moment}, {fate:?}: {} batches, {:?} first",
                gone.len(),
                gone.first()
            ));
        }
    }
    lost
}

/// The batches a store holds after the power is back.
async fn batches_in(folder: &Path) -> BTreeSet<String> {
    let url = format!("sqlite:{}", folder.join("commits.db").display());
    let url = DatabaseUrl::parse(&url).unwrap();
    let store = Store::open(StoreConfig { url, pool_size: 1 })
        .await
        .unwrap();
    let rows = store
        .read(Statement::new("PRAGMA integrity_check"))
        .await
        .unwrap();
    assert_eq!(rows.first().unwrap().text("integrity_check").unwrap(), "ok");
    let rows = store
        .read(Statement::new("SELECT step FROM workflow_checkpoints"))
        .await;
    let rows = rows.unwrap();
    let steps = rows.iter().map(|row| row.text("step").unwrap().to_owned());
    let kept = steps.collect();
    store.close().await;
    kept
}
