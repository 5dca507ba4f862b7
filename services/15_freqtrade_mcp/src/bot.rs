//! A running bot, by its REST API v1: a login gives a token, which is renewed by logging in again.

use crate::config::Config;
use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use shared::remote::{Remote, Reply, join};
use shared::secret::{Secret, SecretError, SecretProvider};
use shared::spoke::{Health, HealthCheck};
use shared::tool::ToolError;
use std::sync::Arc;
use tokio::sync::Mutex;
use url::Url;

const SYSTEM: &str = "the bot";
const SETTINGS: &str = "FREQTRADE_USERNAME and FREQTRADE_PASSWORD_SECRET_PATH";

/// The bot, or what is missing to reach it.
#[derive(Debug)]
pub(crate) struct Bot {
    remote: Remote,
    account: Result<Account, &'static str>,
    token: Mutex<Option<Secret>>,
}

#[derive(Debug)]
struct Account {
    root: Url,
    username: String,
    password: Secret,
}

/// Why the connection cannot be prepared; a missing setting is no error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// The password is set but cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// TLS does not work on this host.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
}

/// What is asked of the bot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// Parts of the path after `/api/v1`.
    pub(crate) path: Vec<String>,
    /// What follows the question mark.
    pub(crate) query: Vec<(&'static str, String)>,
    /// JSON that is sent.
    pub(crate) body: Option<Value>,
}

impl Asked {
    /// A path of one part.
    pub(crate) fn of(path: &str) -> Self {
        Self {
            path: vec![path.to_owned()],
            ..Self::default()
        }
    }

    /// With a part more.
    pub(crate) fn part(mut self, part: impl ToString) -> Self {
        self.path.push(part.to_string());
        self
    }

    /// With a pair after the question mark.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// With JSON.
    pub(crate) fn sending(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

impl Bot {
    /// Prepares; asks nobody yet.
    pub(crate) fn prepare(
        config: &Config,
        secrets: &dyn SecretProvider,
    ) -> Result<Self, SetupError> {
        let guard = config.outbound.allow.0.clone();
        let timeout = config.api.timeout_seconds.duration();
        let password = secrets.get("FREQTRADE_PASSWORD")?;
        let account = match (&config.api.url.0, config.api.username.as_str(), password) {
            (None, ..) => Err("FREQTRADE_API_URL"),
            (_, "", _) => Err("FREQTRADE_USERNAME"),
            (_, _, None) => Err("FREQTRADE_PASSWORD_SECRET_PATH"),
            (Some(url), username, Some(password)) => Ok(Account {
                root: join(url, ["api", "v1"]),
                username: username.to_owned(),
                password,
            }),
        };
        Ok(Self {
            remote: Remote::new(SYSTEM, SETTINGS, guard, timeout)?,
            account,
            token: Mutex::default(),
        })
    }

    /// What the bot answers to a question.
    pub(crate) async fn get(&self, asked: Asked) -> Result<Value, ToolError> {
        self.ask(Method::GET, asked).await
    }

    /// What the bot answers to a request.
    ///
    /// # Errors
    /// `NOT_CONFIGURED`; those of the remote, with the bot's own words where it refuses.
    pub(crate) async fn ask(&self, method: Method, asked: Asked) -> Result<Value, ToolError> {
        let account = self
            .account
            .as_ref()
            .map_err(|name| ToolError::not_configured(name))?;
        let token = self.token(account, None).await?;
        let reply = self.send(account, &method, &asked, &token).await?;
        // Nothing was done: the token had run out.
        let reply = match reply.status {
            StatusCode::UNAUTHORIZED => {
                let token = self.token(account, Some(&token)).await?;
                self.send(account, &method, &asked, &token).await?
            }
            _ => reply,
        };
        match reply.status.is_success() {
            true => self.remote.read(&reply),
            false => Err(self.remote.refused(&reply, words(&reply).as_deref())),
        }
    }

    /// The token of this process; another than `worn` if that is given.
    async fn token(&self, account: &Account, worn: Option<&Secret>) -> Result<Secret, ToolError> {
        let mut held = self.token.lock().await;
        let is_worn = |token: &Secret| worn.is_some_and(|worn| worn.expose() == token.expose());
        if let Some(token) = held.as_ref().filter(|token| !is_worn(token)) {
            return Ok(token.clone());
        }
        let login = join(&account.root, ["token", "login"]);
        let request = self.remote.post(login);
        let request = request.basic_auth(&account.username, Some(account.password.expose()));
        let tokens: Tokens = self.remote.json(request).await.map_err(|mut error| {
            error.did_not_run = true;
            error
        })?;
        let token = Secret::new(tokens.access_token);
        *held = Some(token.clone());
        Ok(token)
    }

    async fn send(
        &self,
        account: &Account,
        method: &Method,
        asked: &Asked,
        token: &Secret,
    ) -> Result<Reply, ToolError> {
        let url = join(&account.root, asked.path.iter().map(String::as_str));
        let mut request = self.remote.request(method.clone(), url);
        if !asked.query.is_empty() {
            request = request.query(&asked.query);
        }
        if let Some(body) = &asked.body {
            request = request.json(body);
        }
        self.remote.ask(request.bearer_auth(token.expose())).await
    }
}

/// What the bot says about a refusal.
fn words(reply: &Reply) -> Option<String> {
    let said: Value = serde_json::from_slice(&reply.body).ok()?;
    let said = said.get("error").or_else(|| said.get("detail"))?;
    Some(
        said.as_str()
            .map_or_else(|| said.to_string(), str::to_owned),
    )
}

/// Whether the bot is set up and answered the last time; nobody is asked.
pub(crate) struct BotCheck(pub(crate) Arc<Bot>);

#[async_trait]
impl HealthCheck for BotCheck {
    fn name(&self) -> &str {
        "bot"
    }

    async fn check(&self) -> Health {
        match (&self.0.account, self.0.remote.trouble()) {
            (Err(setting), _) => Health::Degraded(format!("not configured: set {setting}")),
            (Ok(_), Some(trouble)) => Health::Degraded(trouble),
            (Ok(_), None) => Health::Healthy,
        }
    }
}
