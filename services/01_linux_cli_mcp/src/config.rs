//! Settings of this spoke. The annotated reference is `config.default.toml`; secrets are not here.

use serde::Deserialize;
use shared::config::{Environment, Kind, Variable};

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
    Variable::new("PLATFORM", "system.platform", Kind::Text),
    Variable::new("PACKAGE_MANAGER", "system.package_manager", Kind::Text),
    Variable::new("NGINX_SITES_DIR", "nginx.sites_dir", Kind::Text),
    Variable::new("NGINX_LOG_DIR", "nginx.log_dir", Kind::Text),
    Variable::new("SFTP_GROUP", "sftp.group", Kind::Text),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What may be run.
    pub(crate) commands: Commands,
    /// What may be read and written.
    pub(crate) files: Files,
    /// Which hosts may be reached.
    pub(crate) ssh: ssh::Settings,
    /// What this host is.
    pub(crate) system: System,
    /// The web server.
    pub(crate) nginx: Nginx,
    /// The file transfer users.
    pub(crate) sftp: Sftp,
}

/// What may be run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Commands {
    /// Bare names.
    pub(crate) allowed: Vec<String>,
    /// The search path.
    pub(crate) directories: Vec<String>,
}

/// What may be read and written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    /// With colons between them, `${TMPDIR}` not replaced yet.
    pub(crate) read_paths: String,
    /// The same for writing.
    pub(crate) write_paths: String,
    /// For both.
    pub(crate) max_bytes: u64,
    /// Extensions that may be written.
    pub(crate) allowed_types: Vec<String>,
}

/// What this host is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct System {
    /// `auto`, `linux`, or what this spoke is not for.
    pub(crate) platform: String,
    /// `auto` or a name.
    pub(crate) package_manager: String,
}

/// The web server. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nginx {
    /// Where site files are.
    pub(crate) sites_dir: String,
    /// Where access logs are.
    pub(crate) log_dir: String,
}

impl Nginx {
    /// Where access logs are.
    pub(crate) fn logs(&self) -> &str {
        match self.log_dir.as_str() {
            "" => "/var/log/nginx",
            set => set,
        }
    }
}

/// The file transfer users.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sftp {
    /// Name of their group.
    pub(crate) group: String,
}

/// A list of folders with `${TMPDIR}` replaced.
pub(crate) fn folders(list: &str, environment: &Environment) -> String {
    let temporary = environment.get("TMPDIR").filter(|value| !value.is_empty());
    list.replace("${TMPDIR}", temporary.unwrap_or("/tmp"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::config::{Sources, load};

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
        assert_eq!(allowed, "ls,cat,grep,ps,df,echo,stat,head,tail,find,ssh");
        assert_eq!(config.sftp.group, "sftpusers");
        let environment: Environment = [("TMPDIR", "/somewhere")].into_iter().collect();
        let read = folders(&config.files.read_paths, &environment);
        assert_eq!(read, "/etc:/var/log:/home:/somewhere");
    }

    #[test]
    fn variables_win() {
        let config = read(&[("ALLOWED_COMMANDS", "ls, sleep"), ("SSH_HOSTS", "a,b")]).unwrap();
        assert_eq!(config.commands.allowed, ["ls", "sleep"]);
        assert_eq!(config.ssh.hosts, ["a", "b"]);
        assert!(read(&[("SSH_HOSTS", "[")]).is_err());
    }
}
