//! Settings of this spoke. The annotated reference is `config.default.toml`; secrets are not here.

use serde::Deserialize;
use shared::config::{Kind, Variable};
use shared::outbound::{BadEntry, Outbound as Guard};
use std::time::Duration;
use url::{Host, Url};

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("SECRETS_RULES_PATH", "rules.path", Kind::Text),
    Variable::new(
        "SECRETS_LEASE_SECONDS",
        "rules.lease_seconds",
        Kind::Integer,
    ),
    Variable::new("KEEPASS_DB_PATH", "keepass.path", Kind::Text),
    Variable::new("KEEPASS_KEYFILE_PATH", "keepass.keyfile", Kind::Text),
    Variable::new("AZURE_VAULT_URL", "azure.vault_url", Kind::Text),
    Variable::new("AZURE_CLIENT_ID", "azure.client_id", Kind::Text),
    Variable::new("AZURE_TENANT_ID", "azure.tenant_id", Kind::Text),
    Variable::new("AZURE_LOGIN_URL", "azure.login_url", Kind::Text),
    Variable::new("GCP_PROJECT_ID", "google.project", Kind::Text),
    Variable::new(
        "GOOGLE_APPLICATION_CREDENTIALS",
        "google.credentials",
        Kind::Text,
    ),
    Variable::new("GCP_SECRETMANAGER_URL", "google.url", Kind::Text),
    Variable::new("GCP_TOKEN_URL", "google.token_url", Kind::Text),
    Variable::new("VAULT_ADDR", "vault.url", Kind::Text),
    Variable::new("VAULT_NAMESPACE", "vault.namespace", Kind::Text),
    Variable::new("VAULT_KV_VERSION", "vault.kv_version", Kind::Integer),
    Variable::new("SECRETS_ENV_ALLOW", "environment.allow", Kind::List),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Who may have what.
    pub(crate) rules: Rules,
    /// A `KeePass` file.
    pub(crate) keepass: KeePass,
    /// Azure Key Vault.
    pub(crate) azure: Azure,
    /// Google Secret Manager.
    pub(crate) google: Google,
    /// `HashiCorp` Vault.
    pub(crate) vault: Vault,
    /// The spoke's own environment.
    pub(crate) environment: OwnEnvironment,
    /// All that is asked over HTTP.
    pub(crate) remote: Remote,
    /// Which addresses may be asked.
    pub(crate) outbound: Outbound,
}

/// Who may have what.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// The file; empty: none.
    pub(crate) path: String,
    /// Life of a reference.
    pub(crate) lease_seconds: Lease,
}

/// A `KeePass` file. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeePass {
    pub(crate) path: String,
    pub(crate) keyfile: String,
    pub(crate) max_file_bytes: u64,
}

/// Azure Key Vault. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Azure {
    pub(crate) vault_url: Address,
    pub(crate) client_id: String,
    pub(crate) tenant_id: String,
    pub(crate) login_url: Address,
}

/// Google Secret Manager. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Google {
    pub(crate) project: String,
    pub(crate) credentials: String,
    pub(crate) url: Address,
    pub(crate) token_url: Address,
}

/// `HashiCorp` Vault. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vault {
    pub(crate) url: Address,
    pub(crate) namespace: String,
    pub(crate) kv_version: KvVersion,
}

/// The spoke's own environment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnEnvironment {
    /// Names that may be read; nothing else is.
    pub(crate) allow: Vec<String>,
}

/// All that is asked over HTTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remote {
    /// Longest wait for one answer.
    pub(crate) timeout_seconds: Seconds,
}

/// Which addresses may be asked although they are not public.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outbound {
    /// Host names, addresses, ranges.
    pub(crate) allow: Allow,
}

/// The guard those entries make.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct Allow(pub(crate) Guard);

impl TryFrom<Vec<String>> for Allow {
    type Error = BadEntry;

    fn try_from(entries: Vec<String>) -> Result<Self, BadEntry> {
        Guard::allowing(&entries).map(Self)
    }
}

/// A base address; `None` when not set. Credentials do not travel in clear: http is for loopback only.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Address(pub(crate) Option<Url>);

impl TryFrom<String> for Address {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.trim().is_empty() {
            return Ok(Self(None));
        }
        let Ok(url) = Url::parse(text.trim()) else {
            return Err("expected an address such as https://vault.example:8200");
        };
        if !travels_safely(&url) {
            return Err("expected https, or http on a loopback address");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("user and password do not belong into an address");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("expected an address without query");
        }
        Ok(Self(Some(url)))
    }
}

/// Whether what is sent to this address cannot be read on the way.
pub(crate) fn travels_safely(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

/// Version of Vault's KV engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) enum KvVersion {
    One,
    Two,
}

impl TryFrom<u64> for KvVersion {
    type Error = &'static str;

    fn try_from(version: u64) -> Result<Self, Self::Error> {
        match version {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err("expected 1 or 2"),
        }
    }
}

/// A wait of 1 to 120 seconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) struct Seconds(pub(crate) Duration);

impl TryFrom<u64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        match seconds {
            1..=120 => Ok(Self(Duration::from_secs(seconds))),
            _ => Err("expected 1 to 120 seconds"),
        }
    }
}

/// Life of a reference: a minute to a day.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct Lease(pub(crate) u32);

impl TryFrom<u32> for Lease {
    type Error = &'static str;

    fn try_from(seconds: u32) -> Result<Self, Self::Error> {
        match seconds {
            60..=86_400 => Ok(Self(seconds)),
            _ => Err("expected 60 to 86400 seconds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::config::{Environment, Sources, load};

    fn read(environment: &[(&str, &str)]) -> Result<Config, String> {
        let loaded = load(&Sources {
            defaults: DEFAULTS,
            files: &[],
            variables: VARIABLES,
            environment: &environment.iter().copied().collect::<Environment>(),
        });
        loaded
            .map(|loaded| loaded.config)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_name_no_store() {
        let config = read(&[]).unwrap();
        assert!(config.vault.url.0.is_none() && config.azure.vault_url.0.is_none());
        assert!(config.keepass.path.is_empty() && config.environment.allow.is_empty());
        assert_eq!(config.vault.kv_version, KvVersion::Two);
    }

    /// Acceptance: 21
    #[test]
    fn a_bad_setting_is_named() {
        for (name, value, key) in [
            ("VAULT_ADDR", "http://vault.example", "vault.url"),
            ("VAULT_ADDR", "https://u:p@vault.example", "vault.url"),
            ("AZURE_VAULT_URL", "not an address", "azure.vault_url"),
            ("VAULT_KV_VERSION", "3", "vault.kv_version"),
            ("SECRETS_LEASE_SECONDS", "5", "rules.lease_seconds"),
            ("WAYGATE_OUTBOUND_ALLOW", "a b", "outbound.allow"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(
                error.starts_with(&format!("{key} (variable {name}): ")),
                "{error}"
            );
        }
    }
}
