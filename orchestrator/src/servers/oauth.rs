//! The hub as OAuth client of a third-party server: it finds out who gives out tokens, registers
//! there, sends a person to agree, and keeps the tokens, sealed, in the store.
//!
//! Tokens belong to the registration of the server, not to the principals who call it. They are
//! bound to one issuer: a server that names another one has to be agreed to again. Nothing a host
//! presents ever goes to a server, and nothing of a server's to a host. Left out: tokens of single
//! principals, `private_key_jwt`, identity assertions.

mod challenge;
mod client;
mod discovery;
mod flow;
mod plan;
mod rows;
mod web;

pub use flow::Callback;
pub(super) use rows::forget;

use crate::keys::Seal;
use crate::store::{Store, StoreError};
use crate::upstream::UpstreamError;
use crate::upstream::mcp::Credentials;
use async_trait::async_trait;
use challenge::Challenge;
use client::{Client, Given};
use flow::Flow;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use plan::Plan;
use serde::{Deserialize, Serialize};
use shared::clock::SharedClock;
use shared::outbound::{Outbound, Refused};
use shared::secret::SecretProvider;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;
use web::Web;

/// A token is renewed this long before it is over, in seconds.
const EARLY: i64 = 30;
/// A refusal this soon after a renewal is no reason for another.
const RENEWED: Duration = Duration::from_secs(5);
/// How long one request to an authorization server may take.
const REQUEST: Duration = Duration::from_secs(20);

/// How a token is got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A person agrees in a browser.
    #[default]
    AuthorizationCode,
    /// The hub has a secret of its own.
    ClientCredentials,
}

