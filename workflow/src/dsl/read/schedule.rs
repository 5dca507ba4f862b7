//! Reads `schedule`.
//!
//! Whether a time zone exists is known to whoever has the zones.

use super::fields::{Node, Reader};
use crate::dsl::model::{Overlap, Schedule};

/// Fields of a cron expression with their ranges; seconds are left out of the usual five.
const CRON: &[(&str, u32, u32)] = &[
    ("second", 0, 59),
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day", 1, 31),
    ("month", 1, 12),
    ("weekday", 0, 7),
];
const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const OVERLAPS: &[(&str, Overlap)] = &[
    ("skip", Overlap::Skip),
    ("queue", Overlap::Queue),
    ("cancelOld", Overlap::CancelOld),
    ("allow", Overlap::Allow),
];

impl Reader<'_> {
    pub(super) fn schedule(
        &mut self,
        node: &Node<'_>,
        metadata: Option<&Node<'_>>,
    ) -> Option<Schedule> {
        let fields = self.fields(node, &["every", "cron", "after", "on"])?;
        if fields.map.is_empty() {
            let message = "the schedule never starts; it needs every, cron, after or on";
            self.complain("empty", &node.pointer, message);
        }
        let mut schedule = Schedule {
            every: self.length_of(fields.get("every").as_ref()),
            cron: fields.get("cron").and_then(|it| self.cron(&it)),
            after: self.length_of(fields.get("after").as_ref()),
            on: fields.get("on").and_then(|it| self.consumption(&it)),
            ..Schedule::default()
        };
        let hub = metadata.and_then(|it| self.object(it)?.get("hub"));
        let more = hub.and_then(|it| self.object(&it)?.get("schedule"));
        if let Some(more) = more {
            let fields = self.fields(&more, &["timeZone", "overlap", "catchUp", "jitter"])?;
            schedule.time_zone = fields.get("timeZone").and_then(|it| self.time_zone(&it));
            schedule.overlap = fields
                .get("overlap")
                .and_then(|it| self.word(&it, OVERLAPS));
            schedule.catch_up = self.length_of(fields.get("catchUp").as_ref());
            schedule.jitter = self.length_of(fields.get("jitter").as_ref());
        }
        Some(schedule)
    }

    fn time_zone(&mut self, node: &Node<'_>) -> Option<String> {
        let text = self.text(node)?;
        let fits = !text.is_empty()
            && text
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || "_+-/".contains(it));
        if !fits {
            let message = format!("{text:?} is no time zone; write Europe/Berlin");
            self.complain("bad_time_zone", &node.pointer, message);
            return None;
        }
        Some(text.to_owned())
    }

    fn cron(&mut self, node: &Node<'_>) -> Option<String> {
        let text = self.text(node)?;
        if let Err(reason) = cron(text) {
            let message = format!("{text:?} is no cron expression: {reason}");
            self.complain("bad_cron", &node.pointer, message);
            return None;
        }
        Some(text.to_owned())
    }
}

/// Whether a text is a cron expression of five fields, or six with seconds first.
fn cron(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let skipped = match parts.len() {
        5 => 1,
        6 => 0,
        other => return Err(format!("it has {other} fields instead of 5 or 6")),
    };
    for (part, (name, least, most)) in parts.iter().zip(CRON.iter().skip(skipped)) {
        for item in part.split(',') {
            if !cron_item(item, name, *least, *most) {
                return Err(format!("{item:?} is no {name}"));
            }
        }
    }
    Ok(())
}

fn cron_item(item: &str, name: &str, least: u32, most: u32) -> bool {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    let step_fits =
        step.is_none_or(|it| it.parse::<u32>().is_ok_and(|it| (1..=most).contains(&it)));
    let value = |text: &str| match name {
        "month" => position(MONTHS, text).map(|it| it + 1),
        "weekday" => position(DAYS, text),
        _ => None,
    };
    let value = |text: &str| value(text).or_else(|| text.parse::<u32>().ok());
    let inside = |it: Option<u32>| it.filter(|it| (least..=most).contains(it));
    let range_fits = match range.split_once('-') {
        _ if range == "*" => true,
        Some((from, to)) => {
            let (from, to) = (inside(value(from)), inside(value(to)));
            from.zip(to).is_some_and(|(from, to)| from <= to)
        }
        None => inside(value(range)).is_some(),
    };
    step_fits && range_fits
}

fn position(names: &[&str], text: &str) -> Option<u32> {
    let found = names.iter().position(|it| it.eq_ignore_ascii_case(text))?;
    u32::try_from(found).ok()
}

#[cfg(test)]
mod tests {
    use super::cron;

    #[test]
    fn cron_expressions_are_judged() {
        for right in [
            "0 0 * * *",
            "*/5 * * * *",
            "0 9-17 * * mon-fri",
            "0 0 1,15 jan *",
            "30 0 0 * * 7",
            "5/10 * * * *",
        ] {
            assert_eq!(cron(right), Ok(()), "{right}");
        }
        for wrong in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *",
            "x * * * *",
            "* * * * * * *",
            "1- * * * *",
            ", * * * *",
        ] {
            assert!(cron(wrong).is_err(), "{wrong}");
        }
    }
}
