//! When to try again. Chance is drawn from the key of the step, so that every replay draws the same.

use super::super::path::TaskPath;
use super::super::problem::Problem;
use super::super::state::{Calling, Step};
use super::Machine;
use crate::dsl::model::{Backoff, Retry, Try};
use jiff::Timestamp;
use std::time::Duration;

impl Machine<'_> {
    /// When the next turn of a `try` begins; `None` when there is none.
    pub(super) fn next_turn(
        &self,
        path: &TaskPath,
        of: &Try,
        problem: &Problem,
    ) -> Result<Option<Timestamp>, Problem> {
        let Some(retry) = &of.catch.retry else {
            return Ok(None);
        };
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(None);
        };
        let Step::Try(state) = &frame.step else {
            return Ok(None);
        };
        let conditions = [(&retry.when, true), (&retry.except_when, false)];
        if !self.conditions(path, of, problem, conditions)? {
            return Ok(None);
        }
        let most = self.state.settings.limits.retry.attempts.saturating_sub(1);
        if state.turns >= retry.limit.attempts.unwrap_or(most) {
            return Ok(None);
        }
        let delay = self.delay(path, retry, state.turns + 1)?;
        let at = self.later(delay);
        if let Some(total) = &retry.limit.total {
            let total = self.length(path, total, &frame.input)?;
            if at.duration_since(state.first).unsigned_abs() > total {
                return Ok(None);
            }
        }
        Ok(Some(at))
    }

    /// The wait before turn `turn`, counted from 1.
    fn delay(&self, path: &TaskPath, retry: &Retry, turn: u32) -> Result<Duration, Problem> {
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(Duration::ZERO);
        };
        let input = &frame.input;
        let length = |length| self.length(path, length, input);
        let first = retry
            .delay
            .as_ref()
            .map(length)
            .transpose()?
            .unwrap_or_default();
        let hub = self.task(path).map(|task| &task.common.hub);
        let wait = match retry.backoff {
            Backoff::Constant => first,
            Backoff::Linear => first.saturating_mul(turn),
            Backoff::Exponential => {
                let factor = hub.and_then(|hub| hub.backoff_factor).unwrap_or(2_000);
                let longest = hub
                    .and_then(|hub| hub.max_delay.as_ref())
                    .map(length)
                    .transpose()?;
                let longest = longest.unwrap_or_else(|| first.saturating_mul(100));
                grown(first, factor, turn, longest)
            }
        };
        let Some(jitter) = &retry.jitter else {
            return Ok(wait);
        };
        let (from, to) = (length(&jitter.from)?, length(&jitter.to)?);
        let draw = format!("{}:{path}~{turn}", self.state.id);
        Ok(wait
            .saturating_add(from)
            .saturating_add(part(&draw, to.saturating_sub(from))))
    }

    /// When a call that failed for now is tried again by itself; `None` when it was tried enough.
    pub(super) fn next_try(
        &self,
        path: &TaskPath,
        calling: &Calling,
        wish: Option<Duration>,
    ) -> Option<Timestamp> {
        let rules = &self.state.settings.limits.retry;
        if calling.tries >= rules.attempts {
            return None;
        }
        let wait = grown(rules.first, 2_000, calling.tries.max(1), rules.longest);
        let wait = part(&self.key(path, calling.attempt), wait).max(wish.unwrap_or_default());
        let at = self.later(wait);
        let spent = at.duration_since(calling.first).unsigned_abs();
        (spent <= rules.total).then_some(at)
    }
}

/// `first` grown `turn - 1` times by `factor` thousandths, at most `longest`.
fn grown(first: Duration, factor: u32, turn: u32, longest: Duration) -> Duration {
    let mut wait = first;
    for _ in 1..turn {
        if wait >= longest {
            break;
        }
        wait = wait.saturating_mul(factor) / 1_000;
    }
    wait.min(longest)
}

/// A part of `whole`, evenly spread, the same for the same `draw`.
fn part(draw: &str, whole: Duration) -> Duration {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in draw.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // FNV leaves the high bits of short texts alike; one round of mixing spreads them.
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    let nanos = (u128::from(hash) * (whole.as_nanos() + 1)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{grown, part};
    use std::time::Duration;

    #[test]
    fn waits_grow_up_to_the_longest() {
        let second = Duration::from_secs(1);
        let waits: Vec<_> = (1..=5)
            .map(|turn| grown(second, 2_000, turn, second * 10))
            .collect();
        assert_eq!(
            waits.iter().map(Duration::as_secs).collect::<Vec<_>>(),
            [1, 2, 4, 8, 10]
        );
    }

    #[test]
    fn chance_is_spread_and_the_same_every_time() {
        let whole = Duration::from_secs(100);
        let draws: Vec<_> = (0..1_000)
            .map(|n| part(&format!("run:/do/0/a#{n}"), whole))
            .collect();
        assert!(draws.iter().all(|draw| *draw <= whole));
        let mean = draws.iter().sum::<Duration>() / 1_000;
        assert!(
            mean > Duration::from_secs(45) && mean < Duration::from_secs(55),
            "{mean:?}"
        );
        assert_eq!(draws[7], part("run:/do/0/a#7", whole));
    }
}
