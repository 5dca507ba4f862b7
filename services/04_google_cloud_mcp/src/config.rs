//! Settings of this spoke. The annotated reference is `config.default.toml`; secrets are not here.

use serde::Deserialize;
use shared::config::{Kind, Variable};
use shared::files::{Roots, Rules};
use shared::remote::{BaseUrl, MetadataUrl, Reach, Seconds};

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("GCP_CREDENTIAL", "google.credential", Kind::Text),
    Variable::new(
        "GOOGLE_APPLICATION_CREDENTIALS",
        "google.credentials",
        Kind::Text,
    ),
    Variable::new("GCP_PROJECT_ID", "google.project", Kind::Text),
    Variable::new("GCP_TOKEN_URL", "google.token_url", Kind::Text),
    Variable::new("GCP_METADATA_URL", "google.metadata_url", Kind::Text),
    Variable::new("GCP_COMPUTE_URL", "google.compute_url", Kind::Text),
    Variable::new("GCP_STORAGE_URL", "google.storage_url", Kind::Text),
    Variable::new("GCP_SQLADMIN_URL", "google.sqladmin_url", Kind::Text),
    Variable::new("ALLOWED_READ_PATHS", "files.read_paths", Kind::Text),
    Variable::new("ALLOWED_WRITE_PATHS", "files.write_paths", Kind::Text),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The cloud.
    pub(crate) google: Google,
    /// What may be read and written here.
    pub(crate) files: Files,
    /// Which addresses may be asked.
    pub(crate) outbound: Reach,
}

/// The cloud. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Google {
    pub(crate) credential: Kinds,
    pub(crate) credentials: String,
    pub(crate) project: String,
    pub(crate) token_url: BaseUrl,
    pub(crate) metadata_url: MetadataUrl,
    pub(crate) compute_url: BaseUrl,
    pub(crate) storage_url: BaseUrl,
    pub(crate) sqladmin_url: BaseUrl,
    /// Longest wait for one answer.
    pub(crate) timeout_seconds: Seconds<120>,
}

/// The kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kinds {
    /// A service account's key file.
    Key,
    /// The account of the machine.
    Metadata,
}

/// What may be read and written here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    read_paths: String,
    write_paths: String,
    /// For both.
    pub(crate) max_bytes: u64,
    allowed_types: Vec<String>,
}

impl Files {
    /// As the module of files takes them.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            read: Roots::parse(&self.read_paths, "ALLOWED_READ_PATHS"),
            write: Roots::parse(&self.write_paths, "ALLOWED_WRITE_PATHS"),
            max_bytes: self.max_bytes,
            types: self.allowed_types.clone(),
        }
    }
}
