//! The benchmark measures a real hub and leaves nothing behind.

use serde_json::Value;

#[test]
fn calls_are_measured_through_a_hub_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    #[expect(clippy::disallowed_methods, reason = "runs the program under test")]
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_waygate"))
        .args([
            "--json",
            "bench",
            "calls",
            "--seconds",
            "1",
            "--connections",
            "4",
        ])
        .args(["--rate", "20"])
        .env_clear()
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = seen["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4);
    for run in runs {
        assert!(run["calls"].as_u64().unwrap() > 0, "{run}");
        assert_eq!(run["failures"], 0, "{run}");
        assert!(run["p50_us"].as_f64().unwrap() > 0.0);
    }
    assert!(runs[1]["hub_cpu_us_per_call"].as_f64().unwrap() > 0.0);
    assert!(runs[1]["hub_resident_bytes"].as_u64().unwrap() > 1_000_000);
    assert_eq!(runs[0]["hub_cpu_us_per_call"], Value::Null);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the folder of the benchmark is removed");
}
