//! What became of the runs: those in doubt are settled by what the spoke wrote down, then everything is
//! counted.

use crate::effects::Effects;
use crate::load::{Load, rests};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// Steps that must not be repeated.
const ONCE: [&str; 3] = ["bare", "change", "asked"];
/// Steps that may.
const AGAIN: [&str; 4] = ["put", "look", "putAgain", "lookAgain"];
/// How long a run may take from a settlement to its next rest.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a run.
const PACE: Duration = Duration::from_millis(200);
/// Runs settled at the same time.
const AT_ONCE: usize = 48;

/// The count.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Runs that could not be completed, with how they stand.
    pub(crate) lost: Vec<String>,
    /// Steps that must not be repeated and were, or never took place in a completed run.
    pub(crate) wrong: Vec<String>,
    /// Steps in doubt that had taken place.
    pub(crate) took_place: usize,
    /// Steps in doubt that had not.
    pub(crate) did_not: usize,
    /// Effects of steps that may be repeated, beyond the first.
    pub(crate) repeated: usize,
    /// All effects.
    pub(crate) effects: usize,
}

impl Verdict {
    /// Settles and counts.
    pub(crate) async fn of(load: &Load, effects: &Effects, ids: &BTreeMap<String, String>) -> Self {
        let mut verdict = Self::default();
        let all = stream::iter(ids).map(|run| settled(load, effects, run));
        let ends: Vec<Settled> = all.buffer_unordered(AT_ONCE).collect().await;
        for end in ends {
            if end.run["status"] != "completed" {
                verdict.lost.push(end.run.to_string());
            }
            verdict.took_place += end.took_place;
            verdict.did_not += end.did_not;
        }
        let written = effects.read();
        verdict.effects = written.len();
        let mut times: HashMap<(&str, &str), usize> = HashMap::new();
        for line in &written {
            let place = (
                line["run"].as_str().unwrap(),
                line["step"].as_str().unwrap(),
            );
            *times.entry(place).or_default() += 1;
        }
        for name in ids.keys() {
            let of = |step| times.get(&(name.as_str(), step)).copied().unwrap_or(0);
            let wrong = ONCE.iter().filter(|step| of(step) != 1);
            let wrong = wrong.chain(AGAIN.iter().filter(|step| of(step) == 0));
            verdict
                .wrong
                .extend(wrong.map(|step| format!("{name}/{step}: {} times", of(step))));
            let more = AGAIN.iter().map(|step| of(step).saturating_sub(1));
            verdict.repeated += more.sum::<usize>();
        }
        verdict
    }

    /// # Panics
    /// When something was lost or repeated.
    pub(crate) fn assert(&self, log: &str) {
        assert!(self.lost.is_empty(), "lost: {:#?}\n{log}", self.lost);
        assert!(self.wrong.is_empty(), "wrong: {:#?}\n{log}", self.wrong);
    }
}

/// A run at its end.
#[derive(Default)]
struct Settled {
    run: Value,
    took_place: usize,
    did_not: usize,
}

/// Follows a run to its end and settles every step in doubt on the way.
async fn settled(load: &Load, effects: &Effects, (name, id): (&String, &String)) -> Settled {
    let deadline = Instant::now() + PATIENCE;
    let mut settled = Settled::default();
    loop {
        settled.run = load.show(id).await.unwrap_or_default();
        if settled.run["phase"] == "suspended" {
            settled.settle(load, effects, (name, id)).await;
        } else if rests(&settled.run) || Instant::now() > deadline {
            return settled;
        }
        tokio::time::sleep(PACE).await;
    }
}

impl Settled {
    async fn settle(&mut self, load: &Load, effects: &Effects, (name, id): (&str, &str)) {
        let steps = self.run["steps"].as_array().unwrap().iter();
        for step in steps.filter(|step| step["status"] == "unknown") {
            let took_place = effects.times(name, step["name"].as_str().unwrap()) > 0;
            let resolution = if took_place { "assume_done" } else { "retry" };
            let order = json!({
                "path": step["path"], "resolution": resolution, "output": {"ran": true},
                "reason": "the spoke's own record says so",
            });
            let path = format!("/api/workflows/{id}/resume");
            // An answer that does not come is asked for again, once the run has been looked at.
            let Some((status, answer)) = load.post(&path, &order).await else {
                return;
            };
            assert!([200, 409].contains(&status), "{status} {answer}");
            self.took_place += usize::from(took_place);
            self.did_not += usize::from(!took_place);
        }
    }
}
