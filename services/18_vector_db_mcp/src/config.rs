//! Settings of this spoke. The annotated reference is `config.default.toml`; keys are not here.

use crate::check::is_name;
use serde::Deserialize;
use shared::config::{Kind, Variable};
use shared::remote::{BaseUrl, Reach, Seconds};
use std::path::{Path, PathBuf};

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("VECTOR_DATA_DIR", "store.folder", Kind::Text),
    Variable::new("DEFAULT_COLLECTION", "store.default_collection", Kind::Text),
    Variable::new("EMBEDDING_BACKEND", "embedding.backend", Kind::Text),
    Variable::new("EMBEDDING_MODEL", "embedding.model", Kind::Text),
    Variable::new("EMBEDDING_MODEL_PATH", "embedding.model_path", Kind::Text),
    Variable::new("EMBEDDING_URL", "embedding.url", Kind::Text),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where collections are.
    pub(crate) store: Store,
    /// What makes vectors.
    pub(crate) embedding: Embedding,
    /// Which addresses may be asked.
    pub(crate) outbound: Reach,
}

/// Where collections are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    folder: PathBuf,
    /// Collection of calls that name none.
    pub(crate) default_collection: CollectionName,
}

impl Store {
    /// Folder of the collections.
    pub(crate) fn folder<'a>(&'a self, data_dir: &'a Path) -> &'a Path {
        match self.folder.as_os_str().is_empty() {
            true => data_dir,
            false => &self.folder,
        }
    }
}

/// What makes vectors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Embedding {
    /// By which means.
    pub(crate) backend: Backend,
    /// Model the vectors are of.
    pub(crate) model: String,
    /// Folder of the model's files; empty: none.
    pub(crate) model_path: PathBuf,
    /// Address of the endpoint.
    pub(crate) url: BaseUrl,
    /// Longest wait for the endpoint.
    pub(crate) timeout_seconds: Seconds<25>,
}

/// Means of making vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Backend {
    /// Files of a model.
    Local,
    /// An endpoint.
    Http,
    /// Feature hashing.
    Hash,
}

/// Name of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct CollectionName(pub(crate) String);

impl TryFrom<String> for CollectionName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match is_name(&text) {
            true => Ok(Self(text)),
            false => Err("is no name of a collection: letters, digits, `_`, `-` and `.`"),
        }
    }
}
