//! How requests prove who sends them: Basic, or an OAuth token that is fetched and kept.

use super::wants_oauth;
use crate::config;
use reqwest::RequestBuilder;
use serde::Deserialize;
use shared::error::Code;
use shared::remote::{Remote, join};
use shared::secret::{Secret, SecretError, SecretProvider};
use shared::tool::ToolError;
use std::fmt;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

/// A token this close to its end is not used any more.
const MARGIN: Duration = Duration::from_secs(30);

/// The credentials.
#[derive(Debug)]
pub(super) enum Login {
    Basic(Account),
    OAuth(OAuth),
}

pub(super) struct Account {
    user: String,
    password: Secret,
}

#[derive(Debug)]
pub(super) struct OAuth {
    client_id: String,
    client_secret: Secret,
    /// With an account the password grant is used, without one client credentials.
    account: Option<Account>,
    /// Held while a token is fetched, so that one fetch serves all who wait.
    token: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    value: Secret,
    until: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// Seconds; servers send it as a number or as text.
    expires_in: Option<serde_json::Value>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}

impl Login {
    /// Reads the secrets; the inner error names the setting that is missing.
    pub(super) fn from(
        settings: &config::ServiceNow,
        secrets: &dyn SecretProvider,
    ) -> Result<Result<Self, &'static str>, SecretError> {
        let password = secrets.get("SERVICENOW_PASSWORD")?;
        // The file is named by SERVICENOW_CLIENT_SECRET_PATH, so the secret's name is the shorter one.
        let client_secret = match secrets.get("SERVICENOW_CLIENT")? {
            None => secrets.get("SERVICENOW_CLIENT_SECRET")?,
            found => found,
        };
        let account = match (settings.user.is_empty(), password) {
            (true, _) => Err("SERVICENOW_USER"),
            (false, None) => Err("SERVICENOW_PASSWORD_SECRET_PATH"),
            (false, Some(password)) => Ok(Account {
                user: settings.user.clone(),
                password,
            }),
        };
        if !wants_oauth(settings.auth) {
            return Ok(account.map(Self::Basic));
        }
        if settings.client_id.is_empty() {
            return Ok(Err("SERVICENOW_CLIENT_ID"));
        }
        let Some(client_secret) = client_secret else {
            return Ok(Err("SERVICENOW_CLIENT_SECRET_PATH"));
        };
        let account = match (settings.user.is_empty(), account) {
            (true, _) => None,
            (false, Ok(account)) => Some(account),
            (false, Err(setting)) => return Ok(Err(setting)),
        };
        Ok(Ok(Self::OAuth(OAuth {
            client_id: settings.client_id.clone(),
            client_secret,
            account,
            token: Mutex::default(),
        })))
    }

    /// Adds the credentials to a request; may have to fetch a token first.
    pub(super) async fn sign(
        &self,
        request: RequestBuilder,
        remote: &Remote,
        base: &Url,
    ) -> Result<RequestBuilder, ToolError> {
        match self {
            Self::Basic(Account { user, password }) => {
                Ok(request.basic_auth(user, Some(password.expose())))
            }
            Self::OAuth(oauth) => {
                let token = oauth.token(remote, base).await?;
                Ok(request.bearer_auth(token.expose()))
            }
        }
    }

    /// Drops what was fetched; `false` when there is nothing to fetch again.
    pub(super) async fn forget(&self) -> bool {
        match self {
            Self::Basic(_) => false,
            Self::OAuth(oauth) => oauth.token.lock().await.take().is_some(),
        }
    }
}

impl OAuth {
    async fn token(&self, remote: &Remote, base: &Url) -> Result<Secret, ToolError> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| Instant::now() < token.until) {
            return Ok(token.value.clone());
        }
        let token = self.fetch(remote, base).await?;
        let value = token.value.clone();
        *kept = Some(token);
        Ok(value)
    }

    async fn fetch(&self, remote: &Remote, base: &Url) -> Result<Token, ToolError> {
        let mut form = vec![
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose()),
        ];
        match &self.account {
            None => form.push(("grant_type", "client_credentials")),
            Some(Account { user, password }) => form.extend([
                ("grant_type", "password"),
                ("username", user),
                ("password", password.expose()),
            ]),
        }
        let url = join(base, ["oauth_token.do"]);
        let reply = remote.ask(remote.post(url).form(&form)).await?;
        if matches!(reply.status.as_u16(), 400 | 401 | 403) {
            return Err(ToolError::refused(
                Code::BadGateway,
                "ServiceNow refused the OAuth credentials: check SERVICENOW_CLIENT_ID and its secret",
            ));
        }
        if !reply.status.is_success() {
            return Err(remote.refused(&reply, None));
        }
        let answer: TokenAnswer = remote.read(&reply)?;
        let seconds = answer.expires_in.as_ref().and_then(|seconds| {
            let text = seconds.as_str().map(str::parse);
            seconds.as_u64().or(text.and_then(Result::ok))
        });
        let life = Duration::from_secs(seconds.unwrap_or(300).min(86_400));
        Ok(Token {
            value: Secret::new(answer.access_token),
            until: Instant::now() + life.saturating_sub(MARGIN),
        })
    }
}
