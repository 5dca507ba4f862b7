//! One run of the suite.

use std::path::{Path, PathBuf};
use std::process::Command;
use tests::clients::{newer_node, suite_package};

/// What the suite runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Run<'a> {
    /// Everything a revision requires.
    Required(&'a str),
    /// One scenario in a revision.
    One(&'a str, &'a str),
    /// One scenario of an extension, which belongs to no revision.
    Extension(&'a str),
}

/// Runs the suite as a client of `url`; fails with what it printed.
pub(crate) fn check(url: &str, run: Run<'_>, expected_failures: Option<&Path>) {
    let results = tempfile::tempdir().unwrap();
    let mut suite = Command::new(newer_node());
    suite
        .arg(suite_package("@modelcontextprotocol/conformance").join("dist/index.js"))
        .args(["server", "--url", url, "-o"])
        .arg(results.path());
    match run {
        Run::Required(revision) => suite.args(["--requirements", revision]),
        Run::One(scenario, revision) => {
            suite.args(["--scenario", scenario, "--spec-version", revision])
        }
        Run::Extension(scenario) => suite.args(["--scenario", scenario]),
    };
    if let Some(list) = expected_failures {
        suite.arg("--expected-failures").arg(list);
    }
    let output = suite.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{run:?} through {url}:\n{said}\n{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        failures(results.path())
    );
}

/// Runs the suite as the servers behind the hub at `hub`; fails with what it printed.
pub(crate) fn check_client(hub: &str, key: &str, run: Run<'_>) {
    let results = tempfile::tempdir().unwrap();
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/conformance_host.mjs");
    let command = format!("{} {}", newer_node().display(), host.display());
    let mut suite = Command::new(newer_node());
    suite
        .arg(suite_package("@modelcontextprotocol/conformance").join("dist/index.js"))
        .args(["client", "--command", &command, "--timeout", "60000", "-o"])
        .arg(results.path())
        .envs([("WAYGATE_URL", hub), ("WAYGATE_KEY", key)]);
    match run {
        Run::Required(revision) => suite.args(["--requirements", revision]),
        Run::One(scenario, revision) => {
            suite.args(["--scenario", scenario, "--spec-version", revision])
        }
        Run::Extension(scenario) => suite.args(["--scenario", scenario]),
    };
    let output = suite.output().unwrap();
    assert!(
        output.status.success(),
        "{run:?} with {hub} as client:\n{}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        failures(results.path())
    );
}

/// The failed checks of a run, from its result files.
fn failures(results: &Path) -> String {
    let mut told = String::new();
    let mut folders: Vec<PathBuf> = entries(results);
    folders.sort();
    for folder in folders {
        let Ok(text) = std::fs::read_to_string(folder.join("checks.json")) else {
            continue;
        };
        let checks: serde_json::Value = serde_json::from_str(&text).unwrap();
        for check in checks.as_array().into_iter().flatten() {
            if check["status"] == "FAILURE" {
                let (id, why) = (&check["id"], &check["errorMessage"]);
                told.push_str(&format!("{}: {id}: {why}\n", folder.display()));
            }
        }
    }
    told
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
