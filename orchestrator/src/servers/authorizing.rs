//! Servers that want a token: a person is sent to agree, and comes back.

use super::credentials::Secrets;
use super::oauth::{Callback, Grant, Ground, OAuth};
use super::specification::invalid;
use super::{Protocol, Registered, ServerError, Servers, ServersParts, Specification, rows};
use crate::caller::Caller;
use crate::upstream::{Description, UpstreamError};
use std::sync::Arc;
use url::Url;

/// Scopes of one registration.
const MAX_SCOPES: usize = 64;

impl Servers {
    /// The address at which a person agrees that the hub uses a server. That `by` may change servers
    /// is the caller's matter.
    ///
    /// # Errors
    /// [`ServerError::NoOAuth`], [`ServerError::OAuth`], [`ServerError::Unknown`].
    pub async fn authorize(&self, id: &str, by: &Caller) -> Result<Url, ServerError> {
        let view = self.get(id, by).await?;
        let name = view.registered.specification.name.as_str();
        let oauth = self.oauth.lock().get(name).cloned();
        let oauth = oauth.ok_or(ServerError::NoOAuth)?;
        let registered = &view.registered;
        self.record("server.authorizing", registered, by).await?;
        oauth.begin().await.map_err(ServerError::OAuth)
    }

    /// Takes what a browser brings back, and connects the server. Its name.
    ///
    /// # Errors
    /// [`ServerError::OAuth`].
    pub async fn authorized(&self, callback: &Callback) -> Result<String, ServerError> {
        let all: Vec<(Arc<str>, Arc<OAuth>)> = {
            let oauth = self.oauth.lock();
            oauth
                .iter()
                .map(|(name, it)| (Arc::clone(name), Arc::clone(it)))
                .collect()
        };
        for (name, oauth) in all {
            if oauth.began(callback).await {
                oauth.finish(callback).await.map_err(ServerError::OAuth)?;
                self.again(&name).await?;
                return Ok(name.to_string());
            }
        }
        Err(ServerError::OAuth(super::OAuthError::NoFlow))
    }

    /// As [`Servers::probe`]; `None` when it cannot be asked before a person has agreed.
    pub(super) async fn tried(
        &self,
        specification: &Specification,
    ) -> Result<Option<Description>, ServerError> {
        match self.probe(specification).await {
            Err(ServerError::Probe(UpstreamError::Refused(_))) if specification.asks_person() => {
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// Forgets the tokens of a server.
    pub(super) async fn forget_tokens(&self, name: &str) -> Result<(), ServerError> {
        let forget = super::oauth::forget(name);
        self.parts.store.write(vec![forget]).await?;
        Ok(())
    }

    /// Connects a server anew: what failed before is no reason to wait now.
    async fn again(&self, name: &str) -> Result<(), ServerError> {
        let _one_at_a_time = self.changing.lock().await;
        let of_settings = self
            .settings
            .read()
            .iter()
            .find(|it| it.id == name)
            .cloned();
        let (registered, trusted): (Registered, bool) = match of_settings {
            Some(registered) => (registered, true),
            None => {
                let found = rows::find(&self.parts.store, name).await?;
                (found.ok_or(ServerError::Unknown)?, false)
            }
        };
        self.part(name).await;
        self.join(&registered, trusted)?;
        self.parts.registry.follow_server(name).await;
        Ok(())
    }
}

impl Specification {
    /// Checks how tokens are got.
    pub(super) fn check_oauth(&self) -> Result<(), ServerError> {
        let Some(oauth) = &self.oauth else {
            return Ok(());
        };
        let rule = if self.protocol == Protocol::Stdio {
            "is for servers with a url"
        } else if !self.credentials.is_empty() {
            "cannot stand beside credentials"
        } else if oauth.grant == Grant::ClientCredentials
            && (oauth.client_id.is_none() || oauth.client_secret.is_none())
        {
            "client_credentials needs client_id and client_secret"
        } else if oauth
            .client_secret
            .as_deref()
            .is_some_and(|it| !Secrets::refers(it))
        {
            "client_secret must be secret:SERVER_NAME"
        } else if oauth.scopes.len() > MAX_SCOPES {
            "there are too many scopes"
        } else {
            return Ok(());
        };
        Err(invalid("oauth", rule))
    }

    /// Whether a person may have to agree before it can be asked what it has.
    pub(super) fn asks_person(&self) -> bool {
        let oauth = self.oauth.as_ref();
        oauth.is_some_and(|oauth| oauth.grant == Grant::AuthorizationCode)
    }
}

impl ServersParts {
    pub(super) fn oauth_ground(&self) -> Ground {
        Ground {
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            seal: Arc::clone(&self.seal),
            secrets: Arc::clone(&self.secrets),
            outbound: self.outbound.clone(),
            public_url: self.public_url.clone(),
        }
    }
}
