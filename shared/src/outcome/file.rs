//! Files read, written and listed, here or on another host.

use super::bounded;
use crate::command::shown;
use crate::files::sha256;
use crate::tool::ToolError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes whose base64 form is 1 MiB.
const MAX_BINARY: usize = 1024 * 1024 / 4 * 3;
/// Content shown to the person who approves, in characters; the hash stands for the rest.
const MAX_SHOWN: usize = 4000;

/// Forms of content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Encoding {
    /// As text.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// As base64, for files that are no text.
    #[serde(rename = "base64")]
    Base64,
}

/// A file's content.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Text {
    /// Where it is, links resolved.
    path: String,
    content: String,
    encoding: Encoding,
    /// Size of the whole file.
    size_bytes: u64,
    /// Whether content was left out at 1 MiB.
    truncated: bool,
    /// RFC 3339, UTC.
    modified_at: String,
}

impl Text {
    /// A whole file in this form.
    ///
    /// # Errors
    /// `INVALID_INPUT` when it shall be text and is not UTF-8.
    pub fn of(
        path: &str,
        bytes: &[u8],
        encoding: Encoding,
        modified_at: Timestamp,
    ) -> Result<Self, ToolError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self::beginning(path, bytes, encoding, (modified_at, size))
    }

    /// The beginning of a file that was changed then and has this many bytes in all.
    ///
    /// # Errors
    /// `INVALID_INPUT` when it shall be text and is not UTF-8.
    pub fn beginning(
        path: &str,
        bytes: &[u8],
        encoding: Encoding,
        (modified_at, size_bytes): (Timestamp, u64),
    ) -> Result<Self, ToolError> {
        let more = u64::try_from(bytes.len()).is_ok_and(|kept| kept < size_bytes);
        let (content, cut) = match encoding {
            Encoding::Base64 => {
                let kept = bytes.get(..MAX_BINARY).unwrap_or(bytes);
                (STANDARD.encode(kept), kept.len() < bytes.len())
            }
            Encoding::Utf8 => match text(bytes, more) {
                Ok(text) => {
                    let (kept, cut) = bounded(text);
                    (kept.to_owned(), cut)
                }
                Err(error) => {
                    tracing::debug!(event = "file_not_text", %error, "a file is not text");
                    let rule = "the file is not UTF-8 text; ask for base64";
                    return Err(ToolError::invalid("encoding", rule));
                }
            },
        };
        Ok(Self {
            path: path.to_owned(),
            content,
            encoding,
            size_bytes,
            truncated: cut || more,
            modified_at: modified_at.to_string(),
        })
    }
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Written {
    /// Where it is, links resolved.
    pub path: String,
    /// Bytes of the content that was given.
    pub bytes_written: u64,
    /// Copy of the file as it was; null when there was none.
    pub backup_path: Option<String>,
    /// SHA-256 of the whole file now, lower-case hex.
    pub sha256: String,
    /// The same for people.
    pub message: String,
}

impl Written {
    /// What became of `content`; `backup_path` is `None` when the file is new.
    #[must_use]
    pub fn of(content: &str, path: String, backup_path: Option<String>, sha256: String) -> Self {
        Self {
            path,
            bytes_written: u64::try_from(content.len()).unwrap_or(u64::MAX),
            message: match backup_path {
                Some(_) => "written; the old content was kept".into(),
                None => "written; the file is new".into(),
            },
            backup_path,
            sha256,
        }
    }

    /// What the person who approves a write reads; `place` is the path, and the host if there are
    /// several.
    #[must_use]
    pub fn summary(place: &str, content: &str, append: bool) -> String {
        let verb = if append { "Append to" } else { "Write" };
        let lines = content.lines().map(shown);
        let mut text = lines.collect::<Vec<_>>().join("\n");
        if let Some((end, _)) = text.char_indices().nth(MAX_SHOWN) {
            text.truncate(end);
            text.push_str("\n(the rest is not shown)");
        }
        format!(
            "{verb} {place}\n{} bytes, SHA-256 {}\nContent:\n{text}",
            content.len(),
            sha256(content.as_bytes()),
        )
    }
}

/// What is in a folder, in the order of names.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    /// Where it is, links resolved.
    path: String,
    entries: Vec<Entry>,
    /// Number of entries returned.
    count: usize,
    /// Whether there are more.
    truncated: bool,
}

impl Listing {
    /// These entries of the folder `path`.
    #[must_use]
    pub const fn of(path: String, entries: Vec<Entry>, truncated: bool) -> Self {
        let count = entries.len();
        Self {
            path,
            entries,
            count,
            truncated,
        }
    }
}

/// One entry.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Entry {
    /// Last part of the path.
    pub name: String,
    /// Where it is.
    pub path: String,
    /// `file`, `dir`, `symlink` or `other`; links are not followed.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["file", "dir", "symlink", "other"]))]
    pub kind: String,
    /// Of the entry itself.
    pub size_bytes: u64,
    /// Permissions: four octal digits, or the letters of the system.
    pub mode: String,
    /// Name of the owner, or the number when there is no name.
    pub owner: String,
    /// RFC 3339, UTC.
    pub modified_at: String,
}

/// Bytes as text; a last character that is cut is left out when there is more.
fn text(bytes: &[u8], more: bool) -> Result<&str, std::str::Utf8Error> {
    match std::str::from_utf8(bytes) {
        Err(error) if more && error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default())
        }
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_cut_is_left_out_only_when_there_is_more() {
        let bytes = "aé".as_bytes();
        assert_eq!(text(&bytes[..2], true), Ok("a"));
        assert!(text(&bytes[..2], false).is_err());
        assert!(text(&[0xff, b'a'], true).is_err());
    }
}
