//! Settings of this spoke. The annotated reference is `config.default.toml`; secrets are not here.

use serde::Deserialize;
use shared::config::{Kind, Variable};
use shared::files::{Roots, Rules};
use shared::remote::{BaseUrl, MetadataUrl, Reach, Seconds};

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("AZURE_CREDENTIAL", "azure.credential", Kind::Text),
    Variable::new("AZURE_CLIENT_ID", "azure.client_id", Kind::Text),
    Variable::new("AZURE_TENANT_ID", "azure.tenant_id", Kind::Text),
    Variable::new("AZURE_SUBSCRIPTION_ID", "azure.subscription_id", Kind::Text),
    Variable::new(
        "AZURE_FEDERATED_TOKEN_FILE",
        "azure.federated_token_file",
        Kind::Text,
    ),
    Variable::new("AZURE_ARM_URL", "azure.arm_url", Kind::Text),
    Variable::new("AZURE_LOGIN_URL", "azure.login_url", Kind::Text),
    Variable::new("AZURE_BLOB_URL", "azure.blob_url", Kind::Text),
    Variable::new("AZURE_IMDS_URL", "azure.imds_url", Kind::Text),
    Variable::new("ALLOWED_READ_PATHS", "files.read_paths", Kind::Text),
    Variable::new("ALLOWED_WRITE_PATHS", "files.write_paths", Kind::Text),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The cloud.
    pub(crate) azure: Azure,
    /// What may be read and written here.
    pub(crate) files: Files,
    /// Which addresses may be asked.
    pub(crate) outbound: Reach,
}

/// The cloud. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Azure {
    pub(crate) credential: Kinds,
    pub(crate) client_id: String,
    pub(crate) tenant_id: String,
    pub(crate) subscription_id: String,
    pub(crate) federated_token_file: String,
    pub(crate) arm_url: BaseUrl,
    pub(crate) login_url: BaseUrl,
    pub(crate) blob_url: BlobUrl,
    pub(crate) imds_url: MetadataUrl,
    /// Longest wait for one answer.
    pub(crate) timeout_seconds: Seconds<120>,
}

/// The kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kinds {
    /// An application with a secret.
    Secret,
    /// An application with a federated token.
    Workload,
    /// The identity of the machine.
    Managed,
}

/// What may be read and written here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    read_paths: String,
    write_paths: String,
    /// For both.
    pub(crate) max_bytes: u64,
    allowed_types: Vec<String>,
}

impl Files {
    /// As the module of files takes them.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            read: Roots::parse(&self.read_paths, "ALLOWED_READ_PATHS"),
            write: Roots::parse(&self.write_paths, "ALLOWED_WRITE_PATHS"),
            max_bytes: self.max_bytes,
            types: self.allowed_types.clone(),
        }
    }
}

/// The address of a storage account, with a place for its name.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct BlobUrl(String);

impl BlobUrl {
    const PLACE: &str = "{account}";

    /// The address of this account; its name has been checked.
    pub(crate) fn of(&self, account: &str) -> Option<url::Url> {
        BaseUrl::try_from(self.0.replace(Self::PLACE, account))
            .ok()?
            .0
    }
}

impl TryFrom<String> for BlobUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if !text.contains(Self::PLACE) {
            return Err("expected an address with {account} in it");
        }
        BaseUrl::try_from(text.replace(Self::PLACE, "account"))?;
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_an_account_has_a_place_for_its_name() {
        for (text, expected) in [
            (
                "https://{account}.blob.core.windows.net",
                "https://acme.blob.core.windows.net/",
            ),
            ("http://127.0.0.1:1/{account}", "http://127.0.0.1:1/acme"),
        ] {
            let url = BlobUrl::try_from(text.to_owned()).unwrap();
            assert_eq!(url.of("acme").unwrap().as_str(), expected);
        }
        for bad in [
            "https://blob.example",
            "http://{account}.example",
            "{account}",
        ] {
            assert!(BlobUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
