//! Who we are to Azure: an application with a secret, one with a federated token, or this machine.
//!
//! Source: Microsoft identity platform, OAuth 2.0 client credentials; Azure Instance Metadata Service
//! 2018-02-01.

use crate::config::{Config, Kinds};
use serde::Deserialize;
use shared::error::Code;
use shared::outbound::Outbound;
use shared::remote::{MetadataUrl, Remote, Token, Tokens, join};
use shared::secret::{Secret, SecretError, SecretProvider};
use shared::tool::ToolError;
use url::Url;

const SETTINGS: &str = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET_SECRET_PATH";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Largest federated token, in bytes.
const MAX_ASSERTION: usize = 32 * 1024;

/// What a token is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audience {
    /// Azure Resource Manager.
    Management,
    /// Blobs.
    Storage,
}

/// Gets tokens and keeps them.
#[derive(Debug)]
pub(crate) struct Identity {
    proof: Proof,
    remote: Remote,
    management: Tokens,
    storage: Tokens,
}

#[derive(Debug)]
enum Proof {
    Secret { app: Application, secret: Secret },
    Workload { app: Application, file: String },
    Managed { url: Url, client_id: String },
}

#[derive(Debug)]
struct Application {
    token_url: Url,
    client_id: String,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// A setting is missing; it is named.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A secret is set but cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// TLS does not work on this host.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

impl Audience {
    const fn resource(self) -> &'static str {
        match self {
            Self::Management => "https://management.azure.com/",
            Self::Storage => "https://storage.azure.com/",
        }
    }
}

impl Identity {
    /// Prepares; asks nobody yet.
    pub(crate) fn prepare(
        config: &Config,
        secrets: &dyn SecretProvider,
    ) -> Result<Self, IdentityError> {
        let settings = &config.azure;
        let mut guard: Outbound = config.outbound.allow.0.clone();
        // The file is named by AZURE_CLIENT_SECRET_SECRET_PATH.
        let secret = secrets.get("AZURE_CLIENT_SECRET")?;
        let proof = match settings.credential {
            Kinds::Secret => Proof::Secret {
                app: Application::of(config)?,
                secret: secret.ok_or(IdentityError::Missing("AZURE_CLIENT_SECRET_SECRET_PATH"))?,
            },
            Kinds::Workload if settings.federated_token_file.is_empty() => {
                return Err(IdentityError::Missing("AZURE_FEDERATED_TOKEN_FILE"));
            }
            Kinds::Workload => Proof::Workload {
                app: Application::of(config)?,
                file: settings.federated_token_file.clone(),
            },
            Kinds::Managed => {
                let MetadataUrl(url) = &settings.imds_url;
                guard = settings.imds_url.guard(&guard);
                Proof::Managed {
                    url: join(url, ["metadata", "identity", "oauth2", "token"]),
                    client_id: settings.client_id.clone(),
                }
            }
        };
        let timeout = settings.timeout_seconds.duration();
        Ok(Self {
            proof,
            remote: Remote::new("the sign-in of Azure", SETTINGS, guard, timeout)?,
            management: Tokens::default(),
            storage: Tokens::default(),
        })
    }

    /// A token for this audience.
    pub(crate) async fn token(&self, audience: Audience) -> Result<Secret, ToolError> {
        self.tokens(audience).get(self.fetch(audience)).await
    }

    /// Drops the token in use; `false` when there was none.
    pub(crate) async fn forget(&self, audience: Audience) -> bool {
        self.tokens(audience).forget().await
    }

    /// What is wrong with the sign-in.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.remote.trouble()
    }

    const fn tokens(&self, audience: Audience) -> &Tokens {
        match audience {
            Audience::Management => &self.management,
            Audience::Storage => &self.storage,
        }
    }

    async fn fetch(&self, audience: Audience) -> Result<Token, ToolError> {
        let resource = audience.resource();
        let scope = format!("{resource}.default");
        let request = match &self.proof {
            Proof::Secret { app, secret } => self.remote.post(app.token_url.clone()).form(&[
                ("grant_type", "client_credentials"),
                ("client_id", app.client_id.as_str()),
                ("client_secret", secret.expose()),
                ("scope", scope.as_str()),
            ]),
            Proof::Workload { app, file } => {
                let assertion = assertion(file).await?;
                self.remote.post(app.token_url.clone()).form(&[
                    ("grant_type", "client_credentials"),
                    ("client_id", app.client_id.as_str()),
                    ("client_assertion_type", ASSERTION),
                    ("client_assertion", assertion.expose()),
                    ("scope", scope.as_str()),
                ])
            }
            Proof::Managed { url, client_id } => {
                let mut query = vec![("api-version", "2018-02-01"), ("resource", resource)];
                if !client_id.is_empty() {
                    query.push(("client_id", client_id.as_str()));
                }
                let request = self.remote.get(url.clone()).query(&query);
                request.header("metadata", "true")
            }
        };
        let reply = self.remote.ask(request).await?;
        if reply.status.is_success() {
            return self.remote.read(&reply);
        }
        let mut error = self.remote.refused(&reply, reason(&reply.body).as_deref());
        if error.code == Code::InvalidInput {
            // The caller's arguments have nothing to do with it.
            error.code = Code::BadGateway;
        }
        Err(error)
    }
}

impl Application {
    fn of(config: &Config) -> Result<Self, IdentityError> {
        let settings = &config.azure;
        let missing = |name| Err(IdentityError::Missing(name));
        match &settings.login_url.0 {
            _ if settings.tenant_id.is_empty() => missing("AZURE_TENANT_ID"),
            _ if settings.client_id.is_empty() => missing("AZURE_CLIENT_ID"),
            None => missing("AZURE_LOGIN_URL"),
            Some(login) => Ok(Self {
                token_url: join(login, [&settings.tenant_id, "oauth2", "v2.0", "token"]),
                client_id: settings.client_id.clone(),
            }),
        }
    }
}

/// The federated token: it is short-lived, so the file is read anew each time.
async fn assertion(file: &str) -> Result<Secret, ToolError> {
    let text = tokio::fs::read_to_string(file).await.map_err(|error| {
        tracing::error!(event = "azure.assertion", %error, "the federated token cannot be read");
        ToolError::not_configured("AZURE_FEDERATED_TOKEN_FILE to a file with a token")
    })?;
    match text.len() <= MAX_ASSERTION {
        true => Ok(Secret::new(text.trim())),
        false => Err(ToolError::not_configured(
            "AZURE_FEDERATED_TOKEN_FILE to a file with a token",
        )),
    }
}

/// The word for what is wrong, such as `invalid_client`; the sentence beside it may hold ids.
fn reason(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    Some(refusal.error)
}
