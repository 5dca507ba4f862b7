//! The hub's settings: the components' own, put together.
//!
//! `config.default.toml` is the reference. Secrets are not here: they come from the secret provider.

mod bounds;
mod check;
mod service;
mod variables;
mod workflows;

pub use bounds::{Limits, Results, Security, ThirdParty};
pub use service::{ServiceConfig, Spoke};
pub use variables::VARIABLES;
pub use workflows::WorkflowSettings;

use crate::servers::Specification;
use crate::transport::views::ViewSettings;
use ipnet::IpNet;
use serde::Deserialize;
use shared::config::{ConfigError, Environment, Loaded, Sources};
use shared::telemetry::{Format, Level};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The annotated defaults.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// Everything the hub can be told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Kind of installation.
    pub environment: EnvironmentKind,
    /// Where spokes are looked for.
    pub mode: Mode,
    /// Listeners and the edge.
    pub server: Server,
    /// Folders.
    pub paths: Paths,
    /// The store.
    pub database: Database,
    /// Log lines.
    pub logging: Logging,
    /// Spans.
    pub tracing: Tracing,
    /// Times of approvals.
    pub approvals: Approvals,
    /// Workflows.
    pub workflows: WorkflowSettings,
    /// Towards spokes.
    pub spokes: Spokes,
    /// Times of tool calls.
    pub timeouts: Timeouts,
    /// Retries.
    pub retry_policies: RetryPolicies,
    /// Breakers.
    pub circuit_breaker: CircuitBreaker,
    /// Bulkheads.
    pub bulkhead: Bulkhead,
    /// Redis, which several hubs may share.
    pub redis: RedisConfig,
    /// Cache of reads.
    pub cache: Cache,
    /// Calls a minute by service word.
    pub rate_limits: BTreeMap<String, u32>,
    /// Calls by scope.
    pub limits: Limits,
    /// Rules of files, told to spokes started by `waygate up`.
    pub security: Security,
    /// What third-party servers may be.
    pub third_party: ThirdParty,
    /// Results too large for hosts.
    pub results: Results,
    /// What endpoints and credentials show, by name.
    pub views: BTreeMap<String, ViewSettings>,
    /// Third-party servers by name.
    pub mcp_servers: BTreeMap<String, Specification>,
    /// Spokes by folder name.
    pub services: BTreeMap<String, ServiceConfig>,
}

/// Kind of installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentKind {
    /// A desk: a SQLite file and made-up secrets are fine.
    Development,
    /// Everything has to be said.
    Production,
    /// As development, for tests.
    Test,
}

/// Where spokes are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// On loopback.
    LocalVm,
    /// By service name.
    Container,
}

impl Mode {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalVm => "local_vm",
            Self::Container => "container",
        }
    }
}

/// Listeners and the edge; see `config.default.toml` for units.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Server {
    pub host: IpAddr,
    pub port: u16,
    #[serde(deserialize_with = "ports")]
    pub extra_ports: Vec<u16>,
    pub public_url: String,
    pub workers: usize,
    pub max_request_size_bytes: usize,
    pub timeout_seconds: u64,
    pub max_connections: usize,
    pub allowed_hosts: Vec<String>,
    pub cors_origins: Vec<String>,
    pub trusted_proxies: Vec<IpNet>,
    pub metrics_allow: Vec<IpNet>,
    pub api_key_header: String,
    pub drain_seconds: u64,
}

/// Folders.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Paths {
    pub base: PathBuf,
    pub data: PathBuf,
    pub config: PathBuf,
    pub secrets: PathBuf,
}

impl Paths {
    /// A path below `base`, unless it is absolute.
    #[must_use]
    pub fn below_base(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }
}

/// The store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Database {
    pub url: String,
    pub pool_size: u32,
}

/// Log lines.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Logging {
    pub level: Level,
    pub format: Format,
}

/// Spans.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Tracing {
    pub enabled: bool,
    pub otlp_endpoint: String,
}

/// Times of approvals.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Approvals {
    pub decide_seconds: u64,
    pub token_seconds: u64,
}

/// Towards spokes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Spokes {
    pub auth: SpokeAuth,
    pub token_path: PathBuf,
    pub call_key_path: PathBuf,
    pub tls_cert_path: PathBuf,
    pub tls_key_path: PathBuf,
    pub tls_ca_path: PathBuf,
    pub health_interval_seconds: u64,
    pub health_timeout_seconds: u64,
    pub unhealthy_after: u32,
    pub port_base: u16,
}

/// How the hub proves itself to spokes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpokeAuth {
    /// A shared bearer token.
    Token,
    /// Not at all; loopback only.
    None,
    /// A certificate, over TLS.
    Mtls,
}

