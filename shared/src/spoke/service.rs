//! What the author of a spoke writes, and what the harness gives in return.

use super::metrics::Meter;
use crate::clock::SharedClock;
use crate::config::{ConfigError, Environment, Merged, Variable};
use crate::id::InvalidId;
use crate::reference::References;
use crate::secret::{SecretError, SecretProvider};
use crate::tasks::Tasks;
use crate::tool::Tool;
use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// One spoke, as a static of its crate.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// Folder and compose name, such as `12_cmdb_mcp`.
    pub name: &'static str,
    /// Number of the service; the default port is 8000 + number.
    pub number: u16,
    /// Version of the build, `SemVer`.
    pub version: &'static str,
    /// Dotted prefixes of the ids of its tools.
    pub namespaces: &'static [&'static str],
    /// Id of a read tool without required parameters that tells whether the spoke works.
    pub canary: &'static str,
    /// Annotated TOML: every setting of the spoke with its default.
    pub defaults: &'static str,
    /// Environment variables that override settings.
    pub variables: &'static [Variable],
    /// Makes the tools and checks. Missing settings of the outside world are no error here: the tool
    /// answers `NOT_CONFIGURED`, a check says degraded.
    pub build: for<'a> fn(&'a BuildInput) -> BoxFuture<'a, Result<Parts, BuildError>>,
}

/// What a spoke is made of.
#[derive(Default)]
pub struct Parts {
    /// Its tools, in any order.
    pub tools: Vec<Arc<dyn Tool>>,
    /// What `/health` asks, besides the harness's own store.
    pub checks: Vec<Arc<dyn HealthCheck>>,
}

/// What the harness offers to the tools. Cheap to clone.
#[derive(Clone)]
pub struct Kit {
    /// Dates.
    pub clock: SharedClock,
    /// Secrets, by name.
    pub secrets: Arc<dyn SecretProvider>,
    /// Makes secret references; arguments that hold one are opened by the harness.
    pub references: References,
    /// Starts background tasks; shutdown waits for them.
    pub tasks: Tasks,
    /// The spoke's counters.
    pub meter: Meter,
    /// The spoke's own folder; it exists.
    pub data_dir: PathBuf,
    /// The process environment, or a test's.
    pub environment: Environment,
}

impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit")
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// What [`Service::build`] gets.
#[derive(Debug)]
pub struct BuildInput {
    /// What the harness offers.
    pub kit: Kit,
    pub(super) merged: Merged,
}

impl BuildInput {
    /// The spoke's settings: defaults, then files, then environment.
    ///
    /// # Errors
    /// [`BuildError::Config`] names the key or variable that cannot be used.
    pub fn config<C: DeserializeOwned>(&self) -> Result<C, BuildError> {
        Ok(self.merged.read()?)
    }
}

/// Why a spoke could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A secret is set but cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A tool's id is not a canonical id.
    #[error("a tool has a bad id")]
    Id(#[from] InvalidId),
    /// A part could not be set up.
    #[error("{part} could not be set up")]
    Setup {
        /// What was being set up.
        part: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BuildError {
    /// A part that could not be set up.
    #[must_use]
    pub fn setup(
        part: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Setup {
            part,
            source: source.into(),
        }
    }

    /// Whether the operator has to change a setting.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Secret(_))
    }
}

/// One thing `/health` asks about. Asked at most once a second, and given up on after three.
#[async_trait]
pub trait HealthCheck: Send + Sync {
    /// Short name, such as `servicenow`.
    fn name(&self) -> &str;

    /// How it is now. Must not change anything.
    async fn check(&self) -> Health;
}

/// How a part is. The order is from good to bad.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Works.
    Healthy,
    /// Some tools do not work; the text says which and what to set or repair, without secrets.
    Degraded(String),
    /// Nothing works.
    Unhealthy(String),
}

impl Health {
    /// `healthy`, `degraded` or `unhealthy`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded(_) => "degraded",
            Self::Unhealthy(_) => "unhealthy",
        }
    }

    /// What is wrong; empty when nothing is.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Healthy => "",
            Self::Degraded(detail) | Self::Unhealthy(detail) => detail,
        }
    }
}
