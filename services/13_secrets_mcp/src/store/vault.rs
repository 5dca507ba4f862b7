//! `HashiCorp` Vault over its HTTP API: the KV engine, version 2 or 1, reading only.

use super::{Found, Setup, SetupError};
use crate::config::{Config, KvVersion};
use crate::remote::{Remote, join};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::error::Code;
use shared::secret::{Secret, SecretProvider};
use shared::tool::ToolError;
use url::Url;

/// The server, or the setting that is missing to reach it.
pub(super) enum Vault {
    Ready(Box<Connection>),
    Missing { setting: &'static str, begun: bool },
}

pub(super) struct Connection {
    base: Url,
    token: Secret,
    namespace: String,
    version: KvVersion,
    remote: Remote,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Versioned {
    /// `None`: this version was deleted.
    data: Option<Map<String, Value>>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
}

impl Vault {
    pub(super) fn prepare(
        config: &Config,
        secrets: &dyn SecretProvider,
    ) -> Result<Self, SetupError> {
        let settings = &config.vault;
        let token = secrets.get("VAULT_TOKEN")?;
        let begun = settings.url.0.is_some() || token.is_some();
        let (base, token) = match (&settings.url.0, token) {
            (None, _) => {
                let setting = "VAULT_ADDR";
                return Ok(Self::Missing { setting, begun });
            }
            (_, None) => {
                let setting = "VAULT_TOKEN_SECRET_PATH";
                return Ok(Self::Missing { setting, begun });
            }
            (Some(base), Some(token)) => (base.clone(), token),
        };
        Ok(Self::Ready(Box::new(Connection {
            base,
            token,
            namespace: settings.namespace.clone(),
            version: settings.kv_version,
            remote: Remote::prepare(config, "Vault", "VAULT_TOKEN_SECRET_PATH and its policy")?,
        })))
    }

    pub(super) async fn read(
        &self,
        (mount, path, field): (&str, &str, &str),
        version: Option<&str>,
    ) -> Result<Found, ToolError> {
        let connection = match self {
            Self::Ready(connection) => connection,
            Self::Missing { setting, .. } => return Err(ToolError::not_configured(setting)),
        };
        let (mut data, version) = match connection.version {
            KvVersion::Two => connection.second(mount, path, version).await?,
            KvVersion::One => (connection.first(mount, path, version).await?, 0),
        };
        let value = match data.remove(field) {
            Some(Value::String(value)) => value,
            Some(Value::Null) | None => {
                let message = "Vault has the secret, but not this field of it";
                return Err(ToolError::refused(Code::NotFound, message));
            }
            Some(other) => other.to_string(),
        };
        Ok(Found {
            value: Secret::new(value),
            version: Some(version.to_string()),
        })
    }

    pub(super) fn setup(&self) -> Setup {
        match self {
            Self::Ready(connection) => Setup::Ready(connection.remote.trouble()),
            Self::Missing { setting, begun } => Setup::Missing {
                setting,
                begun: *begun,
            },
        }
    }
}

impl Connection {
    async fn second(
        &self,
        mount: &str,
        path: &str,
        version: Option<&str>,
    ) -> Result<(Map<String, Value>, u64), ToolError> {
        let url = join(
            &self.base,
            ["v1", mount, "data"].into_iter().chain(path.split('/')),
        );
        let version = version.map(|text| {
            let number = text.parse::<u32>().ok().filter(|number| *number > 0);
            number.ok_or_else(|| ToolError::invalid("version", "is no whole number from 1"))
        });
        let version = version.transpose()?;
        let query = version.map(|number| [("version", number.to_string())]);
        let answer: Answer<Versioned> = self.get(url, query.as_ref().map_or(&[], |it| it)).await?;
        let Versioned { data, metadata } = answer.data;
        let deleted = || ToolError::refused(Code::NotFound, "this version was deleted in Vault");
        Ok((data.ok_or_else(deleted)?, metadata.version))
    }

    async fn first(
        &self,
        mount: &str,
        path: &str,
        version: Option<&str>,
    ) -> Result<Map<String, Value>, ToolError> {
        if version.is_some() {
            let rule = "is not kept by version 1 of the KV engine";
            return Err(ToolError::invalid("version", rule));
        }
        let url = join(&self.base, ["v1", mount].into_iter().chain(path.split('/')));
        let answer: Answer<Map<String, Value>> = self.get(url, &[]).await?;
        Ok(answer.data)
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        url: Url,
        query: &[(&str, String)],
    ) -> Result<T, ToolError> {
        let mut token = reqwest::header::HeaderValue::from_str(self.token.expose())
            .or(Err(ToolError::not_configured("VAULT_TOKEN_SECRET_PATH")))?;
        token.set_sensitive(true);
        let mut request = self
            .remote
            .get(url)
            .query(query)
            .header("x-vault-token", token)
            .header("x-vault-request", "true");
        if !self.namespace.is_empty() {
            request = request.header("x-vault-namespace", &self.namespace);
        }
        self.remote
            .ask(request)
            .await
            .map_err(|failed| failed.error)
    }
}
