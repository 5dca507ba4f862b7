//! Settings of workflows.

use serde::Deserialize;

/// Workflows; see `config.default.toml` for units.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each key")]
pub struct WorkflowSettings {
    pub webhook_url: String,
}
