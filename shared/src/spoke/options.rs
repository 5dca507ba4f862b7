//! What a spoke is started with.

use super::service::Parts;
use crate::clock::{SharedClock, SystemClock};
use crate::config::Environment;
use crate::secret::SecretProvider;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a spoke gets what is not in its code.
pub struct StartOptions {
    /// Settings.
    pub environment: Environment,
    /// Files of settings for the spoke's tools, TOML or YAML; later wins.
    pub files: Vec<PathBuf>,
    /// `None`: the address the settings say. Tests give port 0.
    pub listen: Option<SocketAddr>,
    /// Dates.
    pub clock: SharedClock,
    /// `None`: files and variables of `environment`.
    pub secrets: Option<Arc<dyn SecretProvider>>,
    /// `None`: what [`build`](super::Service::build) makes. Tests give scripted tools.
    pub parts: Option<Parts>,
    /// `None`: the parts as they are. Tests put something around every tool.
    pub around: Option<Around>,
}

/// What is put around the parts of a spoke.
pub type Around = Arc<dyn Fn(Parts) -> Parts + Send + Sync>;

impl StartOptions {
    /// The system's clock and the address of the settings.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            files: Vec::new(),
            listen: None,
            clock: SystemClock::shared(),
            secrets: None,
            parts: None,
            around: None,
        }
    }
}