/// How the hub is a client of a server's authorization server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OAuthSettings {
    /// How a token is got.
    #[schema(inline)]
    pub grant: Grant,
    /// Of a client that people registered; without it the hub's own document is used where that is
    /// understood, or it registers itself.
    pub client_id: Option<String>,
    /// `secret:SERVER_…`.
    pub client_secret: Option<String>,
    /// Scopes to ask for beside those the server names.
    pub scopes: Vec<String>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// An address may not be asked.
    #[error(transparent)]
    Address(#[from] Refused),
    /// An authorization server could not be asked.
    #[error("the authorization server could not be asked")]
    Unreachable(#[source] reqwest::Error),
    /// It answered with this status.
    #[error("the authorization server answered {0}")]
    Status(StatusCode),
    /// A document is not of its form.
    #[error("the authorization server's answer could not be read")]
    Document(#[source] serde_json::Error),
    /// A document breaks a rule.
    #[error("{0}")]
    Metadata(&'static str),
    /// It said no, with this word.
    #[error("the authorization server refused: {0}")]
    Denied(String),
    /// There is no client id and no way to get one.
    #[error("the hub cannot register itself; register a client and set oauth.client_id")]
    NoClient,
    /// The secret of the client could not be read.
    #[error("client_secret: {0}")]
    Secret(String),
    /// This was not begun here, was used, or took too long.
    #[error("this authorization was not begun here, was used, or took too long")]
    NoFlow,
    /// A token could not be sealed.
    #[error("the token could not be sealed")]
    Unsealed,
    /// It could not be kept.
    #[error("the token could not be kept")]
    Store(#[from] StoreError),
}

/// What every client of one hub works with.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) seal: Arc<Seal>,
    pub(super) secrets: Arc<dyn SecretProvider>,
    pub(super) outbound: Outbound,
    /// Address of the hub, without a slash at the end; empty when none is set.
    pub(super) public_url: String,
}

/// The client for one server.
pub(super) struct OAuth {
    server: String,
    url: Url,
    settings: OAuthSettings,
    web: Web,
    ground: Ground,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The store was looked at.
    loaded: bool,
    kept: Option<Kept>,
    challenge: Challenge,
    flow: Option<Flow>,
    renewed: Option<Instant>,
}

/// What is kept of a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    issuer: String,
    token_endpoint: String,
    resource: String,
    client: Client,
    access: String,
    refresh: Option<String>,
    /// Unix seconds; `None` when unknown.
    expires_at: Option<i64>,
    scopes: BTreeSet<String>,
}

impl OAuth {
    pub(super) fn new(
        server: &str,
        url: Url,
        settings: OAuthSettings,
        ground: Ground,
    ) -> reqwest::Result<Arc<Self>> {
        let web = Web {
            client: ground.outbound.client(REQUEST)?,
            outbound: ground.outbound.clone(),
        };
        Ok(Arc::new(Self {
            server: server.to_owned(),
            url,
            settings,
            web,
            ground,
            state: tokio::sync::Mutex::default(),
        }))
    }

    async fn load(&self, state: &mut State) -> Result<(), OAuthError> {
        if state.loaded {
            return Ok(());
        }
        let found = self.ground.store.read(rows::select(&self.server)).await?;
        let sealed = found.first().map(|row| row.text("body")).transpose()?;
        let text = sealed.and_then(|sealed| self.ground.seal.open(sealed, &self.server));
        let kept: Option<Kept> = text.and_then(|text| serde_json::from_str(&text).ok());
        // A token for another address is not for this one.
        state.kept = kept.filter(|kept| {
            let resource = Url::parse(&kept.resource);
            resource.is_ok_and(|resource| resource.origin() == self.url.origin())
        });
        state.loaded = true;
        Ok(())
    }

    async fn keep(&self, state: &mut State, kept: Kept) -> Result<(), OAuthError> {
        let text = serde_json::to_string(&kept).map_err(OAuthError::Document)?;
        let body = self.ground.seal.close(&text, &self.server);
        let body = body.ok_or(OAuthError::Unsealed)?;
        let now = self.ground.clock.now();
        let statements = rows::put(&self.server, &kept.issuer, body, now);
        self.ground.store.write(statements).await?;
        state.kept = Some(kept);
        state.loaded = true;
        Ok(())
    }

    /// A new token without a person: by the refresh token, or by the hub's own secret.
    async fn renew(&self, state: &mut State) -> Result<(), OAuthError> {
        if self.settings.grant == Grant::ClientCredentials {
            let plan = self.plan(state).await?;
            let client = self.client(state, &plan.issuer, "").await?;
            let scope = flow::words(&plan.scopes);
            let mut form = vec![("grant_type", "client_credentials")];
            form.push(("resource", &plan.resource));
            if !scope.is_empty() {
                form.push(("scope", &scope));
            }
            let endpoint = plan.issuer.token_endpoint.clone();
            let given = client.tokens(&self.web, &endpoint, &form).await?;
            let kept = self.kept(given, plan, client);
            return self.keep(state, kept).await;
        }
        let kept = state.kept.clone().ok_or(OAuthError::NoFlow)?;
        let refresh = kept.refresh.as_deref().ok_or(OAuthError::NoFlow)?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("resource", kept.resource.as_str()),
        ];
        let endpoint = Url::parse(&kept.token_endpoint);
        let endpoint = endpoint.or(Err(OAuthError::Metadata(
            "the token endpoint is no address",
        )))?;
        let given = kept.client.tokens(&self.web, &endpoint, &form).await?;
        let renewed = Kept {
            access: given.access_token,
            expires_at: self.over(given.expires_in),
            refresh: given.refresh_token.or_else(|| kept.refresh.clone()),
            ..kept
        };
        self.keep(state, renewed).await
    }

    fn kept(&self, given: Given, plan: Plan, client: Client) -> Kept {
        let granted = given.scope.as_deref().map(|text| {
            let words = text.split_ascii_whitespace();
            words.map(str::to_owned).collect()
        });
        Kept {
            issuer: plan.issuer.issuer,
            token_endpoint: plan.issuer.token_endpoint.to_string(),
            resource: plan.resource,
            client,
            access: given.access_token,
            refresh: given.refresh_token,
            expires_at: self.over(given.expires_in),
            scopes: granted.unwrap_or(plan.scopes),
        }
    }

    fn over(&self, seconds: Option<i64>) -> Option<i64> {
        let now = self.ground.clock.now().as_second();
        seconds.map(|seconds| now.saturating_add(seconds))
    }
}

#[async_trait]
impl Credentials for OAuth {
    async fn headers(&self) -> Result<HeaderMap, UpstreamError> {
        let refused = |error: OAuthError| UpstreamError::Refused(error.to_string());
        let mut state = self.state.lock().await;
        self.load(&mut state).await.map_err(refused)?;
        let soon = self.ground.clock.now().as_second().saturating_add(EARLY);
        let over = state.kept.as_ref().and_then(|kept| kept.expires_at);
        if over.is_some_and(|over| over <= soon)
            && let Err(error) = self.renew(&mut state).await
        {
            tracing::info!(event = "token_not_renewed", server = %self.server, %error,
                "a token could not be renewed");
        }
        let mut headers = HeaderMap::new();
        if let Some(kept) = &state.kept {
            let value = HeaderValue::try_from(format!("Bearer {}", kept.access));
            let mut value = value.map_err(|error| UpstreamError::Refused(error.to_string()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    async fn challenged(&self, status: StatusCode, challenge: Option<&str>) -> bool {
        let mut state = self.state.lock().await;
        let told = Challenge::parse(challenge.unwrap_or_default());
        if status == StatusCode::FORBIDDEN && told.error.as_deref() != Some("insufficient_scope") {
            return false;
        }
        let fresh = state.renewed.is_some_and(|at| at.elapsed() < RENEWED);
        if fresh && told == state.challenge {
            return false;
        }
        state.challenge = told;
        // More rights are a person's to give.
        let alone = match self.settings.grant {
            Grant::ClientCredentials => true,
            Grant::AuthorizationCode => {
                let refresh = state.kept.as_ref().and_then(|kept| kept.refresh.as_ref());
                status == StatusCode::UNAUTHORIZED && refresh.is_some()
            }
        };
        if !alone {
            return false;
        }
        let renewed = self.renew(&mut state).await;
        state.renewed = Some(Instant::now());
        renewed
            .inspect_err(|error| {
                tracing::info!(event = "token_not_renewed", server = %self.server, %error,
                    "a token could not be renewed");
            })
            .is_ok()
    }
}
