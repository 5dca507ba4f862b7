//! Who is to be asked for a token, for what, and as whom.

use super::client::Client;
use super::discovery::{self, Issuer};
use super::{OAuth, OAuthError, State, flow};
use crate::servers::credentials::Secrets;
use std::collections::BTreeSet;

/// Who is to be asked for what.
pub(super) struct Plan {
    pub(super) issuer: Issuer,
    pub(super) resource: String,
    pub(super) scopes: BTreeSet<String>,
}

impl OAuth {
    /// Who is to be asked, for what: scopes the server named last, else those of its metadata, with
    /// those of the settings and those that were granted before.
    pub(super) async fn plan(&self, state: &State) -> Result<Plan, OAuthError> {
        let hint = state.challenge.metadata.as_deref();
        let resource = discovery::resource(&self.web, &self.url, hint).await?;
        let issuer = match &resource {
            Some(found) => {
                let first = found.authorization_servers.first();
                let first =
                    first.ok_or(OAuthError::Metadata("no authorization server is named"))?;
                discovery::issuer(&self.web, first).await?
            }
            None => discovery::old_issuer(&self.web, &self.url).await?,
        };
        let named = state.challenge.scopes.clone();
        let supported = resource.as_ref().map(|it| it.scopes_supported.clone());
        let wanted = named.or(supported).unwrap_or_default();
        let mut scopes: BTreeSet<String> = wanted.into_iter().collect();
        scopes.extend(self.settings.scopes.iter().cloned());
        let before = state
            .kept
            .as_ref()
            .filter(|kept| kept.issuer == issuer.issuer);
        scopes.extend(
            before
                .into_iter()
                .flat_map(|kept| kept.scopes.iter().cloned()),
        );
        let resource = resource.and_then(|it| it.resource);
        Ok(Plan {
            issuer,
            resource: resource.unwrap_or_else(|| self.url.to_string()),
            scopes,
        })
    }

    /// Who the hub is there: as people registered it, as it did before, by its document, or newly
    /// registered.
    pub(super) async fn client(
        &self,
        state: &State,
        issuer: &Issuer,
        redirect: &str,
    ) -> Result<Client, OAuthError> {
        if let Some(id) = &self.settings.client_id {
            return Ok(Client::given(id, self.secret()?, issuer));
        }
        let before = state
            .kept
            .as_ref()
            .filter(|kept| kept.issuer == issuer.issuer);
        if let Some(kept) = before {
            return Ok(kept.client.clone());
        }
        let public = &self.ground.public_url;
        if issuer.client_id_metadata_document_supported && public.starts_with("https://") {
            return Ok(Client::documented(&flow::document_url(public)));
        }
        let endpoint = issuer.registration_endpoint.as_ref();
        let endpoint = endpoint.ok_or(OAuthError::NoClient)?;
        Client::registered(&self.web, issuer, (endpoint, redirect)).await
    }

    fn secret(&self) -> Result<Option<String>, OAuthError> {
        let Some(reference) = &self.settings.client_secret else {
            return Ok(None);
        };
        let secrets = Secrets(&*self.ground.secrets);
        secrets
            .value(reference)
            .map(Some)
            .map_err(OAuthError::Secret)
    }
}
