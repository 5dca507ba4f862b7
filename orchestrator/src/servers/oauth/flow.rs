//! A person agrees in a browser: the hub makes the address to open, and takes the code that comes back.

use super::challenge::Challenge;
use super::client::Client;
use super::plan::Plan;
use super::{Grant, OAuth, OAuthError, State};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{ACCEPT, WWW_AUTHENTICATE};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// The scope that asks for a refresh token, where it is known.
const OFFLINE: &str = "offline_access";

/// An authorization that was begun.
pub(super) struct Flow {
    state: String,
    verifier: String,
    plan: Plan,
    client: Client,
    redirect: String,
    begun: Instant,
}

/// What the browser of the person brings back.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Callback {
    /// Which authorization this is.
    #[serde(default)]
    pub state: String,
    /// What the token is got for.
    pub code: Option<String>,
    /// Who says so.
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

impl OAuth {
    /// The address a person opens to agree.
    ///
    /// # Errors
    /// [`OAuthError`].
    pub(in crate::servers) async fn begin(&self) -> Result<Url, OAuthError> {
        if self.settings.grant != Grant::AuthorizationCode {
            return Err(OAuthError::Metadata("this server needs no person to agree"));
        }
        if self.ground.public_url.is_empty() {
            return Err(OAuthError::Metadata(
                "set WAYGATE_PUBLIC_URL: the person is sent back there",
            ));
        }
        let mut state = self.state.lock().await;
        self.load(&mut state).await?;
        if state.challenge == Challenge::default() {
            state.challenge = self.ask_for_challenge().await?;
        }
        let mut plan = self.plan(&state).await?;
        let methods = &plan.issuer.code_challenge_methods_supported;
        if !methods.iter().any(|method| method == "S256") {
            return Err(OAuthError::Metadata(
                "the authorization server does not know PKCE with S256",
            ));
        }
        if plan
            .issuer
            .scopes_supported
            .iter()
            .any(|scope| scope == OFFLINE)
        {
            plan.scopes.insert(OFFLINE.to_owned());
        }
        let endpoint = plan.issuer.authorization_endpoint.clone();
        let endpoint =
            endpoint.ok_or(OAuthError::Metadata("no authorization endpoint is named"))?;
        // It is opened in a browser, by whoever started this.
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(OAuthError::Metadata(
                "the authorization endpoint is no web page",
            ));
        }
        let redirect = format!("{}/oauth/callback", self.ground.public_url);
        let client = self.client(&state, &plan.issuer, &redirect).await?;
        let flow = Flow {
            state: secret(),
            verifier: secret(),
            plan,
            client,
            redirect,
            begun: Instant::now(),
        };
        let address = flow.address(endpoint);
        state.flow = Some(flow);
        Ok(address)
    }

    /// Whether this callback belongs to an authorization that was begun here.
    pub(in crate::servers) async fn began(&self, callback: &Callback) -> bool {
        let state = self.state.lock().await;
        let flow = state.flow.as_ref();
        flow.is_some_and(|flow| {
            aws_lc_rs::constant_time::verify_slices_are_equal(
                flow.state.as_bytes(),
                callback.state.as_bytes(),
            )
            .is_ok()
        })
    }

    /// Gets the tokens. An authorization counts once, however it ends.
    ///
    /// # Errors
    /// [`OAuthError`].
    pub(in crate::servers) async fn finish(&self, callback: &Callback) -> Result<(), OAuthError> {
        let mut state = self.state.lock().await;
        let flow = take(&mut state).ok_or(OAuthError::NoFlow)?;
        let issuer = &flow.plan.issuer;
        match &callback.iss {
            Some(iss) if *iss != issuer.issuer => {
                return Err(OAuthError::Metadata("the answer is that of another issuer"));
            }
            None if issuer.authorization_response_iss_parameter_supported => {
                return Err(OAuthError::Metadata("the answer does not say who gave it"));
            }
            _ => {}
        }
        if let Some(error) = &callback.error {
            return Err(OAuthError::Denied(super::web::word(error)));
        }
        let code = callback.code.as_deref();
        let code = code.ok_or(OAuthError::Metadata("the answer has no code"))?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &flow.redirect),
            ("code_verifier", &flow.verifier),
            ("resource", &flow.plan.resource),
        ];
        let endpoint = issuer.token_endpoint.clone();
        let given = flow.client.tokens(&self.web, &endpoint, &form).await?;
        let kept = self.kept(given, flow.plan, flow.client);
        self.keep(&mut state, kept).await
    }

    /// Asks the server without a credential, to hear what it wants.
    async fn ask_for_challenge(&self) -> Result<Challenge, OAuthError> {
        self.web.outbound.check(&self.url)?;
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "waygate", "version": env!("CARGO_PKG_VERSION")},
        }});
        let asked = self.web.client.post(self.url.clone());
        let asked = asked.header(ACCEPT, "application/json, text/event-stream");
        let answer = asked.json(&message).send().await;
        let answer = answer.map_err(|error| OAuthError::Unreachable(error.without_url()))?;
        let told = answer.headers().get(WWW_AUTHENTICATE);
        let told = told.and_then(|value| value.to_str().ok());
        Ok(Challenge::parse(told.unwrap_or_default()))
    }
}

impl Flow {
    fn address(&self, mut endpoint: Url) -> Url {
        let hash = digest(&SHA256, self.verifier.as_bytes());
        let scope = words(&self.plan.scopes);
        {
            let mut query = endpoint.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.client.id)
                .append_pair("redirect_uri", &self.redirect)
                .append_pair("state", &self.state)
                .append_pair("code_challenge", &BASE64_URL_SAFE_NO_PAD.encode(hash))
                .append_pair("code_challenge_method", "S256")
                .append_pair("resource", &self.plan.resource);
            if !scope.is_empty() {
                query.append_pair("scope", &scope);
            }
            if self.plan.scopes.contains(OFFLINE) {
                query.append_pair("prompt", "consent");
            }
        }
        endpoint
    }
}

fn take(state: &mut State) -> Option<Flow> {
    state
        .flow
        .take()
        .filter(|flow| flow.begun.elapsed() < PATIENCE)
}

fn secret() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

pub(super) fn words(scopes: &BTreeSet<String>) -> String {
    let words: Vec<&str> = scopes.iter().map(String::as_str).collect();
    words.join(" ")
}

/// Where the hub says who it is, which is its client id there.
pub(super) fn document_url(public: &str) -> String {
    format!("{public}/client-metadata.json")
}
