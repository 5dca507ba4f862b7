//! When a schedule is due: read from its document, kept as JSON. Pure.
//!
//! Every date is put off by the same time, which is the schedule's own: schedules of the same beat do not
//! start all at once, and each keeps its beat.

use super::super::WorkflowError;
use super::super::cron::Cron;
use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use workflow::dsl::model::{Length, Overlap, Schedule};

/// How late a start is still made up for, unless the document says otherwise.
const CATCH_UP: Duration = Duration::from_mins(1);
/// How far dates may be put off, unless the document says otherwise.
const JITTER: Duration = Duration::from_secs(10);
/// An interval is put off by this part of itself at most.
const SHARE: u64 = 10;
/// Shortest interval.
const LEAST: Duration = Duration::from_secs(1);

/// When a schedule is due, and what happens when it cannot start then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) when: When,
    /// IANA time zone.
    pub(super) zone: String,
    pub(super) overlap: Overlapping,
    pub(super) catch_up_ms: u64,
    /// Every date is put off by this.
    #[serde(default)]
    pub(super) jitter_ms: u64,
}

/// When.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum When {
    Cron(String),
    EveryMs(u64),
    /// So long after the end of the last run.
    AfterMs(u64),
}

/// What happens when a run is due while one is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Overlapping {
    Skip,
    Queue,
    CancelOld,
    Allow,
}

impl Rule {
    /// What a document says, for the schedule with this id.
    pub(super) fn of(schedule: Option<&Schedule>, id: &str) -> Result<Self, WorkflowError> {
        let wrong = |rule: &str| WorkflowError::invalid("schedule", rule);
        let schedule = schedule.ok_or_else(|| wrong("the document has none"))?;
        let when = match (&schedule.cron, &schedule.every, &schedule.after) {
            (Some(cron), None, None) => When::Cron(cron.clone()),
            (None, Some(every), None) => When::EveryMs(fixed(every)?),
            (None, None, Some(after)) => When::AfterMs(fixed(after)?),
            (None, None, None) => {
                return Err(wrong(
                    "this hub starts nothing on events; use a listen task",
                ));
            }
            _ => return Err(wrong("one of cron, every and after")),
        };
        let catch_up = schedule.catch_up.as_ref().map(fixed).transpose()?;
        let most = match &schedule.jitter {
            Some(length) => length_ms(length, Duration::ZERO)?,
            None => millis(JITTER),
        };
        let rule = Self {
            jitter_ms: own_part(id, when.most_jitter(most)),
            when,
            zone: schedule.time_zone.clone().unwrap_or_else(|| "UTC".into()),
            overlap: schedule.overlap.map_or(Overlapping::Skip, overlapping),
            catch_up_ms: catch_up.unwrap_or_else(|| millis(CATCH_UP)),
        };
        if let When::Cron(cron) = &rule.when {
            Cron::parse(cron).map_err(|error| wrong(&error.to_string()))?;
        }
        TimeZone::get(&rule.zone).map_err(|error| wrong(&error.to_string()))?;
        Ok(rule)
    }

    /// The first moment after `now`, `due` being the last; `None` when the end of a run decides.
    pub(super) fn next(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match &self.when {
            When::Cron(cron) => {
                let zone = TimeZone::get(&self.zone).ok()?;
                let now = now.checked_sub(self.jitter()).ok()?;
                let next = Cron::parse(cron).ok()?.after(now, &zone)?;
                next.checked_add(self.jitter()).ok()
            }
            When::EveryMs(every) => {
                let every = i64::try_from(*every).ok()?.max(1);
                let passed = now.as_millisecond().saturating_sub(due.as_millisecond());
                let rounds = passed.div_euclid(every).saturating_add(1).max(1);
                let next = due
                    .as_millisecond()
                    .saturating_add(rounds.saturating_mul(every));
                Timestamp::from_millisecond(next).ok()
            }
            When::AfterMs(_) => None,
        }
    }

    /// When it is first due.
    pub(super) fn first(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.when {
            When::AfterMs(_) => self.after_end(now),
            When::EveryMs(_) => self.next(now, now)?.checked_add(self.jitter()).ok(),
            When::Cron(_) => self.next(now, now),
        }
    }

    /// When it is due, given the end of its last run; `None` when that does not decide.
    pub(super) fn after_end(&self, end: Timestamp) -> Option<Timestamp> {
        match &self.when {
            When::AfterMs(after) => {
                let after = after.saturating_add(self.jitter_ms);
                end.checked_add(Duration::from_millis(after)).ok()
            }
            _ => None,
        }
    }

