//! The stores secrets come from. Each reads one value by its full name and says whether it is set up.

mod azure;
mod environment;
mod google;
mod keepass;
mod vault;

use crate::config::Config;
use crate::name::SecretName;
use azure::Azure;
use environment::OwnEnvironment;
use google::Google;
use keepass::KeePass;
use shared::error::Code;
use shared::secret::{Secret, SecretError};
use shared::spoke::{Health, Kit};
use shared::tool::ToolError;
use vault::Vault;

/// Longest value that is handed on, in bytes.
const MAX_VALUE: usize = 64 * 1024;

/// All stores.
pub(crate) struct Stores {
    keepass: KeePass,
    azure: Azure,
    google: Google,
    vault: Vault,
    environment: OwnEnvironment,
}

/// One value as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) value: Secret,
    /// `None`: the store keeps no versions.
    pub(crate) version: Option<String>,
}

/// Whether a store can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Yes; the text says what the last request came to, when it failed.
    Ready(Option<String>),
    /// No: this setting comes next.
    Missing {
        setting: &'static str,
        /// Somebody has begun to make settings.
        begun: bool,
    },
}

/// Why the stores cannot be prepared; a missing setting is no error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// A secret is set but cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// TLS does not work on this host.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
    /// The key file of a service account is away or may not be read.
    #[error("the file named by GOOGLE_APPLICATION_CREDENTIALS cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// It holds something else.
    #[error("the file named by GOOGLE_APPLICATION_CREDENTIALS {0}")]
    ServiceAccount(&'static str),
}

impl Stores {
    /// Prepares all stores; asks nobody yet.
    pub(crate) fn prepare(config: &Config, kit: &Kit) -> Result<Self, SetupError> {
        let secrets = kit.secrets.as_ref();
        Ok(Self {
            keepass: KeePass::prepare(&config.keepass, secrets)?,
            azure: Azure::prepare(config, secrets)?,
            google: Google::prepare(config, &kit.clock)?,
            vault: Vault::prepare(config, secrets)?,
            environment: OwnEnvironment::new(&config.environment, &kit.secrets),
        })
    }

    /// Full name of a secret in Azure: in the vault at `url`, else in the configured one.
    pub(crate) fn azure_name(
        &self,
        name: &str,
        url: Option<&str>,
    ) -> Result<SecretName, ToolError> {
        self.azure.name(name, url)
    }

    /// Full name of a secret in Google's cloud: in `project`, else in the configured one.
    pub(crate) fn google_name(
        &self,
        name: &str,
        project: Option<&str>,
    ) -> Result<SecretName, ToolError> {
        self.google.name(name, project)
    }

    /// Reads a value; the newest when no version is asked for.
    pub(crate) async fn read(
        &self,
        name: &SecretName,
        version: Option<&str>,
    ) -> Result<Found, ToolError> {
        let unversioned = || match version {
            None => Ok(()),
            Some(_) => Err(ToolError::invalid("version", "is not kept by this store")),
        };
        let found = match name {
            SecretName::KeePass { entry, field } => {
                unversioned()?;
                self.keepass.read(entry, field).await?
            }
            SecretName::Azure { host, name } => self.azure.read(host, name, version).await?,
            SecretName::Google { project, name } => {
                self.google.read(project, name, version).await?
            }
            SecretName::Vault { mount, path, field } => {
                self.vault.read((mount, path, field), version).await?
            }
            SecretName::Environment { name } => {
                unversioned()?;
                self.environment.read(name)?
            }
        };
        if found.value.expose().len() > MAX_VALUE {
            let message = "the secret is longer than 65536 bytes";
            return Err(ToolError::refused(Code::PayloadTooLarge, message));
        }
        Ok(found)
    }

    /// Each store by its word, and whether it can be asked.
    pub(crate) fn setups(&self) -> [(&'static str, Setup); 5] {
        [
            ("keepass", self.keepass.setup()),
            ("azure_kv", self.azure.setup()),
            ("gcp_sm", self.google.setup()),
            ("vault", self.vault.setup()),
            ("env", self.environment.setup()),
        ]
    }
}

impl Setup {
    /// Not to use a store is a choice; to have begun and not finished is not.
    pub(crate) fn health(&self) -> Health {
        match self {
            Self::Missing {
                setting,
                begun: true,
            } => Health::Degraded(format!("not configured: set {setting}")),
            Self::Ready(Some(trouble)) => Health::Degraded(trouble.clone()),
            Self::Missing { .. } | Self::Ready(None) => Health::Healthy,
        }
    }
}
