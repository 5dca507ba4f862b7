//! Cron expressions: when the next one is due, on the clock on the wall of a time zone.
//!
//! Five fields (minute, hour, day of month, month, day of week) or six with seconds in front; `*`,
//! lists, ranges, steps, and names of months and days. When both day fields are restricted either one
//! suffices, as cron has always had it. A time that a change to summer time skips is due right after the
//! gap; one that occurs twice is due once, the first time, unless it is due every hour. Pure; schedules are
//! kept elsewhere.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Days searched for the next date: a leap day can be eight years away.
const HORIZON_DAYS: u32 = 366 * 9;
/// A bit for each hour.
const EVERY_HOUR: u64 = (1 << 24) - 1;
const HOUR_SECONDS: i64 = 3600;

/// A cron expression, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

/// Why a text is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCron {
    /// Not five or six fields.
    #[error("a cron expression has five fields, or six with seconds, not {0}")]
    Fields(usize),
    /// A field cannot be read.
    #[error("{field}: {text:?} is not within {from} to {to}")]
    Field {
        /// Its name.
        field: &'static str,
        /// The part that cannot be read.
        text: String,
        /// Least value.
        from: u8,
        /// Greatest value.
        to: u8,
    },
    /// No date fits, such as 31 February.
    #[error("no date ever fits the expression")]
    Never,
}

/// What one field may hold.
struct Field {
    name: &'static str,
    from: u8,
    to: u8,
    words: &'static [&'static str],
}

const SECOND: Field = Field::plain("second", 0, 59);
const MINUTE: Field = Field::plain("minute", 0, 59);
const HOUR: Field = Field::plain("hour", 0, 23);
const DAY: Field = Field::plain("day of month", 1, 31);
const MONTH: Field = Field {
    name: "month",
    from: 1,
    to: 12,
    words: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
const WEEKDAY: Field = Field {
    name: "day of week",
    from: 0,
    to: 7,
    words: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`InvalidCron`] names the field.
    pub fn parse(text: &str) -> Result<Self, InvalidCron> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (second, rest) = match fields.as_slice() {
            [second, rest @ ..] if rest.len() == 5 => (*second, rest),
            rest if rest.len() == 5 => ("0", rest),
            other => return Err(InvalidCron::Fields(other.len())),
        };
        let [minute, hour, day, month, weekday] = rest else {
            return Err(InvalidCron::Fields(fields.len()));
        };
        let mut weekdays = WEEKDAY.read(weekday)?;
        if weekdays & (1 << 7) != 0 {
            weekdays |= 1;
        }
        let cron = Self {
            seconds: SECOND.read(second)?,
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: DAY.read(day)?,
            months: MONTH.read(month)?,
            weekdays,
            any_day: day.starts_with('*'),
            any_weekday: weekday.starts_with('*'),
        };
        if cron.after(Timestamp::UNIX_EPOCH, &TimeZone::UTC).is_none() {
            return Err(InvalidCron::Never);
        }
        Ok(cron)
    }

    /// The first moment after `moment` that fits; `None` when there is none within nine years.
    #[must_use]
    pub fn after(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.hours == EVERY_HOUR {
            return self.hourly_after(moment, zone);
        }
        let start = zone.to_datetime(moment);
        let mut date = start.date();
        // A local time that fits may be due later than it says (it was skipped) or not at all after
        // `moment` (it occurs twice): what counts is the moment it stands for.
        let mut earliest = start.time();
        for _ in 0..HORIZON_DAYS {
            if self.fits_date(date)
                && let Some(found) = self.on(date, earliest, moment, zone)
            {
                return Some(found);
            }
            date = date.checked_add(1.day()).ok()?;
            earliest = Time::midnight();
        }
        None
    }

    /// Hour after hour as they pass, whatever the clock on the wall is set to.
    fn hourly_after(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let whole = Timestamp::from_second(moment.as_second()).ok()?;
        let mut from = whole.checked_add(1.second()).ok()?;
        for _ in 0..HORIZON_DAYS * 24 {
            let local = zone.to_datetime(from);
            let time = local.time();
            let passed = seconds_of(time);
            let found = self.fits_date(local.date()).then(|| self.time_from(time));
            if let Some(found) = found.flatten()
                && found.hour() == time.hour()
            {
                return from
                    .checked_add((seconds_of(found) - passed).seconds())
                    .ok();
            }
            let rest = HOUR_SECONDS - passed % HOUR_SECONDS;
            from = from.checked_add(rest.seconds()).ok()?;
        }
        None
    }

    fn on(
        &self,
        date: Date,
        earliest: Time,
        moment: Timestamp,
        zone: &TimeZone,
    ) -> Option<Timestamp> {
        let mut from = earliest;
        loop {
            let time = self.time_from(from)?;
            let due = zone
                .to_ambiguous_zoned(DateTime::from_parts(date, time))
                .compatible();
            if let Ok(due) = due
                && due.timestamp() > moment
            {
                return Some(due.timestamp());
            }
            from = time.checked_add(1.second()).ok()?;
        }
    }

    fn fits_date(&self, date: Date) -> bool {
        let month = holds(self.months, date.month());
        let day = holds(self.days, date.day());
        let weekday = holds(self.weekdays, date.weekday().to_sunday_zero_offset());
        let either = match (self.any_day, self.any_weekday) {
            (false, false) => day || weekday,
            _ => day && weekday,
        };
        month && either
    }

    /// The first time of a day that fits, not before `from`.
    fn time_from(&self, from: Time) -> Option<Time> {
        let hours = (from.hour()..24).filter(|hour| holds(self.hours, *hour));
        let mut times = hours.filter_map(|hour| {
            let least = if hour == from.hour() {
                (from.minute(), from.second())
            } else {
                (0, 0)
            };
            let (minute, second) = self.minute_from(least)?;
            Time::new(hour, minute, second, 0).ok()
        });
        times.next()
    }

    /// The first minute and second of an hour that fit, not before these.
    fn minute_from(&self, (from, from_second): (i8, i8)) -> Option<(i8, i8)> {
        let minutes = (from..60).filter(|minute| holds(self.minutes, *minute));
        let mut found = minutes.filter_map(|minute| {
            let least = if minute == from { from_second } else { 0 };
            let second = (least..60).find(|second| holds(self.seconds, *second))?;
            Some((minute, second))
        });
        found.next()
    }
}

