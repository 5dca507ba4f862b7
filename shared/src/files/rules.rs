//! The limits of reading and writing: where, how much, which types.

use super::{FilesError, MAX_BYTES, Roots, TYPES, length};
use std::path::Path;

/// The limits of a [`Files`](super::Files).
#[derive(Debug, Clone)]
pub struct Rules {
    /// Where files may be read.
    pub read: Roots,
    /// Where files may be written.
    pub write: Roots,
    /// Largest file, in bytes, for both.
    pub max_bytes: u64,
    /// Extensions that may be written, with their dot; case does not matter. Empty means any name.
    pub types: Vec<String>,
}

impl Rules {
    /// The usual size and types.
    #[must_use]
    pub fn new(read: Roots, write: Roots) -> Self {
        Self {
            read,
            write,
            max_bytes: MAX_BYTES,
            types: TYPES.map(str::to_owned).to_vec(),
        }
    }

    /// Refuses a name whose extension may not be written.
    ///
    /// # Errors
    /// [`FilesError::Type`].
    pub fn check_type(&self, name: &str) -> Result<(), FilesError> {
        let extension = Path::new(name).extension().and_then(|text| text.to_str());
        let fits = |allowed: &String| {
            let allowed = allowed.trim_start_matches('.');
            extension.is_some_and(|extension| extension.eq_ignore_ascii_case(allowed))
        };
        if self.types.is_empty() || self.types.iter().any(fits) {
            Ok(())
        } else {
            let allowed = self.types.join(" ");
            Err(FilesError::Type { allowed })
        }
    }

    /// Refuses content of too many bytes.
    ///
    /// # Errors
    /// [`FilesError::TooLarge`].
    pub fn check_size(&self, size: usize) -> Result<(), FilesError> {
        let limit = self.max_bytes;
        if length(size) > limit {
            return Err(FilesError::TooLarge { limit });
        }
        Ok(())
    }
}
