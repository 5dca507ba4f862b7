//! A whole number that a setting bounds.

use serde::Deserialize;
use std::time::Duration;

/// A whole number from `LEAST` to `MOST`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct Bounded<const LEAST: u64, const MOST: u64>(u64);

impl<const LEAST: u64, const MOST: u64> Bounded<LEAST, MOST> {
    /// As a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// As a number of things.
    #[must_use]
    pub fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// As a small number; the largest there is when it is none.
    #[must_use]
    pub fn small(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// As seconds.
    #[must_use]
    pub const fn seconds(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl<const LEAST: u64, const MOST: u64> TryFrom<u64> for Bounded<LEAST, MOST> {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        match (LEAST..=MOST).contains(&number) {
            true => Ok(Self(number)),
            false => Err(format!("expected {LEAST} to {MOST}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_taken_and_nothing_beyond() {
        let read = |number| Bounded::<2, 5>::try_from(number).map(Bounded::get);
        assert_eq!((read(2), read(5)), (Ok(2), Ok(5)));
        for number in [0, 1, 6] {
            assert_eq!(read(number), Err("expected 2 to 5".to_owned()));
        }
    }
}
