//! Which part of a list is wanted.

/// A page of a list, newest first unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    number: u32,
    limit: u32,
}

impl Page {
    /// Most rows on a page.
    pub const MAX_LIMIT: u32 = 100;

    /// Page `number`, from 1, of `limit` rows; both are brought into range (1 to
    /// [`Page::MAX_LIMIT`] rows).
    #[must_use]
    pub fn new(number: u32, limit: u32) -> Self {
        Self {
            number: number.max(1),
            limit: limit.clamp(1, Self::MAX_LIMIT),
        }
    }

    /// Position, from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Most rows.
    #[must_use]
    pub fn limit(self) -> i64 {
        i64::from(self.limit)
    }

    /// Rows before this page.
    #[must_use]
    pub fn offset(self) -> i64 {
        i64::from(self.number - 1) * i64::from(self.limit)
    }
}

/// One page with the number of rows there are in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// Rows on all pages.
    pub total: u64,
}
