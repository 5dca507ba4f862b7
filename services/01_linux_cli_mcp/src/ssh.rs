//! Commands on other hosts: a closed list of hosts, each with a host key that is known beforehand.
//!
//! A host that is not in `SSH_HOSTS`, has no key in the file of host keys, or shows another one is
//! refused; nothing is ever learnt from a connection. Which commands may run is not decided here.

mod link;

use crate::config;
use link::{Link, LinkError};
use russh::keys::{HashAlg, PrivateKey, PublicKey, decode_secret_key};
use shared::error::Code;
use shared::exec::{Finished, OUTPUT_LIMIT};
use shared::secret::SecretProvider;
use shared::spoke::Kit;
use shared::tasks::Tasks;
use shared::tool::ToolError;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Name of the secret that holds the private key.
const KEY: &str = "SSH_KEY";
/// Options that leave nothing to files and agents of this host. Those given first win.
const CLOSED: [&str; 14] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "CheckHostIP=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ProxyCommand=none",
    "ControlMaster=no",
    "ControlPath=none",
    "ConnectTimeout=10",
    "ServerAliveInterval=15",
];

/// The hosts that may be reached, and how.
pub(crate) struct Ssh {
    config: config::Ssh,
    secrets: Arc<dyn SecretProvider>,
    tasks: Tasks,
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ssh").field(&self.config).finish()
    }
}

/// Where and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
}

/// A target whose host key is known.
#[derive(Debug, Clone)]
pub(crate) struct Pinned {
    pub(crate) target: Target,
    keys: Vec<PublicKey>,
}

impl Pinned {
    /// The keys the host may show, as OpenSSH prints them.
    pub(crate) fn fingerprints(&self) -> String {
        let print = |key: &PublicKey| key.fingerprint(HashAlg::Sha256).to_string();
        self.keys.iter().map(print).collect::<Vec<_>>().join(", ")
    }
}

impl Ssh {
    pub(crate) fn new(config: &config::Ssh, kit: &Kit) -> Self {
        Self {
            config: config.clone(),
            secrets: Arc::clone(&kit.secrets),
            tasks: kit.tasks.clone(),
        }
    }

    /// Refuses a host that is not in the list.
    pub(crate) fn check_host(&self, host: &str) -> Result<(), ToolError> {
        if self.config.hosts.is_empty() {
            return Err(ToolError::not_configured("SSH_HOSTS"));
        }
        if self.config.hosts.iter().any(|known| known == host) {
            return Ok(());
        }
        Err(ToolError::refused(
            Code::PolicyViolation,
            "target_host: the host is not in SSH_HOSTS",
        ))
    }

