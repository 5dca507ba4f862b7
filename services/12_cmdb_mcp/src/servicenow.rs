//! `ServiceNow` over its Table API, reading only.
//!
//! Requests pass the outbound guard, carry Basic or OAuth credentials and have a time limit; answers
//! are bounded, read page by page, and their errors told in our own words. Which tables and fields
//! make sense is the tools' business.

mod login;
mod query;

pub(crate) use query::{Condition, Query, is_field, is_table};

use crate::config::{Auth, Config};
use login::Login;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::remote::{Remote, Reply, join};
use shared::secret::{SecretError, SecretProvider};
use shared::tool::ToolError;
use url::Url;

/// What people call the system, and the settings to look at when it refuses us.
const SYSTEM: &str = "ServiceNow";
const SETTINGS: &str = "SERVICENOW_USER and its password, or the OAuth client";

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
    remote: Remote,
    login: Login,
    page_size: usize,
}

/// What every answer of the Table API is wrapped in.
#[derive(Deserialize)]
struct Envelope {
    result: Value,
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
        let timeout = settings.timeout_seconds.duration();
        let remote = Remote::new(SYSTEM, SETTINGS, guard, timeout);
        Ok(Self::Ready(Box::new(Connection {
            base,
            remote: remote.map_err(SetupError::Client)?,
            login,
            page_size: settings.page_size.count(),
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
        let url = join(&self.base, ["api", "now", "table", table, sys_id]);
        let parameters = [
            ("sysparm_display_value", "false"),
            ("sysparm_exclude_reference_link", "true"),
        ];
        match self.get(url, &parameters).await? {
            Some(Value::Object(record)) => Ok(Some(record)),
            Some(_) => Err(self.remote.nonsense()),
            None => Ok(None),
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
            let url = join(&self.base, ["api", "now", "table", &query.table]);
            let found = match self.get(url, &parameters).await? {
                Some(Value::Array(found)) => found,
                Some(_) => return Err(self.remote.nonsense()),
                None => Vec::new(),
            };
            let count = found.len();
            for record in found.into_iter().take(page) {
                match record {
                    Value::Object(record) => records.push(record),
                    _ => return Err(self.remote.nonsense()),
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
        self.remote.trouble()
    }

    /// Asks, and with a new token once more when an old one is no longer taken. `None` when there is
    /// no such thing.
    async fn get(&self, url: Url, parameters: &[(&str, &str)]) -> Result<Option<Value>, ToolError> {
        let mut reply = self.send(&url, parameters).await?;
        if reply.status == StatusCode::UNAUTHORIZED && self.login.forget().await {
            reply = self.send(&url, parameters).await?;
        }
        match reply.status {
            StatusCode::OK => {
                let Envelope { result } = self.remote.read(&reply)?;
                Ok(Some(result))
            }
            StatusCode::NOT_FOUND => Ok(None),
            // What the remote says of itself may hold anything, so it is not repeated.
            StatusCode::BAD_REQUEST => {
                let message = "it does not know the table or a field of the query";
                Err(self.remote.refused(&reply, Some(message)))
            }
            _ => Err(self.remote.refused(&reply, None)),
        }
    }

    async fn send(&self, url: &Url, parameters: &[(&str, &str)]) -> Result<Reply, ToolError> {
        let request = self.remote.get(url.clone()).query(parameters);
        let request = request.header("accept", "application/json");
        let request = self.login.sign(request, &self.remote, &self.base).await?;
        self.remote.ask(request).await
    }
}

/// Whether the settings ask for OAuth.
const fn wants_oauth(auth: Auth) -> bool {
    matches!(auth, Auth::Oauth)
}
