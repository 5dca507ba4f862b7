//! Settings of this spoke. The annotated reference is `config.default.toml`; secrets are not here.

use crate::wsman::Method;
use serde::Deserialize;
use shared::config::{Kind, Variable};

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("WINRM_HOSTS", "winrm.hosts", Kind::List),
    Variable::new("WINRM_USER", "winrm.user", Kind::Text),
    Variable::new("WINRM_AUTH", "winrm.auth", Kind::Text),
    Variable::new("WINRM_PORT", "winrm.port", Kind::Integer),
    Variable::new("WINRM_CA_PATH", "winrm.ca_path", Kind::Text),
    Variable::new("ALLOWED_COMMANDS", "commands.allowed", Kind::List),
    Variable::new("ALLOWED_READ_PATHS", "files.read_paths", Kind::Text),
    Variable::new("ALLOWED_WRITE_PATHS", "files.write_paths", Kind::Text),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Which hosts may be reached, and how.
    pub(crate) winrm: Winrm,
    /// What only reads.
    pub(crate) commands: Commands,
    /// What may be read and written.
    pub(crate) files: Files,
}

/// Which hosts may be reached, and how. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Winrm {
    /// By the name a call uses.
    pub(crate) hosts: Vec<String>,
    /// Who we are.
    pub(crate) user: String,
    /// How that is shown.
    pub(crate) auth: Method,
    /// Of HTTPS.
    pub(crate) port: u16,
    /// File of certificates.
    pub(crate) ca_path: String,
}

/// What only reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Commands {
    /// Names of cmdlets.
    pub(crate) allowed: Vec<String>,
}

/// What may be read and written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    /// With semicolons between them.
    pub(crate) read_paths: String,
    /// The same for writing.
    pub(crate) write_paths: String,
    /// For both.
    pub(crate) max_bytes: u64,
    /// Extensions that may be written.
    pub(crate) allowed_types: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::config::{Environment, Sources, load};

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let environment: Environment = pairs.iter().copied().collect();
        let loaded = load(&Sources {
            defaults: DEFAULTS,
            files: &[],
            variables: VARIABLES,
            environment: &environment,
        });
        loaded
            .map(|loaded| loaded.config)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_catalogue() {
        let config = read(&[]).unwrap();
        assert_eq!((config.winrm.auth, config.winrm.port), (Method::Ntlm, 5986));
        assert_eq!(config.commands.allowed.len(), 14);
        let basic = read(&[("WINRM_AUTH", "basic")]).unwrap();
        assert_eq!(basic.winrm.auth, Method::Basic);
    }

    /// Acceptance: 21
    #[test]
    fn a_bad_setting_is_named() {
        let error = read(&[("WINRM_AUTH", "kerberos")]).unwrap_err();
        let start = "winrm.auth (variable WINRM_AUTH): ";
        assert!(error.starts_with(start), "{error}");
    }
}
