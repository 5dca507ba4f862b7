//! Who the hub is to an authorization server, and the tokens it gets there.

use super::OAuthError;
use super::discovery::Issuer;
use super::web::Web;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

/// Ways to prove who asks that the hub knows, best first.
const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];

/// The hub as a client of one authorization server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Option<String>,
    /// One of [`METHODS`].
    pub(super) method: String,
}

/// What a token endpoint gave.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Given {
    pub(super) access_token: String,
    pub(super) token_type: String,
    pub(super) expires_in: Option<i64>,
    pub(super) refresh_token: Option<String>,
    pub(super) scope: Option<String>,
}

/// What a registration endpoint gave.
#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_secret: Option<String>,
    token_endpoint_auth_method: Option<String>,
}

impl Client {
    /// A client that was registered by people.
    pub(super) fn given(id: &str, secret: Option<String>, issuer: &Issuer) -> Self {
        Self {
            id: id.to_owned(),
            method: match secret {
                Some(_) => method(issuer, true).to_owned(),
                None => "none".to_owned(),
            },
            secret,
        }
    }

    /// A client whose id is the address of its metadata.
    pub(super) fn documented(address: &str) -> Self {
        Self {
            id: address.to_owned(),
            secret: None,
            method: "none".to_owned(),
        }
    }

    /// Registers the hub (RFC 7591).
    pub(super) async fn registered(
        web: &Web,
        issuer: &Issuer,
        (endpoint, redirect): (&Url, &str),
    ) -> Result<Self, OAuthError> {
        let asked = method(issuer, false);
        let local = Url::parse(redirect)
            .is_ok_and(|url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")));
        let body = json!({
            "client_name": "Waygate",
            "redirect_uris": [redirect],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": asked,
            "application_type": if local { "native" } else { "web" },
        });
        let made: Registered = web.post(endpoint, &body).await?;
        let told = made.token_endpoint_auth_method;
        let known = told.filter(|it| METHODS.contains(&it.as_str()));
        let method = known.unwrap_or_else(|| match &made.client_secret {
            Some(_) if asked != "none" => asked.to_owned(),
            Some(_) => "client_secret_basic".to_owned(),
            None => "none".to_owned(),
        });
        Ok(Self {
            id: made.client_id,
            secret: made.client_secret,
            method,
        })
    }

    /// Asks for tokens.
    pub(super) async fn tokens(
        &self,
        web: &Web,
        endpoint: &Url,
        form: &[(&str, &str)],
    ) -> Result<Given, OAuthError> {
        let mut form = form.to_vec();
        let secret = self.secret.as_deref().unwrap_or_default();
        let proof = (self.method == "client_secret_basic").then(|| basic(&self.id, secret));
        if proof.is_none() {
            form.push(("client_id", &self.id));
        }
        if self.method == "client_secret_post" {
            form.push(("client_secret", secret));
        }
        let given: Given = web.form(endpoint, &form, proof).await?;
        if !given.token_type.eq_ignore_ascii_case("bearer") {
            return Err(OAuthError::Metadata(
                "the token is of a kind the hub does not know",
            ));
        }
        Ok(given)
    }
}

/// The best way both know; with a secret, one that uses it.
fn method(issuer: &Issuer, secret: bool) -> &'static str {
    let supported = issuer.token_endpoint_auth_methods_supported.as_ref();
    let knows = |method: &&&str| {
        let usable = !secret || **method != "none";
        usable && supported.is_none_or(|all| all.iter().any(|it| it == *method))
    };
    METHODS
        .iter()
        .find(knows)
        .copied()
        .unwrap_or("client_secret_basic")
}

/// RFC 6749, 2.3.1: both are form-encoded first.
fn basic(id: &str, secret: &str) -> String {
    let encode =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = format!("{}:{}", encode(id), encode(secret));
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_proves_itself_as_both_know() {
        let issuer = |methods: Option<&[&str]>| Issuer {
            issuer: "https://as.example".into(),
            authorization_endpoint: None,
            token_endpoint: "https://as.example/token".parse().unwrap(),
            registration_endpoint: None,
            code_challenge_methods_supported: Vec::new(),
            token_endpoint_auth_methods_supported: methods
                .map(|all| all.iter().map(ToString::to_string).collect()),
            scopes_supported: Vec::new(),
            client_id_metadata_document_supported: false,
            authorization_response_iss_parameter_supported: false,
        };
        for (methods, secret, wanted) in [
            (None, true, "client_secret_basic"),
            (
                Some(&["client_secret_post", "none"][..]),
                true,
                "client_secret_post",
            ),
            (
                Some(&["none", "client_secret_post"][..]),
                false,
                "client_secret_post",
            ),
            (Some(&["none"][..]), false, "none"),
        ] {
            assert_eq!(method(&issuer(methods), secret), wanted, "{methods:?}");
        }
        assert_eq!(
            basic("a b", "c:d"),
            format!("Basic {}", BASE64_STANDARD.encode("a+b:c%3Ad"))
        );
    }
}