/// Times of tool calls, in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Timeouts {
    pub default: u64,
    pub long_running: u64,
}

/// Retries.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct RetryPolicies {
    pub max_attempts: u32,
    pub backoff_factor: u32,
}

/// Breakers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct CircuitBreaker {
    pub threshold: u32,
    pub timeout: u64,
}

/// Bulkheads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Bulkhead {
    pub in_flight: usize,
    pub mutations: usize,
    pub queue: usize,
    pub wait_ms: u64,
}

/// Redis; its password is a secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct RedisConfig {
    pub url: String,
    pub host: String,
    pub port: u16,
    pub database: u32,
}

/// Cache of reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Cache {
    pub r#type: CacheType,
    pub ttl: u64,
    pub max_bytes: u64,
}

/// Where cached reads stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheType {
    /// In the hub's memory.
    Memory,
    /// In Redis, for all hubs that use it.
    Redis,
}

/// Settings that contradict each other or the environment.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// A layer cannot be read.
    #[error(transparent)]
    Layer(#[from] ConfigError),
    /// A rule across keys is broken.
    #[error("{key}: {rule}")]
    Rule {
        /// The key or variable to change.
        key: &'static str,
        /// What it must be.
        rule: String,
    },
}

/// Reads all layers: the defaults, `services.yaml` and `<environment>.yaml` of the config folder
/// where they exist, `file` where one is named, and the environment.
///
/// # Errors
/// [`InvalidConfig`] names the key; stop with [`shared::config::EXIT_CODE`].
pub fn load(
    environment: &Environment,
    file: Option<&Path>,
) -> Result<Loaded<Config>, InvalidConfig> {
    let loaded = read(environment, file)?;
    loaded.config.check()?;
    Ok(loaded)
}

/// As [`load`], without the rules across keys: for work that comes before the settings are complete.
///
/// # Errors
/// [`InvalidConfig`] when a layer cannot be read.
pub(crate) fn read(
    environment: &Environment,
    file: Option<&Path>,
) -> Result<Loaded<Config>, InvalidConfig> {
    let sources = |files| Sources {
        defaults: DEFAULTS,
        files,
        variables: VARIABLES,
        environment,
    };
    let first: Loaded<Config> = shared::config::load(&sources(&[]))?;
    let folder = first.config.paths.below_base(&first.config.paths.config);
    let by_environment = match first.config.environment {
        EnvironmentKind::Development => "development.yaml",
        EnvironmentKind::Production => "production.yaml",
        EnvironmentKind::Test => "test.yaml",
    };
    let shipped = [folder.join("services.yaml"), folder.join(by_environment)];
    let mut files: Vec<PathBuf> = shipped.into_iter().filter(|path| path.is_file()).collect();
    files.extend(file.map(Path::to_path_buf));
    Ok(shared::config::load(&sources(&files))?)
}

impl Config {
    /// Whether made-up secrets and the SQLite fallback are fine.
    #[must_use]
    pub fn is_production(&self) -> bool {
        self.environment == EnvironmentKind::Production
    }

    /// The URL of Redis; `None` when there is none.
    #[must_use]
    pub fn redis_url(&self) -> Option<String> {
        let redis = &self.redis;
        if !redis.url.is_empty() {
            return Some(redis.url.clone());
        }
        let (host, port, database) = (&redis.host, redis.port, redis.database);
        (!host.is_empty()).then(|| format!("redis://{host}:{port}/{database}"))
    }

    /// The URL of the store.
    ///
    /// # Errors
    /// [`InvalidConfig::Rule`] in production when none is set.
    pub fn database_url(&self) -> Result<String, InvalidConfig> {
        if !self.database.url.is_empty() {
            return Ok(self.database.url.clone());
        }
        if self.is_production() {
            let rule = "is required in production, such as sqlite:data/waygate.db or postgres://…";
            return Err(InvalidConfig::Rule {
                key: "WAYGATE_DATABASE_URL",
                rule: rule.into(),
            });
        }
        let file = self.paths.below_base(&self.paths.data).join("waygate.db");
        Ok(format!("sqlite:{}", file.display()))
    }
}

/// Ports as numbers, or as the texts an environment variable gives.
fn ports<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Vec<u16>, D::Error> {
    use serde::de::Error as _;
    let values = Vec::<toml::Value>::deserialize(reader)?;
    let port = |value: &toml::Value| match value {
        toml::Value::Integer(number) => u16::try_from(*number).ok(),
        toml::Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let ports = values.iter().map(port).collect::<Option<Vec<u16>>>();
    ports.ok_or_else(|| D::Error::custom("expected port numbers from 0 to 65535"))
}

#[cfg(test)]
mod tests;
