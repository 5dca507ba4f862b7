//! A real hub killed again and again while runs are on their way, before a spoke that writes down every
//! effect.
//!
//! The same with a disk that is full for a while. Power cuts are tried elsewhere. How many kills and runs
//! there are is said by `CRASH_KILLS` and `CRASH_RUNS`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails, and a long one says what it saw"
)]

mod effects;
mod first;
mod full;
mod load;
mod verdict;

use effects::{SERVICE, Spoke};
use load::Load;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tests::ground::Ground;
use tests::stack::Stack;
use tokio::time::Instant;
use verdict::Verdict;

const KILLS: usize = 60;
const RUNS: usize = 500;
/// A hub lives this long after it is ready, in milliseconds.
const LEAST_LIFE: usize = 100;
const LIVES: usize = 900;
/// Steps through all lives before one comes again.
const STRIDE: usize = 461;

/// Acceptance: 70, 71, 348
#[tokio::test(flavor = "multi_thread")]
async fn no_kill_loses_a_run_or_repeats_an_effect() {
    let (mut stack, spoke) = installation(&[]).await;
    let load = Load::new(&stack.url, &stack.agent, number("CRASH_RUNS", RUNS));
    load.until_tools_are_known().await;
    let clients = tokio::spawn(Arc::clone(&load).run());
    let begun = Instant::now();
    let mut restarts = Vec::new();
    for kill in 0..number("CRASH_KILLS", KILLS) {
        let life = LEAST_LIFE + kill * STRIDE % LIVES;
        tokio::time::sleep(Duration::from_millis(life.try_into().unwrap())).await;
        let dead = Instant::now();
        tokio::task::block_in_place(|| stack.crash_hub());
        restarts.push(dead.elapsed());
    }
    load.stop();
    println!("killed for {:?}", begun.elapsed());
    let ids = clients.await.unwrap();
    println!("every run rests after {:?}", begun.elapsed());
    let verdict = Verdict::of(&load, &spoke.effects, &ids).await;
    restarts.sort();
    println!(
        "{:?}; {} kills, {} runs; restart p50 {:?}, max {:?}; {verdict:?}",
        begun.elapsed(),
        restarts.len(),
        ids.len(),
        restarts[restarts.len() / 2],
        restarts.last()
    );
    verdict.assert(&stack.hub.log());
}

/// A hub before the spoke, with more settings.
async fn installation(extra: &[(String, String)]) -> (Stack, Spoke) {
    let extra = extra
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let mut ground = Ground::prepare(&extra.collect::<Vec<_>>());
    lift_limits(ground.environment());
    let spoke = Spoke::start(ground.environment()).await;
    ground.offer(SERVICE.name, SERVICE.namespaces, &spoke.url());
    (tokio::task::block_in_place(|| ground.open()), spoke)
}

/// How often somebody may ask is the matter of other tests.
fn lift_limits(environment: &[(String, String)]) {
    let base = environment
        .iter()
        .find(|(name, _)| name == "WAYGATE_BASE_DIR");
    let folder = std::path::Path::new(&base.unwrap().1).join("config");
    let limits = json!({"limits": {
        "execute_per_minute": 0, "ip_per_minute": 0, "endpoint_per_minute": 0,
        "user_per_minute": 0, "organization_per_minute": 0, "organization_per_hour": 0,
        "organization_per_day": 0,
    }});
    std::fs::write(folder.join("development.yaml"), limits.to_string()).unwrap();
}

fn number(name: &str, otherwise: usize) -> usize {
    let text = std::env::var(name);
    text.map_or(otherwise, |text| text.parse().unwrap())
}
