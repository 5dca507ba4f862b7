//! Every definition is crashed at every boundary, then at random pairs of boundaries under random
//! orders of events. A failure names the one run that shows it.

use crate::definitions::{Case, all};
use workflow::simulator::Report;

/// Random schedules per definition, besides the exhaustive ones.
const SCHEDULES: u64 = 2_400;

/// Runs it and compares with the run that did not crash.
fn check(case: &Case, truth: &Report, seed: u64, crashes: &[u32]) {
    let replay = format!("{} with seed {seed} and crashes {crashes:?}", case.name);
    let report = case
        .run(seed, crashes)
        .unwrap_or_else(|wrong| panic!("{replay}: {}", wrong.0));
    assert_eq!(report.ending, truth.ending, "{replay}: another ending");
    assert_eq!(report.effects, truth.effects, "{replay}: other effects");
    assert_eq!(report.emitted, truth.emitted, "{replay}: other events");
}

/// Acceptance: 71, 348
#[test]
fn no_crash_loses_a_run_or_repeats_what_may_happen_once() {
    let mut schedules = 0_u64;
    let cases = all();
    assert!(cases.len() >= 30);
    for case in &cases {
        let truth = case
            .run(0, &[])
            .unwrap_or_else(|wrong| panic!("{}: {}", case.name, wrong.0));
        assert!(
            truth.effects.keys().all(|line| !line.starts_with("TWICE")),
            "{}",
            case.name
        );
        for boundary in 1..=truth.boundaries {
            check(case, &truth, 0, &[boundary]);
        }
        for seed in 1..=SCHEDULES {
            // A spread of pairs, the second counted after the first; the run itself draws by the seed.
            let first = u32::try_from(seed * 7 % u64::from(truth.boundaries)).unwrap() + 1;
            let second = first + u32::try_from(seed * 13 % 23).unwrap();
            check(case, &truth, seed, &[first, second]);
        }
        schedules += u64::from(truth.boundaries) + SCHEDULES;
    }
    assert!(schedules >= 100_000, "only {schedules} schedules");
}
