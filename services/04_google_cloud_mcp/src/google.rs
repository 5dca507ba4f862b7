//! The connection to Google Cloud, or the setting that is missing for it: tokens, requests, lists, and
//! what health checks say of it.
//!
//! Source: OAuth 2.0 for service accounts (RFC 7523); metadata server of Compute Engine.

use crate::config::{Config, Kinds};
use async_trait::async_trait;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::clock::SharedClock;
use shared::error::Code;
use shared::files::Files;
use shared::remote::{AccountError, Remote, Reply, ServiceAccount, Token, Tokens, join};
use shared::secret::Secret;
use shared::spoke::{Health, HealthCheck, Kit};
use shared::tool::{Check, ToolError};
use std::sync::Arc;
use url::Url;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SETTINGS: &str = "GOOGLE_APPLICATION_CREDENTIALS and its roles";

/// The cloud, or what is missing.
#[derive(Debug)]
pub(crate) enum Google {
    Ready(Box<Connection>),
    Missing(&'static str),
}

/// Reaches the cloud.
#[derive(Debug)]
pub(crate) struct Connection {
    project: String,
    compute: Url,
    storage: Url,
    sql: Url,
    proof: Proof,
    tokens: Tokens,
    sign_in: Remote,
    remote: Remote,
    /// For dates.
    pub(crate) clock: SharedClock,
    /// What may be uploaded from and downloaded to.
    pub(crate) files: Arc<Files>,
}

#[derive(Debug)]
enum Proof {
    Key(Box<ServiceAccount>),
    Metadata(Url),
}

/// Why the connection cannot be prepared; a missing setting is no error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// The key file cannot be used.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// TLS does not work on this host.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

impl Google {
    /// Prepares the connection; asks nobody yet.
    pub(crate) fn prepare(config: &Config, kit: &Kit) -> Result<Self, SetupError> {
        let settings = &config.google;
        if settings.project.is_empty() {
            return Ok(Self::Missing("GCP_PROJECT_ID"));
        }
        let others = &config.outbound.allow.0;
        let (proof, guard) = match settings.credential {
            Kinds::Key if settings.credentials.is_empty() => {
                return Ok(Self::Missing("GOOGLE_APPLICATION_CREDENTIALS"));
            }
            Kinds::Key => {
                let token_url = settings.token_url.0.clone();
                let account = ServiceAccount::read(&settings.credentials, token_url)?;
                (Proof::Key(Box::new(account)), others.clone())
            }
            Kinds::Metadata => {
                let path = "computeMetadata/v1/instance/service-accounts/default/token";
                let url = join(&settings.metadata_url.0, path.split('/'));
                (Proof::Metadata(url), settings.metadata_url.guard(others))
            }
        };
        let urls = (
            settings.compute_url.0.clone(),
            settings.storage_url.0.clone(),
            settings.sqladmin_url.0.clone(),
        );
        let (compute, storage, sql) = match urls {
            (Some(compute), Some(storage), Some(sql)) => (compute, storage, sql),
            (None, ..) => return Ok(Self::Missing("GCP_COMPUTE_URL")),
            (_, None, _) => return Ok(Self::Missing("GCP_STORAGE_URL")),
            _ => return Ok(Self::Missing("GCP_SQLADMIN_URL")),
        };
        let timeout = settings.timeout_seconds.duration();
        Ok(Self::Ready(Box::new(Connection {
            project: settings.project.clone(),
            compute,
            storage,
            sql,
            proof,
            tokens: Tokens::default(),
            sign_in: Remote::new("the sign-in of Google", SETTINGS, guard, timeout)?,
            remote: Remote::new("Google Cloud", SETTINGS, others.clone(), timeout)?,
            clock: Arc::clone(&kit.clock),
            files: Arc::new(Files::new(config.files.rules())),
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
}

impl Connection {
    /// Something of Compute Engine in our project.
    pub(crate) fn compute(&self, parts: &[&str]) -> Url {
        let project = ["compute", "v1", "projects", self.project.as_str()];
        join(&self.compute, project.iter().chain(parts).copied())
    }

    /// Something of Cloud SQL in our project.
    pub(crate) fn sql(&self, parts: &[&str]) -> Url {
        let project = ["v1", "projects", self.project.as_str()];
        join(&self.sql, project.iter().chain(parts).copied())
    }

    /// Something of Cloud Storage; `upload` for the address of uploads.
    pub(crate) fn storage(&self, upload: bool, parts: &[&str]) -> Url {
        let base = ["storage", "v1"];
        let root = upload.then_some("upload").into_iter();
        join(&self.storage, root.chain(base).chain(parts.iter().copied()))
    }

    /// The project.
    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// Reads something.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ToolError> {
        let reply = self.ask(self.remote.get(url)).await?;
        self.remote.read(&reply)
    }

    /// A request to be completed and given to [`Connection::ask`].
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.remote.request(method.clone(), url);
        match method == Method::POST {
            // Google wants a length.
            true => request.header("content-length", "0"),
            false => request,
        }
    }

    /// A request with a body.
    pub(crate) fn post(&self, url: Url) -> RequestBuilder {
        self.remote.post(url)
    }

    /// Sends a request; a token that is not taken any more is replaced once.
    pub(crate) async fn ask(&self, request: RequestBuilder) -> Result<Reply, ToolError> {
        let again = request.try_clone();
        let token = self.token().await?;
        let request = request.bearer_auth(token.expose());
        let mut reply = self.remote.ask(request).await?;
        if reply.status == StatusCode::UNAUTHORIZED
            && self.tokens.forget().await
            && let Some(request) = again
        {
            let token = self.token().await?;
            let request = request.bearer_auth(token.expose());
            reply = self.remote.ask(request).await?;
        }
        match reply.status.is_success() {
            true => Ok(reply),
            false => Err(self.remote.refused(&reply, message(&reply).as_deref())),
        }
    }

    /// The JSON of a reply.
    pub(crate) fn read<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, ToolError> {
        self.remote.read(reply)
    }

    async fn token(&self) -> Result<Secret, ToolError> {
        self.tokens.get(self.fetch()).await
    }

    async fn fetch(&self) -> Result<Token, ToolError> {
        let request = match &self.proof {
            Proof::Metadata(url) => {
                let request = self.sign_in.get(url.clone());
                request.header("metadata-flavor", "Google")
            }
            Proof::Key(account) => {
                let assertion = account.assertion(self.clock.now().as_second());
                let assertion = assertion.map_err(|error| {
                    tracing::error!(event = "google.key", %error, "the key cannot sign");
                    ToolError::not_configured("GOOGLE_APPLICATION_CREDENTIALS")
                })?;
                let form = [("grant_type", GRANT), ("assertion", assertion.expose())];
                self.sign_in.post(account.token_url()).form(&form)
            }
        };
        let mut failed = match self.sign_in.json(request).await {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        if failed.code == Code::InvalidInput {
            // The caller's arguments have nothing to do with it.
            failed.code = Code::BadGateway;
            failed.message = format!("Google refused our credentials: check {SETTINGS}");
        }
        Err(failed)
    }
}

/// What Google says of a refusal that concerns the request.
fn message(reply: &Reply) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: Failure,
    }
    #[derive(Deserialize)]
    struct Failure {
        message: String,
    }
    if !matches!(reply.status.as_u16(), 400 | 404 | 409 | 412) {
        return None;
    }
    let refusal: Refusal = serde_json::from_slice(&reply.body).ok()?;
    Some(refusal.error.message)
}

/// What was looked at before critical work, or the one check that fails because nothing could be
/// looked at.
pub(crate) fn checks_or_why(checks: Result<Vec<Check>, ToolError>) -> Vec<Check> {
    checks.unwrap_or_else(|error| vec![check("google_answers", false, error.message)])
}

/// One precondition.
pub(crate) fn check(name: &str, ok: bool, detail: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        ok,
        detail: detail.into(),
    }
}

/// Whether Google answered last. Nobody is asked: a probe must not load a system of others.
pub(crate) struct CloudCheck(pub(crate) Arc<Google>);

#[async_trait]
impl HealthCheck for CloudCheck {
    fn name(&self) -> &str {
        "google_cloud"
    }

    async fn check(&self) -> Health {
        let connection = match self.0.as_ref() {
            Google::Missing(setting) => {
                return Health::Degraded(format!("not configured: set {setting}"));
            }
            Google::Ready(connection) => connection,
        };
        let trouble = connection.sign_in.trouble();
        match trouble.or_else(|| connection.remote.trouble()) {
            None => Health::Healthy,
            Some(trouble) => Health::Degraded(trouble),
        }
    }
}
