//! The conformance features of the workflow standard, unedited, through the interpreter and the hub's
//! own executors.
//!
//! The hosts the features name are answered by a stand-in on loopback; only the test's web knows that.
//! Stores, restarts and tools of the hub are tested elsewhere.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod driver;
mod feature;
mod stand_in;
mod step;

use driver::Driver;
use feature::{Scenario, Step};
use stand_in::StandIn;
use std::path::{Path, PathBuf};

/// Scenarios that are not run, with the reason. None at present.
const UNSUPPORTED: &[(&str, &str)] = &[];

/// Every scenario of every feature is run, or listed with a reason.
///
/// Acceptance: 67, 68
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_passes_or_is_listed() {
    let stand_in = StandIn::start().await;
    let driver = Driver::new(&stand_in);
    let mut passed = 0;
    let mut failures = Vec::new();
    for scenario in scenarios() {
        if UNSUPPORTED.iter().any(|(name, _)| *name == scenario.name) {
            continue;
        }
        match step::play(&scenario, &driver).await {
            Ok(()) => passed += 1,
            Err(failure) => failures.push(format!("{}: {failure}", scenario.name)),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(passed + UNSUPPORTED.len(), 21);
}

/// A scenario whose expectation is wrong fails: the steps judge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_expectations_are_noticed() {
    let stand_in = StandIn::start().await;
    let driver = Driver::new(&stand_in);
    let mut noticed = 0;
    for mut scenario in scenarios() {
        let judging = |step: &&mut Step| step.text.starts_with("the workflow should");
        for step in scenario.steps.iter_mut().filter(judging) {
            let opposite = match step.text.contains("fault") {
                true => "the workflow should complete",
                false => "the workflow should fault",
            };
            opposite.clone_into(&mut step.text);
            step.block = None;
        }
        noticed += usize::from(step::play(&scenario, &driver).await.is_err());
    }
    assert_eq!(noticed, 21);
}

fn scenarios() -> Vec<Scenario> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    let root = std::env::var_os("WAYGATE_CORPORA").map_or_else(default, PathBuf::from);
    let folder = root.join("serverless-workflow/ctk/features");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "the conformance features of the workflow standard are missing: {}: {error}; set \
             WAYGATE_CORPORA",
            folder.display()
        )
    });
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let texts = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap());
    texts.flat_map(|text| feature::scenarios(&text)).collect()
}
