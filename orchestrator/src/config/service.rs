//! Which spokes there are, and where each is reached.

use super::{Config, InvalidConfig, Mode, SpokeAuth};
use serde::Deserialize;
use shared::config::Environment;
use std::sync::Arc;

/// One spoke, as `services.yaml` has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// Dotted prefixes it may answer for; tools outside them are refused.
    pub namespaces: Vec<String>,
    /// Where it is; empty means by mode and port.
    #[serde(default)]
    pub url: String,
    /// Canonical ids of tools that get the long time, beyond those that say so themselves.
    #[serde(default)]
    pub long_running_tools: Vec<String>,
    /// Whether the hub uses it.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

/// A spoke with its address resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoke {
    /// 1 to 99; the first part of the folder name.
    pub number: u8,
    /// Folder name, such as `12_cmdb_mcp`.
    pub service: Arc<str>,
    /// `http://host:port`.
    pub url: String,
    /// Dotted prefixes it may answer for.
    pub namespaces: Vec<String>,
    /// Canonical ids of tools that get the long time.
    pub long_running: Vec<String>,
}

impl Config {
    /// The enabled spokes, by number. `WAYGATE_SPOKE_URL_NN` wins over the file's `url`, that over
    /// `http://<folder>:port` (container) or `http://127.0.0.1:port`; the port is `MCP_PORT_NN`,
    /// `MCP_PORT_NN_<anything>` or the base plus the number.
    ///
    /// # Errors
    /// [`InvalidConfig::Rule`] for a folder without a number or a port that is none.
    pub fn spokes(&self, environment: &Environment) -> Result<Vec<Spoke>, InvalidConfig> {
        let enabled = self.services.iter().filter(|(_, service)| service.enabled);
        enabled
            .map(|(folder, service)| self.spoke(folder, service, environment))
            .collect()
    }

    fn spoke(
        &self,
        folder: &str,
        service: &ServiceConfig,
        environment: &Environment,
    ) -> Result<Spoke, InvalidConfig> {
        let number: u8 = folder
            .split_once('_')
            .and_then(|(number, _)| number.parse().ok())
            .ok_or_else(|| InvalidConfig::Rule {
                key: "services",
                rule: format!(
                    "{folder:?} must start with the service's number, such as 12_cmdb_mcp"
                ),
            })?;
        let from_variable = environment.find(&format!("WAYGATE_SPOKE_URL_{number:02}"));
        let url = match (from_variable, service.url.as_str()) {
            (Some((_, url)), _) => url.to_owned(),
            (None, "") => {
                let port = self.port(number, environment)?;
                let scheme = match self.spokes.auth {
                    SpokeAuth::Mtls => "https",
                    SpokeAuth::Token | SpokeAuth::None => "http",
                };
                match self.mode {
                    Mode::Container => format!("{scheme}://{folder}:{port}"),
                    Mode::LocalVm => format!("{scheme}://127.0.0.1:{port}"),
                }
            }
            (None, url) => url.to_owned(),
        };
        Ok(Spoke {
            number,
            service: folder.into(),
            url,
            namespaces: service.namespaces.clone(),
            long_running: service.long_running_tools.clone(),
        })
    }

    fn port(&self, number: u8, environment: &Environment) -> Result<u16, InvalidConfig> {
        let exact = format!("MCP_PORT_{number:02}");
        let prefix = format!("{exact}_");
        let named = environment
            .iter()
            .find(|(name, _)| *name == exact || name.starts_with(&prefix));
        match named {
            None => Ok(self.spokes.port_base.saturating_add(u16::from(number))),
            Some((name, text)) => {
                text.parse()
                    .map_err(|_error: std::num::ParseIntError| InvalidConfig::Rule {
                        key: "MCP_PORT",
                        rule: format!("{name} must be a port number"),
                    })
            }
        }
    }
}
