//! Google Secret Manager v1, as a service account (a signed JWT for a token), reading only.

use super::{Found, Setup, SetupError};
use crate::config::Config;
use crate::name::SecretName;
use crate::remote::{self, Failed, Remote, Token, Tokens, join};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use shared::clock::SharedClock;
use shared::remote::{AccountError, ServiceAccount};
use shared::secret::Secret;
use shared::tool::ToolError;
use url::Url;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The projects, or the setting that is missing to reach them.
pub(super) struct Google {
    project: String,
    connection: Result<Box<Connection>, &'static str>,
}

struct Connection {
    base: Url,
    account: ServiceAccount,
    clock: SharedClock,
    tokens: Tokens,
    remote: Remote,
}

#[derive(Deserialize)]
struct Accessed {
    /// `projects/…/secrets/…/versions/3`.
    name: String,
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    /// Base64.
    #[serde(default = "nothing", deserialize_with = "remote::secret")]
    data: Secret,
}

impl Google {
    pub(super) fn prepare(config: &Config, clock: &SharedClock) -> Result<Self, SetupError> {
        let settings = &config.google;
        let connection = match (settings.credentials.as_str(), &settings.url.0) {
            ("", _) => Err("GOOGLE_APPLICATION_CREDENTIALS"),
            (_, None) => Err("GCP_SECRETMANAGER_URL"),
            (path, Some(base)) => Ok(Box::new(Connection {
                base: base.clone(),
                account: ServiceAccount::read(path, settings.token_url.0.clone())
                    .map_err(unusable)?,
                clock: clock.clone(),
                tokens: Tokens::default(),
                remote: Remote::prepare(
                    config,
                    "Google Secret Manager",
                    "GOOGLE_APPLICATION_CREDENTIALS",
                )?,
            })),
        };
        Ok(Self {
            project: settings.project.clone(),
            connection,
        })
    }

    pub(super) fn name(&self, name: &str, project: Option<&str>) -> Result<SecretName, ToolError> {
        match (project, self.project.as_str()) {
            (Some(project), _) => SecretName::google(project, name),
            // The name is judged before the settings.
            (None, "") => SecretName::google("none", name)
                .and(Err(ToolError::not_configured("GCP_PROJECT_ID"))),
            (None, project) => SecretName::google(project, name),
        }
    }

    pub(super) async fn read(
        &self,
        project: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Found, ToolError> {
        let version = version.unwrap_or("latest");
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if version.is_empty() || version.len() > 63 || !version.bytes().all(plain) {
            let rule = "is no version of a secret";
            return Err(ToolError::invalid("version", rule));
        }
        let connection = self.connection.as_ref();
        let connection = connection.map_err(|it| ToolError::not_configured(it))?;
        let access = format!("{version}:access");
        let parts = [
            "v1", "projects", project, "secrets", name, "versions", &access,
        ];
        let url = join(&connection.base, parts);
        let mut answer = connection.ask(url.clone()).await;
        if let Err(Failed {
            unauthorised: true, ..
        }) = &answer
            && connection.tokens.forget().await
        {
            answer = connection.ask(url).await;
        }
        let accessed = answer.map_err(|failed| failed.error)?;
        let nonsense = || connection.remote.nonsense();
        let bytes = STANDARD
            .decode(accessed.payload.data.expose())
            .or(Err(nonsense()))?;
        let value = String::from_utf8(bytes).or(Err(not_text()))?;
        let version = accessed.name.rsplit('/').next().unwrap_or_default();
        Ok(Found {
            value: Secret::new(value),
            version: Some(version.to_owned()),
        })
    }

    pub(super) fn setup(&self) -> Setup {
        let begun = !self.project.is_empty() || self.connection.is_ok();
        match &self.connection {
            Ok(connection) if !self.project.is_empty() => Setup::Ready(connection.remote.trouble()),
            Ok(_) => Setup::Missing {
                setting: "GCP_PROJECT_ID",
                begun,
            },
            Err(setting) => Setup::Missing { setting, begun },
        }
    }
}

impl Connection {
    async fn ask(&self, url: Url) -> Result<Accessed, Failed> {
        let token = self.tokens.get(self.fetch()).await?;
        let request = self.remote.get(url).bearer_auth(token.expose());
        self.remote.ask(request).await
    }

    async fn fetch(&self) -> Result<Token, ToolError> {
        let assertion = self.account.assertion(self.clock.now().as_second());
        let assertion = assertion.map_err(|error| {
            tracing::error!(
                event = "secrets.google_key",
                error = &error as &dyn std::error::Error,
                "the service account's key cannot sign"
            );
            ToolError::not_configured("GOOGLE_APPLICATION_CREDENTIALS")
        })?;
        let form = [("grant_type", GRANT), ("assertion", assertion.expose())];
        let request = self.remote.post(self.account.token_url()).form(&form);
        self.remote
            .ask(request)
            .await
            .map_err(|failed| failed.error)
    }
}

fn unusable(error: AccountError) -> SetupError {
    match error {
        AccountError::Unreadable(source) => SetupError::Unreadable(source),
        AccountError::Unusable(why) => SetupError::ServiceAccount(why),
    }
}

/// An empty secret has no field `data`.
fn nothing() -> Secret {
    Secret::new("")
}

fn not_text() -> ToolError {
    let message = "the secret is not UTF-8 text";
    ToolError::refused(shared::error::Code::NotSupported, message)
}
