//! `ServiceNow` over its Table API, reading only.
//!
//! Requests pass the outbound guard, carry Basic or OAuth credentials and have a time limit; answers
//! are bounded, read page by page, and their errors told in our own words. Which tables and fields
//! make sense is the tools' business.

mod answer;
mod login;
mod query;

pub(crate) use query::{Condition, Query, is_field, is_table};

use crate::config::{Auth, Config};
use answer::Answer;
use login::Login;
use parking_lot::Mutex;
use reqwest::Client;
use serde_json::{Map, Value};
use shared::outbound::{self, Outbound};
use shared::secret::{SecretError, SecretProvider};
use shared::tool::ToolError;
use url::Url;

/// What people call the system.
const SYSTEM: &str = "ServiceNow";

/// A record of a table.
pub(crate) type Record = Map<String, Value>;

/// The remote system, or the setting that is missing to reach it.
#[derive(Debug)]
pub(crate) enum ServiceNow {
    Ready(Box<Connection>),
    Missing(Missing),
}

/// What keeps us from asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The setting to make first.
    pub(crate) setting: &'static str,
    /// Whether somebody has begun to make settings.
    pub(crate) begun: bool,
}

/// Asks the tables.
#[derive(Debug)]
pub(crate) struct Connection {
    base: Url,
    client: Client,
    guard: Outbound,
    login: Login,
    page_size: usize,
    /// What the last request came to, when it failed.
    trouble: Mutex<Option<String>>,
}

/// Why the connection cannot be prepared; a missing setting is no error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// A secret is set but cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// TLS does not work on this host.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

impl ServiceNow {
    /// Prepares the connection; asks nobody yet.
    pub(crate) fn prepare(
        config: &Config,
        secrets: &dyn SecretProvider,
    ) -> Result<Self, SetupError> {
        let guard = config.outbound.allow.0.clone();
        let settings = &config.servicenow;
        let login = Login::from(settings, secrets)?;
        let begun = settings.base().is_some()
            || !settings.user.is_empty()
            || !settings.client_id.is_empty();
        let (base, login) = match (settings.base(), login) {
            (None, _) => {
                let setting = "SERVICENOW_URL or SERVICENOW_INSTANCE";
                return Ok(Self::Missing(Missing { setting, begun }));
            }
            (_, Err(setting)) => return Ok(Self::Missing(Missing { setting, begun })),
            (Some(base), Ok(login)) => (base.clone(), login),
        };
        let client = guard.client(settings.timeout_seconds.duration());
        Ok(Self::Ready(Box::new(Connection {
            base,
            client: client.map_err(SetupError::Client)?,
            guard,
            login,
            page_size: settings.page_size.get(),
            trouble: Mutex::default(),
        })))
    }

    /// The connection.
    ///
    /// # Errors
    /// `NOT_CONFIGURED` names the setting that is missing.
    pub(crate) fn ready(&self) -> Result<&Connection, ToolError> {
        match self {
            Self::Ready(connection) => Ok(connection),
            Self::Missing(missing) => Err(ToolError::not_configured(missing.setting)),
        }
    }
}

impl Connection {
    /// One record by its id; `None` when there is none.
    pub(crate) async fn record(
        &self,
        table: &str,
        sys_id: &str,
    ) -> Result<Option<Record>, ToolError> {
        let url = self.url(&["api", "now", "table", table, sys_id])?;
        let parameters = [
            ("sysparm_display_value", "false"),
            ("sysparm_exclude_reference_link", "true"),
        ];
        match self.get(url, &parameters).await? {
            Answer::Found(Value::Object(record)) => Ok(Some(record)),
            Answer::Found(_) => Err(answer::nonsense()),
            Answer::Nothing => Ok(None),
        }
    }

    /// The records a query finds, at most `query.limit`, page by page.
    pub(crate) async fn records(&self, query: &Query) -> Result<Vec<Record>, ToolError> {
        let mut records = Vec::new();
        let text = query.text();
        let fields = query.fields.join(",");
        while records.len() < query.limit {
            let page = self.page_size.min(query.limit - records.len());
            let (limit, offset) = (page.to_string(), records.len().to_string());
            let mut parameters = vec![
                ("sysparm_query", text.as_str()),
                ("sysparm_limit", &limit),
                ("sysparm_offset", &offset),
                ("sysparm_display_value", "false"),
                ("sysparm_exclude_reference_link", "true"),
            ];
            if !fields.is_empty() {
                parameters.push(("sysparm_fields", &fields));
            }
            let url = self.url(&["api", "now", "table", &query.table])?;
            let found = match self.get(url, &parameters).await? {
                Answer::Found(Value::Array(found)) => found,
                Answer::Found(_) => return Err(answer::nonsense()),
                Answer::Nothing => Vec::new(),
            };
            let count = found.len();
            for record in found.into_iter().take(page) {
                match record {
                    Value::Object(record) => records.push(record),
                    _ => return Err(answer::nonsense()),
                }
            }
            if count < page {
                break;
            }
        }
        Ok(records)
    }

    /// What the last request came to, when it failed.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    async fn get(&self, url: Url, parameters: &[(&str, &str)]) -> Result<Answer, ToolError> {
        let result = self.get_once_more(url, parameters).await;
        *self.trouble.lock() = match &result {
            Err(error) if !is_callers_fault(error) => Some(error.message.clone()),
            _ => None,
        };
        result
    }

    /// Asks, and with a new token once more when an old one is no longer taken.
    async fn get_once_more(
        &self,
        url: Url,
        parameters: &[(&str, &str)],
    ) -> Result<Answer, ToolError> {
        self.guard
            .check(&url)
            .map_err(|refused| outbound::refusal(&refused))?;
        let mut response = self.send(&url, parameters).await?;
        if response.status() == reqwest::StatusCode::UNAUTHORIZED && self.login.forget().await {
            response = self.send(&url, parameters).await?;
        }
        answer::read(response).await
    }

    async fn send(
        &self,
        url: &Url,
        parameters: &[(&str, &str)],
    ) -> Result<reqwest::Response, ToolError> {
        let request = self
            .client
            .get(url.clone())
            .query(parameters)
            .header("accept", "application/json");
        let request = self.login.sign(request, &self.client, &self.base).await?;
        let response = request.send().await;
        response.map_err(|error| outbound::failure(SYSTEM, &error))
    }

    fn url(&self, segments: &[&str]) -> Result<Url, ToolError> {
        join(&self.base, segments)
    }
}

fn join(base: &Url, segments: &[&str]) -> Result<Url, ToolError> {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut path) => path.pop_if_empty().extend(segments),
        Err(()) => return Err(ToolError::not_configured("SERVICENOW_URL")),
    };
    Ok(url)
}

const fn is_callers_fault(error: &ToolError) -> bool {
    matches!(error.code.http_status(), 400 | 404 | 422)
}

/// Whether the settings ask for OAuth.
const fn wants_oauth(auth: Auth) -> bool {
    matches!(auth, Auth::Oauth)
}
