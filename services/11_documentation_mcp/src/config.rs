//! Settings of this spoke. The annotated reference is `config.default.toml`.

use serde::Deserialize;
use shared::config::{Kind, Variable};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("DOCS_ROOT", "docs.root", Kind::Text),
    Variable::new("REQUIRE_APPROVAL", "docs.require_approval", Kind::Boolean),
    Variable::new(
        "INDEX_UPDATE_INTERVAL",
        "docs.index_update_interval",
        Kind::Integer,
    ),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The store.
    pub(crate) docs: Docs,
}

/// Where documents are and how they are looked after.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Docs {
    root: PathBuf,
    /// Whether new and changed documents need an approval.
    pub(crate) require_approval: bool,
    index_update_interval: Interval,
}

impl Docs {
    /// Folder of the documents.
    pub(crate) fn root(&self, data_dir: &Path) -> PathBuf {
        match self.root.as_os_str().is_empty() {
            true => data_dir.join("docs"),
            false => self.root.clone(),
        }
    }

    /// How often files are looked at.
    pub(crate) const fn interval(&self) -> Duration {
        Duration::from_secs(self.index_update_interval.0)
    }
}

/// 1 second to a day.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
struct Interval(u64);

impl TryFrom<u64> for Interval {
    type Error = &'static str;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        match (1..=86_400).contains(&seconds) {
            true => Ok(Self(seconds)),
            false => Err("is not between 1 and 86400 seconds"),
        }
    }
}
