//! `freqtrade.source.*`: files of a checkout, with its documentation, and search in them.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::files::{Files, FilesError, Kind, Listing, Roots, Rules};
use shared::spoke::{Health, HealthCheck};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SETTING: &str = "FREQTRADE_SOURCE_PATH";
/// Entries of a listing.
const MAX_ENTRIES: usize = 1000;
/// Files that are searched.
const MAX_FILES: usize = 20_000;
/// Largest file that is searched, in bytes.
const MAX_SEARCHED: u64 = 1024 * 1024;
const MAX_MATCHES: usize = 100;
/// Of a file, in bytes.
const MAX_TEXT: usize = 1024 * 1024;
/// Of a line of a match, in characters.
const MAX_LINE: usize = 300;

/// The checkout; without a path there is none.
#[derive(Debug)]
pub(crate) struct Checkout {
    root: Option<PathBuf>,
    files: Files,
}

impl Checkout {
    /// Looks at nothing yet.
    ///
    /// # Errors
    /// When the present folder is gone, which a relative path starts at.
    pub(crate) fn new(path: &Path) -> std::io::Result<Self> {
        let root = match path.as_os_str().is_empty() {
            true => None,
            false => Some(std::path::absolute(path)?),
        };
        let roots = Roots::new(root.clone(), SETTING);
        Ok(Self {
            root,
            files: Files::new(Rules::new(
                roots,
                Roots::new(Option::<PathBuf>::None, SETTING),
            )),
        })
    }

    /// The checkout and a path in it.
    fn within(&self, path: &str) -> Result<(&Path, String), ToolError> {
        let root = self.root.as_deref().filter(|root| root.is_dir());
        let root = root.ok_or_else(|| ToolError::not_configured(SETTING))?;
        let odd = path.starts_with('/') || path.split('/').any(|part| part == "..");
        if odd || path.contains(char::is_control) {
            let rule = "is relative to the top of the checkout, without `..`";
            return Err(ToolError::invalid("path", rule));
        }
        let joined = root.join(path);
        let joined = joined.to_str().ok_or(FilesError::Path("not UTF-8"))?;
        Ok((root, joined.to_owned()))
    }

    fn list(&self, arguments: &ListArguments) -> Result<Directory, ToolError> {
        let (root, place) = self.within(&arguments.path)?;
        let mut directory = Directory {
            path: arguments.path.clone(),
            ..Directory::default()
        };
        let Some(query) = &arguments.search else {
            let listing = self.files.list(&place, false, MAX_ENTRIES)?;
            directory.truncated = listing.truncated;
            for entry in listing.entries {
                match entry.kind {
                    Kind::Directory => directory.directories.push(entry.name),
                    _ => directory.files.push(entry.name),
                }
            }
            directory.count = directory.directories.len() + directory.files.len();
            return Ok(directory);
        };
        let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
        if words.is_empty() {
            return Err(ToolError::invalid("search", "holds no word"));
        }
        let listing = self.files.list(&place, true, MAX_FILES)?;
        directory.truncated = listing.truncated;
        self.search(root, &listing, &words, &mut directory);
        directory.count = directory.files.len();
        Ok(directory)
    }

    /// Files that hold all words, those with most of them first, each with its best line.
    fn search(&self, root: &Path, listing: &Listing, words: &[String], into: &mut Directory) {
        let mut found: Vec<(usize, Match)> = Vec::new();
        let files = listing.entries.iter().filter(|entry| {
            let hidden = entry
                .path
                .components()
                .any(|part| part.as_os_str() == ".git");
            entry.kind == Kind::File && entry.size <= MAX_SEARCHED && !hidden
        });
        for entry in files {
            // What cannot be read, or went meanwhile, is not found.
            let Some(Ok(contents)) = entry.path.to_str().map(|path| self.files.read(path)) else {
                continue;
            };
            let Ok(text) = std::str::from_utf8(&contents.bytes) else {
                continue;
            };
            if let Some((score, line, text)) = best_line(text, words) {
                let path = entry.path.strip_prefix(root).unwrap_or(&entry.path);
                let path = path.display().to_string();
                found.push((score, Match { path, line, text }));
            }
        }
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.path.cmp(&b.1.path)));
        into.truncated |= found.len() > MAX_MATCHES;
        found.truncate(MAX_MATCHES);
        into.files = found.iter().map(|(_, found)| found.path.clone()).collect();
        into.matches = found.into_iter().map(|(_, found)| found).collect();
    }
}

/// How often the words occur, and the line with most of them; `None` unless each occurs.
fn best_line(text: &str, words: &[String]) -> Option<(usize, usize, String)> {
    let lower = text.to_lowercase();
    let mut score = 0_usize;
    for word in words {
        match lower.matches(word.as_str()).count() {
            0 => return None,
            count => score = score.saturating_add(count.min(20)),
        }
    }
    let hits = |line: &str| {
        let line = line.to_lowercase();
        words
            .iter()
            .filter(|word| line.contains(word.as_str()))
            .count()
    };
    let lines = text.lines().enumerate();
    let (number, line) = lines.max_by_key(|(n, line)| (hits(line), std::cmp::Reverse(*n)))?;
    let all = hits(line) == words.len();
    let line: String = line
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_LINE)
        .collect();
    // A line with all of them is worth more than many lines with one each.
    let score = if all {
        score.saturating_add(1000)
    } else {
        score
    };
    Some((score, number.saturating_add(1), line))
}

