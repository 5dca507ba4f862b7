//! The hosts that may be reached, how, and what is run there.

use crate::link::{Link, LinkError};
use crate::order::{Order, System};
use russh::keys::{HashAlg, PrivateKey, PublicKey, decode_secret_key};
use serde::Deserialize;
use shared::error::Code;
use shared::exec::Finished;
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

/// Which hosts may be reached. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// By the name a call uses (`SSH_HOSTS`).
    pub hosts: Vec<String>,
    /// The usual user (`SSH_USER`).
    pub user: String,
    /// The file of host keys (`SSH_KNOWN_HOSTS_PATH`).
    pub known_hosts_path: String,
}

/// The hosts that may be reached, and how.
pub struct Hosts {
    settings: Settings,
    system: System,
    argument: &'static str,
    secrets: Arc<dyn SecretProvider>,
    tasks: Tasks,
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hosts").field(&self.settings).finish()
    }
}

/// Where and as whom.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name, as in the list.
    pub host: String,
    /// Port of its SSH server.
    pub port: u16,
    /// Who we are there.
    pub user: String,
}

/// A target whose host key is known.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// Where and as whom.
    pub target: Target,
    pub(crate) keys: Vec<PublicKey>,
}

impl Pinned {
    /// The keys the host may show, as OpenSSH prints them.
    #[must_use]
    pub fn fingerprints(&self) -> String {
        let print = |key: &PublicKey| key.fingerprint(HashAlg::Sha256).to_string();
        self.keys.iter().map(print).collect::<Vec<_>>().join(", ")
    }
}

impl Hosts {
    /// The hosts of these settings, all of this system; `argument` is what calls name one with. The
    /// key is read when it is needed, from the secret `SSH_KEY`.
    #[must_use]
    pub fn new(settings: &Settings, system: System, argument: &'static str, kit: &Kit) -> Self {
        Self {
            settings: settings.clone(),
            system,
            argument,
            secrets: Arc::clone(&kit.secrets),
            tasks: kit.tasks.clone(),
        }
    }

    /// Refuses a host that is not in the list.
    ///
    /// # Errors
    /// `NOT_CONFIGURED` when there is no list, `POLICY_VIOLATION` when it is not in it.
    pub fn check(&self, host: &str) -> Result<(), ToolError> {
        if self.settings.hosts.is_empty() {
            return Err(ToolError::not_configured("SSH_HOSTS"));
        }
        if self.settings.hosts.iter().any(|known| known == host) {
            return Ok(());
        }
        Err(ToolError::refused(
            Code::PolicyViolation,
            format!("{}: the host is not in SSH_HOSTS", self.argument),
        ))
    }

    /// The host of a call: the one it names, or the only one there is.
    ///
    /// # Errors
    /// Those of [`Hosts::check`]; `INVALID_INPUT` when it names none and there are several.
    pub fn choose<'a>(&'a self, host: Option<&'a str>) -> Result<&'a str, ToolError> {
        match (host, self.settings.hosts.as_slice()) {
            (None, []) => Err(ToolError::not_configured("SSH_HOSTS")),
            (None, [only]) => Ok(only),
            (None, _) => Err(ToolError::invalid(
                self.argument,
                "there are several hosts; name one of SSH_HOSTS",
            )),
            (Some(host), _) => self.check(host).map(|()| host),
        }
    }

    /// Finds the host key of a target in the list; `user` is `None` for the usual one.
    ///
    /// # Errors
    /// `NOT_CONFIGURED`, `CONFIGURATION_ERROR`, `INVALID_INPUT` for a user that is no name,
    /// `POLICY_VIOLATION` when the host key is not known.
    pub fn pin(&self, host: &str, port: u16, user: Option<&str>) -> Result<Pinned, ToolError> {
        self.check(host)?;
        let user = user.unwrap_or(&self.settings.user);
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

    /// Opens a connection to a host of the right system.
    ///
    /// # Errors
    /// Those of [`LinkError`], and of the key.
    pub async fn open(&self, pinned: Pinned, patience: Duration) -> Result<Link, ToolError> {
        let key = self.key()?;
        Ok(Link::open(pinned, key, self.system, patience).await?)
    }

    /// Runs a program on a host of the right system until it ends or the time is over. Dropping the
    /// future stops it in the background.
    ///
    /// # Errors
    /// Those of [`LinkError`], and of the key. A program that was stopped is no error.
    pub async fn run(
        &self,
        pinned: Pinned,
        order: Order,
        timeout: Duration,
    ) -> Result<Finished, ToolError> {
        let key = self.key()?;
        let system = self.system;
        let given_up = CancellationToken::new();
        let guard = given_up.clone().drop_guard();
        let stop = Stop {
            given_up,
            stopping: self.tasks.token(),
        };
        let work = async move {
            let link = Link::open(pinned, key, system, timeout).await?;
            let done = link.run(&order, timeout, stop.asked()).await;
            link.close().await;
            done
        };
        let done = self.tasks.spawn("ssh", work).await;
        guard.disarm();
        match done {
            Ok(done) => Ok(done.map_err(|error: LinkError| ToolError::from(error))?),
            Err(error) => {
                tracing::error!(event = "ssh_task_lost", %error, "a connection was lost");
                Err(ToolError::new(
                    Code::InternalError,
                    "the connection was lost",
                ))
            }
        }
    }

    /// The file of host keys.
    ///
    /// # Errors
    /// `NOT_CONFIGURED`.
    pub fn known_hosts(&self) -> Result<&Path, ToolError> {
        match self.settings.known_hosts_path.as_str() {
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
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        if self.settings.hosts.is_empty() {
            return None;
        }
        if self.settings.known_hosts_path.is_empty() {
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
