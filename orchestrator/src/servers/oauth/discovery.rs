//! Who gives out tokens for a server: its protected resource metadata (RFC 9728), then that of its
//! authorization server (RFC 8414, `OpenID` Connect Discovery).

use super::OAuthError;
use super::web::Web;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use url::Url;

/// What a server says about its protection.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Resource {
    pub(super) resource: Option<String>,
    #[serde(default)]
    pub(super) authorization_servers: Vec<String>,
    #[serde(default)]
    pub(super) scopes_supported: Vec<String>,
}

/// What an authorization server says of itself.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Issuer {
    pub(super) issuer: String,
    #[serde(default, deserialize_with = "perhaps")]
    pub(super) authorization_endpoint: Option<Url>,
    #[serde(deserialize_with = "address")]
    pub(super) token_endpoint: Url,
    #[serde(default, deserialize_with = "perhaps")]
    pub(super) registration_endpoint: Option<Url>,
    #[serde(default)]
    pub(super) code_challenge_methods_supported: Vec<String>,
    /// `None` means `client_secret_basic`.
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) scopes_supported: Vec<String>,
    #[serde(default)]
    pub(super) client_id_metadata_document_supported: bool,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// The protection of `server`; `hint` is the address its challenge named. `None` when it says nothing.
pub(super) async fn resource(
    web: &Web,
    server: &Url,
    hint: Option<&str>,
) -> Result<Option<Resource>, OAuthError> {
    if let Some(hint) = hint {
        let url =
            Url::parse(hint).or(Err(OAuthError::Metadata("the challenge names no address")))?;
        let found: Option<Resource> = web.document(&url).await?;
        let found = found.ok_or(OAuthError::Metadata("the challenge leads nowhere"))?;
        return fitting(found, server).map(Some);
    }
    let path = server.path().trim_end_matches('/');
    let mut places = vec![at(
        server,
        &format!("/.well-known/oauth-protected-resource{path}"),
    )];
    if !path.is_empty() {
        places.push(at(server, "/.well-known/oauth-protected-resource"));
    }
    for place in places {
        if let Some(found) = web.document::<Resource>(&place).await? {
            return fitting(found, server).map(Some);
        }
    }
    Ok(None)
}

/// A token for one resource must not be asked for in the name of another.
fn fitting(found: Resource, server: &Url) -> Result<Resource, OAuthError> {
    let named = found
        .resource
        .as_deref()
        .and_then(|text| Url::parse(text).ok());
    let covers = named.is_some_and(|named| {
        let (own, theirs) = (server.path(), named.path().trim_end_matches('/'));
        let rest = own.strip_prefix(theirs);
        named.origin() == server.origin()
            && rest.is_some_and(|it| it.is_empty() || it.starts_with('/'))
    });
    match covers {
        true => Ok(found),
        false => Err(OAuthError::Metadata(
            "the metadata is that of another resource",
        )),
    }
}

/// What `issuer` says of itself. It has to be that issuer, letter for letter.
pub(super) async fn issuer(web: &Web, issuer: &str) -> Result<Issuer, OAuthError> {
    let url = Url::parse(issuer).or(Err(OAuthError::Metadata("the issuer is no address")))?;
    let path = url.path().trim_end_matches('/');
    let mut places = vec![
        at(
            &url,
            &format!("/.well-known/oauth-authorization-server{path}"),
        ),
        at(&url, &format!("/.well-known/openid-configuration{path}")),
    ];
    if !path.is_empty() {
        places.push(at(
            &url,
            &format!("{path}/.well-known/openid-configuration"),
        ));
    }
    for place in places {
        let Some(found) = web.document::<Issuer>(&place).await? else {
            continue;
        };
        return match found.issuer == issuer {
            true => Ok(found),
            false => Err(OAuthError::Metadata(
                "the metadata is that of another issuer",
            )),
        };
    }
    Err(OAuthError::Metadata(
        "the authorization server has no metadata",
    ))
}

/// For servers of 2025-03-26, which are their own authorization server: its metadata, or the endpoints
/// that revision names.
pub(super) async fn old_issuer(web: &Web, server: &Url) -> Result<Issuer, OAuthError> {
    let place = at(server, "/.well-known/oauth-authorization-server");
    if let Some(found) = web.document::<Issuer>(&place).await? {
        return Ok(found);
    }
    Ok(Issuer {
        issuer: server.origin().ascii_serialization(),
        authorization_endpoint: Some(at(server, "/authorize")),
        token_endpoint: at(server, "/token"),
        registration_endpoint: Some(at(server, "/register")),
        // That revision asks for it of every server.
        code_challenge_methods_supported: vec!["S256".to_owned()],
        token_endpoint_auth_methods_supported: None,
        scopes_supported: Vec::new(),
        client_id_metadata_document_supported: false,
        authorization_response_iss_parameter_supported: false,
    })
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    let text = String::deserialize(from)?;
    Url::parse(&text).map_err(Error::custom)
}

fn perhaps<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    let url = text.as_deref().map(Url::parse);
    url.transpose().map_err(Error::custom)
}

fn at(url: &Url, path: &str) -> Url {
    let mut place = url.clone();
    place.set_path(path);
    place.set_query(None);
    place.set_fragment(None);
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resource: &str, server: &str) -> bool {
        let found = Resource {
            resource: Some(resource.to_owned()),
            authorization_servers: Vec::new(),
            scopes_supported: Vec::new(),
        };
        fitting(found, &Url::parse(server).unwrap()).is_ok()
    }

    #[test]
    fn metadata_has_to_be_of_the_server_or_of_what_it_is_part_of() {
        let server = "https://a.example/mcp/x";
        for (resource, fits) in [
            ("https://a.example/mcp/x", true),
            ("https://a.example/mcp", true),
            ("https://a.example/", true),
            ("https://a.example/mc", false),
            ("https://a.example/mcp/x/y", false),
            ("https://b.example/mcp/x", false),
            ("http://a.example/mcp/x", false),
            ("nonsense", false),
        ] {
            assert_eq!(check(resource, server), fits, "{resource}");
        }
    }
}
