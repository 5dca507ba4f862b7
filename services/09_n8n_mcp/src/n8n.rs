//! The public API, version 1: requests with the key, answers with the remote's message.

use crate::config::Config;
use crate::model::{Execution, Page, Workflow};
use async_trait::async_trait;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::remote::{Remote, Reply, join};
use shared::secret::{Secret, SecretError, SecretProvider};
use shared::spoke::{Health, HealthCheck};
use shared::tool::ToolError;
use std::time::Duration;
use url::Url;

/// Records of one page at most, by the API.
pub(crate) const MAX_PAGE: usize = 250;
/// Longest wait for the answer of a webhook; the call's own deadline is shorter or longer.
const WEBHOOK_WAIT: Duration = Duration::from_secs(300);
/// How long an approver's text waits for a name.
const SOON: Duration = Duration::from_secs(3);
const SETTINGS: &str = "N8N_API_URL and N8N_API_KEY_SECRET_PATH";

/// The instance, or the setting that is missing to reach it.
#[derive(Debug)]
pub(crate) enum N8n {
    Ready(Box<Connection>),
    Missing(&'static str),
}

/// Asks the instance.
#[derive(Debug)]
pub(crate) struct Connection {
    api: Url,
    key: Secret,
    remote: Remote,
    /// What the paths of webhooks hang from.
    pub(crate) webhooks: Url,
    /// Without the key: a webhook is the workflow's own door.
    pub(crate) caller: Remote,
}

/// Why the connection cannot be prepared; a missing setting is no error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// A secret is set but cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// TLS does not work on this host.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

impl N8n {
    /// Prepares the connection; asks nobody yet.
    pub(crate) fn prepare(
        config: &Config,
        secrets: &dyn SecretProvider,
    ) -> Result<Self, SetupError> {
        let key = secrets.get("N8N_API_KEY")?;
        let (Some(api), Some(webhooks)) = (config.n8n.api(), config.n8n.webhooks()) else {
            return Ok(Self::Missing("N8N_API_URL"));
        };
        let Some(key) = key else {
            return Ok(Self::Missing("N8N_API_KEY_SECRET_PATH"));
        };
        let guard = config.outbound.allow.0.clone();
        let timeout = config.n8n.timeout_seconds.duration();
        Ok(Self::Ready(Box::new(Connection {
            api,
            key,
            remote: Remote::new("n8n", SETTINGS, guard.clone(), timeout)?,
            webhooks,
            caller: Remote::new("the webhook", "N8N_WEBHOOK_URL", guard, WEBHOOK_WAIT)?,
        })))
    }

    /// The connection.
    ///
    /// # Errors
    /// `NOT_CONFIGURED` names the setting that is missing.
    pub(crate) fn ready(&self) -> Result<&Connection, ToolError> {
        match self {
            Self::Ready(connection) => Ok(connection),
            Self::Missing(setting) => Err(ToolError::not_configured(setting)),
        }
    }

    /// How people call a workflow, as far as that is known.
    pub(crate) async fn called(&self, id: &str) -> String {
        match self {
            Self::Ready(connection) => connection.called(id).await,
            Self::Missing(_) => format!("{id:?}"),
        }
    }
}

impl Connection {
    /// Workflows, newest page first.
    pub(crate) async fn workflows(
        &self,
        query: &[(&str, String)],
    ) -> Result<Page<Workflow>, ToolError> {
        let url = self.url(&["workflows"]);
        self.read(self.request(Method::GET, url).query(query)).await
    }

    /// How people call a workflow: its name where n8n gives it soon, for what an approver reads.
    pub(crate) async fn called(&self, id: &str) -> String {
        match tokio::time::timeout(SOON, self.workflow(id)).await {
            Ok(Ok(workflow)) => format!("{:?} (id {id:?})", workflow.name),
            _ => format!("{id:?} (n8n did not tell its name)"),
        }
    }

    /// One workflow.
    pub(crate) async fn workflow(&self, id: &str) -> Result<Workflow, ToolError> {
        let url = self.url(&["workflows", id]);
        self.read(self.request(Method::GET, url)).await
    }

    /// Begins (`activate`) or ends (`deactivate`) listening to the triggers of a workflow.
    pub(crate) async fn switch(&self, id: &str, verb: &str) -> Result<Workflow, ToolError> {
        let url = self.url(&["workflows", id, verb]);
        self.read(self.request(Method::POST, url)).await
    }

    /// Executions, newest first.
    pub(crate) async fn executions(
        &self,
        query: &[(&str, String)],
    ) -> Result<Page<Execution>, ToolError> {
        let url = self.url(&["executions"]);
        self.read(self.request(Method::GET, url).query(query)).await
    }

    /// One execution, with what its nodes took and gave when `data`.
    pub(crate) async fn execution(&self, id: &str, data: bool) -> Result<Execution, ToolError> {
        let url = self.url(&["executions", id]);
        let request = self.request(Method::GET, url);
        self.read(request.query(&[("includeData", data)])).await
    }

    fn url(&self, parts: &[&str]) -> Url {
        join(&self.api, parts.iter().copied())
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.remote.request(method, url);
        request
            .header("x-n8n-api-key", self.key.expose())
            .header("accept", "application/json")
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ToolError> {
        let reply = self.remote.ask(request).await?;
        match reply.status.is_success() {
            true => self.remote.read(&reply),
            false => Err(self.remote.refused(&reply, message(&reply).as_deref())),
        }
    }
}

/// What n8n says of a refusal that concerns the request; of its own troubles it may say anything.
fn message(reply: &Reply) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    if !matches!(reply.status.as_u16(), 400 | 404 | 409 | 422) {
        return None;
    }
    let refusal: Refusal = serde_json::from_slice(&reply.body).ok()?;
    Some(refusal.message)
}

/// Whether n8n answered last. Nobody is asked: a probe must not load a system of others.
pub(crate) struct ApiCheck(pub(crate) std::sync::Arc<N8n>);

#[async_trait]
impl HealthCheck for ApiCheck {
    fn name(&self) -> &str {
        "n8n"
    }

    async fn check(&self) -> Health {
        match self.0.as_ref() {
            N8n::Missing(setting) => Health::Degraded(format!("not configured: set {setting}")),
            N8n::Ready(connection) => match connection.remote.trouble() {
                None => Health::Healthy,
                Some(trouble) => Health::Degraded(trouble),
            },
        }
    }
}
