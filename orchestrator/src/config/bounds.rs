//! How much, and what: limits of calls, results and files, and what third-party servers may be.

use serde::Deserialize;

/// Calls by scope.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Limits {
    pub execute_per_minute: u32,
    pub ip_per_minute: u32,
    pub endpoint_per_minute: u32,
    pub user_per_minute: u32,
    pub organization_per_minute: u32,
    pub organization_per_hour: u32,
    pub organization_per_day: u32,
}

/// What third-party servers may be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct ThirdParty {
    pub programs: Vec<String>,
    pub outbound: Vec<String>,
    pub starts_per_minute: usize,
}

/// Results too large for hosts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Results {
    pub limit_bytes: usize,
    pub keep_seconds: u64,
}

/// Rules of files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct Security {
    pub max_file_size: String,
    pub allowed_file_types: Vec<String>,
}