fn seconds_of(time: Time) -> i64 {
    i64::from(time.hour()) * HOUR_SECONDS + i64::from(time.minute()) * 60 + i64::from(time.second())
}

fn holds(set: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| set & (1 << value) != 0)
}

impl Field {
    const fn plain(name: &'static str, from: u8, to: u8) -> Self {
        Self {
            name,
            from,
            to,
            words: &[],
        }
    }

    /// A set of values, a bit each.
    fn read(&self, text: &str) -> Result<u64, InvalidCron> {
        let mut set = 0;
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, self.number(step, part, 1)?),
                None => (part, 1),
            };
            let (from, to) = match range.split_once('-') {
                Some((from, to)) => (self.value(from)?, self.value(to)?),
                None if range == "*" || range == "?" => (self.from, self.whole()),
                None if part.contains('/') => (self.value(range)?, self.whole()),
                None => (self.value(range)?, self.value(range)?),
            };
            if from > to || step == 0 {
                return Err(self.wrong(part));
            }
            for value in (from..=to).step_by(usize::from(step)) {
                set |= 1 << value;
            }
        }
        Ok(set)
    }

    /// The last value of `*`; 7 is another word for Sunday.
    fn whole(&self) -> u8 {
        if self.to == 7 { 6 } else { self.to }
    }

    fn value(&self, text: &str) -> Result<u8, InvalidCron> {
        let word = text.to_ascii_lowercase();
        if let Some(at) = self.words.iter().position(|known| *known == word) {
            return u8::try_from(at)
                .map(|at| at + self.from)
                .or(Err(self.wrong(text)));
        }
        self.number(text, text, self.from)
    }

    fn number(&self, text: &str, part: &str, least: u8) -> Result<u8, InvalidCron> {
        let number = text
            .parse()
            .ok()
            .filter(|value| (least..=self.to).contains(value));
        number.ok_or_else(|| self.wrong(part))
    }

    fn wrong(&self, text: &str) -> InvalidCron {
        InvalidCron::Field {
            field: self.name,
            text: text.to_owned(),
            from: self.from,
            to: self.to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cron: &str, zone: &str, after: &str, expected: &[&str]) {
        let zone = TimeZone::get(zone).unwrap();
        let cron = Cron::parse(cron).unwrap();
        let mut moment: Timestamp = after.parse().unwrap();
        for expected in expected {
            moment = cron.after(moment, &zone).unwrap();
            assert_eq!(moment.to_string(), *expected);
        }
    }

    #[test]
    fn fields_are_lists_ranges_steps_and_names() {
        check(
            "*/15 9-10 * * mon-fri",
            "UTC",
            "2026-11-20T10:40:00Z",
            &["2026-11-20T10:45:00Z", "2026-11-23T09:00:00Z"],
        );
        check(
            "30 0 0 1 jan,jul *",
            "UTC",
            "2026-02-01T00:00:00Z",
            &["2026-07-01T00:00:30Z", "2027-01-01T00:00:30Z"],
        );
        check(
            "0 0 29 2 *",
            "UTC",
            "2026-01-01T00:00:00Z",
            &["2028-02-29T00:00:00Z"],
        );
        check(
            "0 12 * * 7",
            "UTC",
            "2026-11-21T12:00:00Z",
            &["2026-11-22T12:00:00Z"],
        );
    }

    #[test]
    fn either_day_field_suffices_when_both_are_restricted() {
        check(
            "0 0 13 * fri",
            "UTC",
            "2026-11-01T00:00:00Z",
            &[
                "2026-11-06T00:00:00Z",
                "2026-11-13T00:00:00Z",
                "2026-11-20T00:00:00Z",
            ],
        );
    }

    #[test]
    fn a_time_that_summer_time_skips_is_due_right_after_the_gap() {
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            &["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"],
        );
    }

    #[test]
    fn a_time_that_occurs_twice_is_due_once() {
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
        check(
            "0 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:00:00Z",
            &["2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"],
        );
    }

    #[test]
    fn nonsense_is_refused_with_the_field() {
        let refused = |text: &str| Cron::parse(text).unwrap_err().to_string();
        assert!(refused("* * * *").contains("five fields"));
        assert!(refused("61 * * * *").starts_with("minute"));
        assert!(refused("* 5-3 * * *").starts_with("hour"));
        assert!(refused("* * * foo *").starts_with("month"));
        assert!(refused("*/0 * * * *").starts_with("minute"));
        assert_eq!(Cron::parse("0 0 31 2 *"), Err(InvalidCron::Never));
    }
}