    /// Finds the host key of a target; `user` is `None` for the usual one.
    pub(crate) fn pin(
        &self,
        host: &str,
        port: u16,
        user: Option<&str>,
    ) -> Result<Pinned, ToolError> {
        self.check_host(host)?;
        let user = user.unwrap_or(&self.config.user);
        if user.is_empty() {
            return Err(ToolError::not_configured("SSH_USER"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if user.len() > 64 || user.starts_with('-') || !user.chars().all(plain) {
            return Err(ToolError::invalid(
                "user",
                "letters, digits, '_', '.' and '-' only",
            ));
        }
        let keys = russh::keys::known_hosts::known_host_keys_path(host, port, self.known_hosts()?);
        let keys = keys.map_err(|error| {
            tracing::error!(event = "known_hosts", %error, "the file of host keys cannot be read");
            ToolError::refused(
                Code::ConfigurationError,
                "the file in SSH_KNOWN_HOSTS_PATH cannot be read",
            )
        })?;
        let keys: Vec<_> = keys.into_iter().map(|(_, key)| key).collect();
        if keys.is_empty() {
            return Err(ToolError::refused(
                Code::PolicyViolation,
                "the host key is not known: an operator has to add it to the file in \
                 SSH_KNOWN_HOSTS_PATH",
            ));
        }
        let target = Target {
            host: host.to_owned(),
            port,
            user: user.to_owned(),
        };
        Ok(Pinned { target, keys })
    }

    /// Runs words on a Linux host: each in single quotes for the shell there. Dropping the future
    /// stops the command in the background.
    pub(crate) async fn run(
        &self,
        pinned: Pinned,
        words: &[String],
        timeout: Duration,
    ) -> Result<Finished, ToolError> {
        let key = self.key()?;
        let line = shared::command::quoted(words);
        let given_up = CancellationToken::new();
        let guard = given_up.clone().drop_guard();
        let stop = Stop {
            given_up,
            stopping: self.tasks.token(),
        };
        let work = async move {
            let link = Link::open(&pinned.target, pinned.keys, key, timeout).await?;
            let done = talk(&link, &line, timeout, &stop).await;
            link.close().await;
            done
        };
        let done = self.tasks.spawn("ssh", work).await;
        guard.disarm();
        match done {
            Ok(done) => Ok(done?),
            Err(error) => {
                tracing::error!(event = "ssh_task_lost", %error, "a connection was lost");
                Err(ToolError::new(
                    Code::InternalError,
                    "the connection was lost",
                ))
            }
        }
    }

    /// Puts options behind `ssh` that leave nothing to files and agents of this host.
    pub(crate) fn with_closed_options(&self, argv: Vec<String>) -> Result<Vec<String>, ToolError> {
        let known_hosts = format!("UserKnownHostsFile={}", self.known_hosts()?.display());
        let options = CLOSED.iter().map(|option| (*option).to_owned());
        let pairs = options.chain([known_hosts]);
        let fixed = pairs.flat_map(|option| ["-o".to_owned(), option]);
        let mut words = argv.into_iter();
        let program = words.next();
        let closed = ["-F", "/dev/null", "-T"].map(str::to_owned);
        Ok(program
            .into_iter()
            .chain(closed)
            .chain(fixed)
            .chain(words)
            .collect())
    }

    fn known_hosts(&self) -> Result<&Path, ToolError> {
        match self.config.known_hosts_path.as_str() {
            "" => Err(ToolError::not_configured("SSH_KNOWN_HOSTS_PATH")),
            path => Ok(Path::new(path)),
        }
    }

    fn key(&self) -> Result<Arc<PrivateKey>, ToolError> {
        let unusable = |error: &dyn fmt::Display| {
            tracing::error!(event = "ssh_key", %error, "the private key cannot be used");
            let message =
                "the private key for SSH cannot be used (Ed25519 or ECDSA, no passphrase)";
            ToolError::refused(Code::ConfigurationError, message)
        };
        let secret = self.secrets.get(KEY).map_err(|error| unusable(&error))?;
        let Some(secret) = secret else {
            return Err(ToolError::not_configured("SSH_KEY_SECRET_PATH"));
        };
        // The text may have lost its last line break, without which it is not read.
        let text = format!("{}\n", secret.expose().trim_end());
        match decode_secret_key(&text, None) {
            Ok(key) => Ok(Arc::new(key)),
            Err(error) => Err(unusable(&error)),
        }
    }

    /// What is missing before a host can be reached; `None` when nothing is, or when no host is
    /// meant to be reached.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        if self.config.hosts.is_empty() {
            return None;
        }
        if self.config.known_hosts_path.is_empty() {
            return Some("SSH_KNOWN_HOSTS_PATH");
        }
        let key = self.secrets.get(KEY);
        (!matches!(key, Ok(Some(_)))).then_some("SSH_KEY_SECRET_PATH")
    }
}

/// Why a run may have to end early.
struct Stop {
    /// The caller does not wait any more.
    given_up: CancellationToken,
    /// This process is stopping.
    stopping: CancellationToken,
}

impl Stop {
    async fn asked(&self) {
        tokio::select! {
            () = self.given_up.cancelled() => {}
            () = self.stopping.cancelled() => {}
        }
    }
}

async fn talk(
    link: &Link,
    line: &str,
    timeout: Duration,
    stop: &Stop,
) -> Result<Finished, LinkError> {
    link.check_linux().await?;
    link.run(line, timeout, OUTPUT_LIMIT, stop.asked()).await
}
