//! Settings of this spoke. The annotated reference is `config.default.toml`; secrets are not here.

use serde::Deserialize;
use shared::config::{Kind, Variable};

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("ALLOWED_COMMANDS", "commands.allowed", Kind::List),
    Variable::new("ALLOWED_READ_PATHS", "files.read_paths", Kind::Text),
    Variable::new("ALLOWED_WRITE_PATHS", "files.write_paths", Kind::Text),
    Variable::new("SSH_HOSTS", "ssh.hosts", Kind::List),
    Variable::new("SSH_USER", "ssh.user", Kind::Text),
    Variable::new("SSH_KNOWN_HOSTS_PATH", "ssh.known_hosts_path", Kind::Text),
    Variable::new("SSH_PORT", "server.port", Kind::Integer),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What may be run.
    pub(crate) commands: Commands,
    /// What may be read and written.
    pub(crate) files: Files,
    /// Which Macs may be reached.
    pub(crate) ssh: ssh::Settings,
    /// Their SSH servers.
    pub(crate) server: Server,
}

/// What may be run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Commands {
    /// Bare names.
    pub(crate) allowed: Vec<String>,
}

/// What may be read and written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    /// With colons between them.
    pub(crate) read_paths: String,
    /// The same for writing.
    pub(crate) write_paths: String,
    /// For both.
    pub(crate) max_bytes: u64,
    /// Extensions that may be written.
    pub(crate) allowed_types: Vec<String>,
}

/// The SSH servers of the Macs.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// 1 to 65535.
    pub(crate) port: u16,
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
        let allowed = config.commands.allowed.join(",");
        assert_eq!(
            allowed,
            "ls,cat,grep,ps,df,echo,stat,head,tail,find,ssh,sw_vers,mdfind,system_profiler"
        );
        assert_eq!(config.server.port, 22);
    }

    /// Acceptance: 21
    #[test]
    fn a_bad_setting_is_named() {
        let error = read(&[("SSH_PORT", "70000")]).unwrap_err();
        assert!(
            error.starts_with("server.port (variable SSH_PORT): "),
            "{error}"
        );
    }
}
