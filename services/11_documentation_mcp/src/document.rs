//! A document: Markdown beneath a head of YAML front matter, as text and in memory.
//!
//! Keys of the front matter that mean nothing here are kept. Files are not touched here.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Largest document, front matter included, in bytes.
pub(crate) const MAX_BYTES: usize = 1_000_000;
/// Longest id.
pub(crate) const MAX_ID: usize = 80;

/// Where a document belongs; also the name of its folder.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Category {
    Projects,
    Services,
    Whitepapers,
    Guides,
    Api,
    Knowledge,
}

impl Category {
    /// Every category.
    pub(crate) const ALL: [Self; 6] = [
        Self::Projects,
        Self::Services,
        Self::Whitepapers,
        Self::Guides,
        Self::Api,
        Self::Knowledge,
    ];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Projects => "projects",
            Self::Services => "services",
            Self::Whitepapers => "whitepapers",
            Self::Guides => "guides",
            Self::Api => "api",
            Self::Knowledge => "knowledge",
        }
    }
}

/// What stands above the text. A file may leave anything out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Front {
    /// Id; absent: made from the file's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) id: String,
    /// Title; absent: the first heading.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) title: String,
    /// Category; in files of the store the folder decides, in kept versions this does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) category: Option<Category>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// First version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<Timestamp>,
    /// This version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) modified: Option<Timestamp>,
    /// Who made this version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) author: String,
    /// Number of this version; 0: not numbered yet, counts as 1.
    #[serde(default)]
    pub(crate) version: u64,
    /// Why this version was made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) version_note: String,
    /// When the document was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted: Option<Timestamp>,
    /// What its authors noted beside.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) metadata: Map<String, Value>,
    /// Keys that mean nothing here.
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

/// A whole document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// What stands above the text.
    pub(crate) front: Front,
    /// The text.
    pub(crate) content: String,
}

/// Why a text is no document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    /// The front matter begins and does not end.
    #[error("its front matter does not end")]
    Unended,
    /// The front matter cannot be read or written.
    #[error("its front matter is not as it should be")]
    Front(#[from] serde_yaml_ng::Error),
}

impl Document {
    /// Reads a text; one without front matter is all content.
    pub(crate) fn parse(text: &str) -> Result<Self, DocumentError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Some(rest) = after_rule(text) else {
            return Ok(Self {
                front: Front::default(),
                content: text.to_owned(),
            });
        };
        let mut front = String::new();
        let mut lines = rest.split_inclusive('\n');
        for line in lines.by_ref() {
            if line.trim_end() == "---" {
                let content: String = lines.collect();
                let front = match front.trim().is_empty() {
                    true => Front::default(),
                    false => serde_yaml_ng::from_str(&front)?,
                };
                return Ok(Self { front, content });
            }
            front.push_str(line);
        }
        Err(DocumentError::Unended)
    }

    /// The text of the file.
    pub(crate) fn print(&self) -> Result<String, DocumentError> {
        let front = serde_yaml_ng::to_string(&self.front)?;
        Ok(format!("---\n{front}---\n{}", self.content))
    }

    /// The first heading of the text.
    pub(crate) fn heading(&self) -> Option<&str> {
        let mut lines = self.content.lines().map(str::trim);
        let heading = lines.find_map(|line| line.strip_prefix("# "))?.trim();
        (!heading.is_empty()).then_some(heading)
    }
}

fn after_rule(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("---")?;
    rest.strip_prefix('\n')
        .or_else(|| rest.strip_prefix("\r\n"))
}

/// An id made of a title or a file's name: small letters, digits and dashes.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if slug.len() >= MAX_ID - 8 {
            break;
        }
        match c {
            c if c.is_ascii_alphanumeric() => slug.push(c),
            '\'' => {}
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-');
    match slug.is_empty() {
        true => "document".to_owned(),
        false => slug.to_owned(),
    }
}

/// Whether a text is an id: what [`slug`] makes, so never a path.
pub(crate) fn is_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(plain) && !text.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_with_keys_of_others() {
        let text =
            "---\ntitle: 'A: b'\ntags: [x]\nlayout: wide\nmetadata: {n: 1}\n---\n# Hi\n---\n";
        let document = Document::parse(text).unwrap();
        assert_eq!(document.front.title, "A: b");
        assert_eq!(document.front.other["layout"], "wide");
        assert_eq!(document.content, "# Hi\n---\n");
        assert_eq!(
            Document::parse(&document.print().unwrap()).unwrap(),
            document
        );
    }

    #[test]
    fn a_plain_text_is_all_content_and_a_broken_head_is_said() {
        let plain = Document::parse("text\n# Name \nmore").unwrap();
        assert_eq!(plain.heading(), Some("Name"));
        assert!(matches!(
            Document::parse("---\ntitle: x\n"),
            Err(DocumentError::Unended)
        ));
        assert!(Document::parse("---\ntags: 5\n---\n").is_err());
    }

    #[test]
    fn ids_are_never_paths() {
        assert_eq!(slug("  How to: réboot / It's ok!"), "how-to-r-boot-its-ok");
        assert_eq!(slug("../.."), "document");
        assert!(is_id(&slug(&"x y".repeat(100))));
        for bad in ["", "..", "a/b", "A", "a.md", "-a", "a\0"] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
