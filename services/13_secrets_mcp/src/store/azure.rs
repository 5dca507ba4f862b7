//! Azure Key Vault over its REST API 7.4, as an application (client credentials), reading only.

use super::{Found, Setup, SetupError};
use crate::config::{Address, Config};
use crate::name::SecretName;
use crate::remote::{self, Failed, Remote, Token, Tokens, join};
use serde::Deserialize;
use shared::secret::{Secret, SecretProvider};
use shared::tool::ToolError;
use url::Url;

const API_VERSION: &str = "7.4";
const SCOPE: &str = "https://vault.azure.net/.default";
/// The only hosts, besides the configured one, that a token may be shown to.
const CLOUDS: &[&str] = &[
    ".vault.azure.net",
    ".vault.azure.cn",
    ".vault.usgovcloudapi.net",
];

/// The vaults, or the setting that is missing to reach them.
pub(super) struct Azure {
    /// The configured vault.
    vault: Option<Url>,
    account: Result<Box<Account>, &'static str>,
    begun: bool,
}

struct Account {
    tenant: String,
    client_id: String,
    secret: Secret,
    login: Url,
    tokens: Tokens,
    remote: Remote,
}

#[derive(Deserialize)]
struct Bundle {
    #[serde(deserialize_with = "remote::secret")]
    value: Secret,
    /// Address of this version.
    id: String,
}

impl Azure {
    pub(super) fn prepare(
        config: &Config,
        secrets: &dyn SecretProvider,
    ) -> Result<Self, SetupError> {
        let settings = &config.azure;
        // The file is named by AZURE_CLIENT_SECRET_SECRET_PATH.
        let secret = secrets.get("AZURE_CLIENT_SECRET")?;
        let vault = settings.vault_url.0.clone();
        let texts = [&settings.client_id, &settings.tenant_id];
        let begun = vault.is_some() || texts.iter().any(|text| !text.is_empty());
        let account = match (secret, &settings.login_url.0) {
            _ if settings.tenant_id.is_empty() => Err("AZURE_TENANT_ID"),
            _ if settings.client_id.is_empty() => Err("AZURE_CLIENT_ID"),
            (None, _) => Err("AZURE_CLIENT_SECRET_SECRET_PATH"),
            (_, None) => Err("AZURE_LOGIN_URL"),
            (Some(secret), Some(login)) => Ok(Box::new(Account {
                tenant: settings.tenant_id.clone(),
                client_id: settings.client_id.clone(),
                secret,
                login: login.clone(),
                tokens: Tokens::default(),
                remote: Remote::prepare(
                    config,
                    "Azure Key Vault",
                    "AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET_SECRET_PATH",
                )?,
            })),
        };
        Ok(Self {
            vault,
            account,
            begun,
        })
    }

    pub(super) fn name(&self, name: &str, url: Option<&str>) -> Result<SecretName, ToolError> {
        let url = match url {
            Some(text) => Some(self.allowed(text)?),
            None => self.vault.clone(),
        };
        let host = url.as_ref().and_then(Url::host_str);
        // The name is judged before the settings.
        let found = SecretName::azure(host.unwrap_or_default(), name)?;
        host.map(|_| found)
            .ok_or_else(|| ToolError::not_configured("AZURE_VAULT_URL"))
    }

    /// A vault of Azure's clouds, or the configured one: nobody else is shown a token.
    fn allowed(&self, text: &str) -> Result<Url, ToolError> {
        let invalid = |rule: &str| ToolError::invalid("vaultUrl", rule);
        let url = Address::try_from(text.to_owned()).map_err(invalid)?;
        let url = url.0.ok_or_else(|| invalid("is empty"))?;
        let configured = self.vault.as_ref().is_some_and(|vault| same(vault, &url));
        let host = url.host_str().unwrap_or_default();
        let ours = CLOUDS.iter().any(|cloud| {
            host.strip_suffix(cloud)
                .is_some_and(|name| !name.is_empty() && !name.contains('.'))
        });
        let plain = url.scheme() == "https" && url.port().is_none();
        match configured || (ours && plain) {
            true => Ok(url),
            false => Err(invalid("is no vault such as https://acme.vault.azure.net")),
        }
    }

    pub(super) async fn read(
        &self,
        host: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Found, ToolError> {
        let account = self
            .account
            .as_ref()
            .map_err(|it| ToolError::not_configured(it))?;
        let plain = |text: &str| {
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if !version.is_none_or(plain) {
            let rule = "is no version of a secret";
            return Err(ToolError::invalid("version", rule));
        }
        let base = match &self.vault {
            Some(vault) if vault.host_str() == Some(host) => vault.clone(),
            _ => Url::parse(&format!("https://{host}/")).or(Err(account.remote.nonsense()))?,
        };
        let url = join(&base, ["secrets", name].into_iter().chain(version));
        let mut answer = account.ask(url.clone()).await;
        if let Err(Failed {
            unauthorised: true, ..
        }) = &answer
            && account.tokens.forget().await
        {
            answer = account.ask(url).await;
        }
        let bundle = answer.map_err(|failed| failed.error)?;
        let version = bundle.id.rsplit('/').next().filter(|text| plain(text));
        let version = version.ok_or_else(|| account.remote.nonsense())?;
        Ok(Found {
            version: Some(version.to_owned()),
            value: bundle.value,
        })
    }

    pub(super) fn setup(&self) -> Setup {
        match (&self.account, &self.vault) {
            (Ok(account), Some(_)) => Setup::Ready(account.remote.trouble()),
            (_, None) => Setup::Missing {
                setting: "AZURE_VAULT_URL",
                begun: self.begun,
            },
            (Err(setting), _) => Setup::Missing {
                setting,
                begun: self.begun,
            },
        }
    }
}

fn same(one: &Url, other: &Url) -> bool {
    let place = |url: &Url| {
        let host = url.host_str().map(str::to_owned);
        (url.scheme().to_owned(), host, url.port_or_known_default())
    };
    place(one) == place(other)
}

impl Account {
    async fn ask(&self, url: Url) -> Result<Bundle, Failed> {
        let token = self.tokens.get(self.fetch()).await?;
        let request = self
            .remote
            .get(url)
            .query(&[("api-version", API_VERSION)])
            .bearer_auth(token.expose());
        self.remote.ask(request).await
    }

    async fn fetch(&self) -> Result<Token, ToolError> {
        let url = join(
            &self.login,
            [self.tenant.as_str(), "oauth2", "v2.0", "token"],
        );
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.secret.expose()),
            ("scope", SCOPE),
        ];
        let answer = self.remote.ask(self.remote.post(url).form(&form)).await;
        answer.map_err(|failed| failed.error)
    }
}