/// `freqtrade.source.getFileContent`.
pub(crate) struct GetFile(pub(crate) Arc<Checkout>);

/// `freqtrade.source.listDirectory`.
pub(crate) struct ListDirectory(pub(crate) Arc<Checkout>);

/// Arguments of `freqtrade.source.getFileContent`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileArguments {
    /// The file, relative to the top of the checkout, such as `docs/hyperopt.md`.
    #[schemars(length(min = 1, max = 1000))]
    path: String,
}

/// Arguments of `freqtrade.source.listDirectory`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListArguments {
    /// The folder, relative to the top of the checkout.
    #[serde(default = "here")]
    #[schemars(length(min = 1, max = 1000))]
    path: String,
    /// Words: instead of the folder's entries, the files in it and below that hold all of them.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200))]
    search: Option<String>,
}

fn here() -> String {
    ".".to_owned()
}

/// A file's content.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Text {
    /// Relative to the top of the checkout.
    path: String,
    /// Its text.
    content: String,
    /// Always `utf-8`.
    encoding: &'static str,
    /// Size of the whole file.
    size_bytes: u64,
    /// Whether content was left out at 1 MiB.
    truncated: bool,
    /// RFC 3339, UTC.
    modified_at: String,
}

/// What a folder holds, or which files hold some words.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Directory {
    /// Relative to the top of the checkout.
    path: String,
    /// Names of folders in it; none for a search.
    directories: Vec<String>,
    /// Names of files in it; for a search paths, the best first.
    files: Vec<String>,
    /// How many of both.
    count: usize,
    /// For a search: where, and the line with most of the words.
    matches: Vec<Match>,
    /// Whether some were left out.
    truncated: bool,
}

/// A file that holds some words.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Match {
    /// Relative to the top of the checkout.
    path: String,
    /// Number of the line, from 1.
    line: usize,
    /// The line.
    text: String,
}

#[async_trait]
impl TypedTool for GetFile {
    type Arguments = FileArguments;
    type Output = Text;

    fn spec(&self) -> Spec {
        Spec::new(
            "freqtrade.source.getFileContent",
            Effect::Read,
            "Read a file of freqtrade's source or documentation, such as docs/hyperopt.md or \
             freqtrade/strategy/interface.py. Find files with freqtrade.source.listDirectory.",
        )
        .aliases(&["trading.freqtrade.source.getFileContent"])
    }

    async fn run(&self, arguments: FileArguments, _: &Call) -> Result<Text, ToolError> {
        let checkout = Arc::clone(&self.0);
        blocking(move || {
            let (_, place) = checkout.within(&arguments.path)?;
            let contents = checkout.files.read(&place)?;
            let Ok(text) = std::str::from_utf8(&contents.bytes) else {
                return Err(ToolError::invalid("path", "is not a text file"));
            };
            let end = text.floor_char_boundary(MAX_TEXT);
            Ok(Text {
                path: arguments.path,
                content: text.get(..end).unwrap_or_default().to_owned(),
                encoding: "utf-8",
                size_bytes: u64::try_from(contents.bytes.len()).unwrap_or(u64::MAX),
                truncated: end < text.len(),
                modified_at: contents.modified_at.to_string(),
            })
        })
        .await
    }
}

#[async_trait]
impl TypedTool for ListDirectory {
    type Arguments = ListArguments;
    type Output = Directory;

    fn spec(&self) -> Spec {
        Spec::new(
            "freqtrade.source.listDirectory",
            Effect::Read,
            "List a folder of freqtrade's source and documentation. With search, find the files below \
             it that hold all these words instead, best first, each with its best line.",
        )
        .aliases(&["trading.freqtrade.source.listDirectory"])
    }

    async fn run(&self, arguments: ListArguments, _: &Call) -> Result<Directory, ToolError> {
        let checkout = Arc::clone(&self.0);
        blocking(move || checkout.list(&arguments)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        tracing::error!(event = "freqtrade.broke", %error, "reading files broke off");
        Err(ToolError::new(
            Code::InternalError,
            "reading the files broke off",
        ))
    })
}

/// Whether the checkout is there.
pub(crate) struct SourceCheck(pub(crate) Arc<Checkout>);

#[async_trait]
impl HealthCheck for SourceCheck {
    fn name(&self) -> &str {
        "source"
    }

    async fn check(&self) -> Health {
        let there = match &self.0.root {
            None => false,
            Some(root) => tokio::fs::metadata(root).await.is_ok_and(|it| it.is_dir()),
        };
        match there {
            true => Health::Healthy,
            false => Health::Degraded(format!("not configured: set {SETTING}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_with_most_of_the_words_is_shown() {
        let words = ["loss".to_owned(), "sharpe".to_owned()];
        let text = "A loss.\nThe Sharpe loss function\nloss loss\n";
        let (score, line, shown) = best_line(text, &words).unwrap();
        assert_eq!((line, shown.as_str()), (2, "The Sharpe loss function"));
        assert!(score > 1000);
        assert!(best_line("loss only", &words).is_none());
    }
}