    /// Whether a start that could be made since `due` is too late at `now`.
    pub(super) fn missed(&self, due: Timestamp, now: Timestamp) -> bool {
        let late = now.as_millisecond().saturating_sub(due.as_millisecond());
        u64::try_from(late).is_ok_and(|late| late > self.catch_up_ms)
    }

    const fn jitter(&self) -> Duration {
        Duration::from_millis(self.jitter_ms)
    }
}

impl When {
    /// How far dates are put off at most, when `most` is allowed.
    fn most_jitter(&self, most: u64) -> u64 {
        match self {
            Self::Cron(_) => most,
            Self::EveryMs(length) | Self::AfterMs(length) => most.min(*length / SHARE),
        }
    }
}

/// A number from 0 to `most` that is this schedule's own.
fn own_part(id: &str, most: u64) -> u64 {
    let digest = digest(&SHA256, id.as_bytes());
    let bytes = digest.as_ref().iter().take(8);
    let number = bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number.checked_rem(most.saturating_add(1)).unwrap_or(0)
}

fn overlapping(overlap: Overlap) -> Overlapping {
    match overlap {
        Overlap::Skip => Overlapping::Skip,
        Overlap::Queue => Overlapping::Queue,
        Overlap::CancelOld => Overlapping::CancelOld,
        Overlap::Allow => Overlapping::Allow,
    }
}

fn fixed(length: &Length) -> Result<u64, WorkflowError> {
    length_ms(length, LEAST)
}

fn length_ms(length: &Length, least: Duration) -> Result<u64, WorkflowError> {
    match length {
        Length::Fixed(length) if *length >= least => Ok(millis(*length)),
        _ => {
            let rule = format!("times are fixed and at least {} s", least.as_secs());
            Err(WorkflowError::invalid("schedule", rule))
        }
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(when: When) -> Rule {
        Rule {
            when,
            zone: "Europe/Berlin".into(),
            overlap: Overlapping::Skip,
            catch_up_ms: 60_000,
            jitter_ms: 0,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn intervals_keep_their_beat_over_a_downtime() {
        let hourly = rule(When::EveryMs(3_600_000));
        let due = at("2026-11-20T10:00:00Z");
        let next = hourly.next(due, at("2026-11-20T13:20:00Z"));
        assert_eq!(next, Some(at("2026-11-20T14:00:00Z")));
        assert_eq!(hourly.next(due, due), Some(at("2026-11-20T11:00:00Z")));
    }

    #[test]
    fn cron_is_on_the_wall_clock_of_its_zone() {
        let daily = rule(When::Cron("0 3 * * *".into()));
        let now = at("2026-03-28T12:00:00Z");
        assert_eq!(daily.next(now, now), Some(at("2026-03-29T01:00:00Z")));
    }

    #[test]
    fn a_start_is_missed_after_the_time_to_catch_up() {
        let any = rule(When::EveryMs(1000));
        let due = at("2026-11-20T10:00:00Z");
        assert!(!any.missed(due, at("2026-11-20T10:01:00Z")));
        assert!(any.missed(due, at("2026-11-20T10:01:01Z")));
    }

    #[test]
    fn every_date_is_put_off_by_the_same_time() {
        let mut daily = rule(When::Cron("0 3 * * *".into()));
        daily.jitter_ms = 7_000;
        let first = at("2026-11-20T02:00:07Z");
        assert_eq!(daily.first(at("2026-11-20T02:00:03Z")), Some(first));
        assert_eq!(daily.next(first, first), Some(at("2026-11-21T02:00:07Z")));
        let mut hourly = rule(When::EveryMs(3_600_000));
        hourly.jitter_ms = 7_000;
        let first = hourly.first(at("2026-11-20T10:00:00Z")).unwrap();
        assert_eq!(first, at("2026-11-20T11:00:07Z"));
        assert_eq!(hourly.next(first, first), Some(at("2026-11-20T12:00:07Z")));
    }

    #[test]
    fn schedules_of_one_beat_are_spread_within_what_is_allowed() {
        let parts: Vec<u64> = (0..200)
            .map(|it| own_part(&it.to_string(), 9_999))
            .collect();
        assert!(parts.iter().all(|part| *part < 10_000));
        for bucket in 0..5 {
            let own = parts.iter().filter(|part| *part / 2_000 == bucket);
            assert!(own.count() > 20, "{parts:?}");
        }
        assert_eq!(own_part("any", 0), 0);
        assert_eq!(When::EveryMs(1_000).most_jitter(10_000), 100);
    }
}
