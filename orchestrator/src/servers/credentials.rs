//! Credentials of servers: references in a registration, values only while a request is made.
//!
//! Only secrets whose name begins with `SERVER_` can be referred to, so that a registration cannot
//! send the hub's own secrets anywhere.

use super::ServerError;
use super::specification::invalid;
use crate::upstream::UpstreamError;
use crate::upstream::mcp::Credentials;
use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use shared::secret::SecretProvider;
use std::collections::BTreeMap;
use std::sync::Arc;

const REFERENCE: &str = "secret:";
const PREFIX: &str = "SERVER_";
/// Headers that are the protocol's or the connection's.
const RESERVED: [&str; 6] = [
    "host",
    "content-type",
    "content-length",
    "accept",
    "connection",
    "transfer-encoding",
];

/// Reads references.
pub(super) struct Secrets<'a>(pub(super) &'a dyn SecretProvider);

impl Secrets<'_> {
    /// Checks the form of headers and variables, without reading a secret.
    pub(super) fn check(
        credentials: &BTreeMap<String, String>,
        environment: &[String],
    ) -> Result<(), ServerError> {
        for (name, text) in credentials {
            let header = HeaderName::try_from(name.as_str()).ok();
            let free = header.is_some_and(|it| {
                !RESERVED.contains(&it.as_str()) && !it.as_str().starts_with("mcp-")
            });
            if !free || reference(text).is_none() {
                let rule = "must be headers with a reference such as Bearer secret:SERVER_TOKEN";
                return Err(invalid("credentials", rule));
            }
        }
        for entry in environment {
            let name = entry.split_once('=').map(|(name, _)| name);
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let named = name.is_some_and(|name| !name.is_empty() && name.chars().all(word));
            let text = entry.split_once('=').map_or("", |(_, value)| value);
            if !named || (text.contains(REFERENCE) && reference(text).is_none()) {
                let rule = "must be NAME=value or NAME=secret:SERVER_NAME";
                return Err(invalid("environment", rule));
            }
        }
        Ok(())
    }

    /// Whether a text is a reference and nothing else.
    pub(super) fn refers(text: &str) -> bool {
        reference(text).is_some_and(|(before, _)| before.is_empty())
    }

    /// The variables of a child, with the secrets they refer to.
    pub(super) fn environment(
        &self,
        environment: &[String],
    ) -> Result<Vec<(String, String)>, ServerError> {
        let pair = |entry: &String| {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            let value = match reference(value) {
                None => value.to_owned(),
                Some(_) => self
                    .value(value)
                    .map_err(|why| invalid("environment", &why))?,
            };
            Ok((name.to_owned(), value))
        };
        environment.iter().map(pair).collect()
    }

    /// The text with the secret it refers to.
    pub(super) fn value(&self, text: &str) -> Result<String, String> {
        let (before, name) = reference(text).ok_or("is no reference")?;
        match self.0.require(name) {
            Ok(secret) => Ok(format!("{before}{}", secret.expose())),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The text before a reference, and the secret's name.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (before, name) = text.split_once(REFERENCE)?;
    let word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let fits = name.starts_with(PREFIX) && name.chars().all(word);
    fits.then_some((before, name))
}

/// Headers whose values are read for every request, so that a new secret counts at once.
pub(super) struct SecretHeaders {
    headers: BTreeMap<String, String>,
    secrets: Arc<dyn SecretProvider>,
}

impl SecretHeaders {
    pub(super) fn new(headers: BTreeMap<String, String>, secrets: Arc<dyn SecretProvider>) -> Self {
        Self { headers, secrets }
    }
}

#[async_trait]
impl Credentials for SecretHeaders {
    async fn headers(&self) -> Result<HeaderMap, UpstreamError> {
        let mut headers = HeaderMap::new();
        for (name, text) in &self.headers {
            let refused = |why: String| UpstreamError::Refused(format!("{name}: {why}"));
            let value = Secrets(&*self.secrets).value(text).map_err(refused)?;
            let (Ok(name), Ok(mut value)) = (
                HeaderName::try_from(name.as_str()),
                HeaderValue::try_from(value),
            ) else {
                return Err(refused("it cannot be sent in a header".into()));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    async fn challenged(&self, _status: StatusCode, _challenge: Option<&str>) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::secret::MapSecrets;

    #[tokio::test]
    async fn headers_carry_the_secret_and_nothing_else_can_be_referred_to() {
        let secrets = Arc::new(MapSecrets::from([("SERVER_TOKEN", "abc")]));
        let headers =
            BTreeMap::from([("authorization".into(), "Bearer secret:SERVER_TOKEN".into())]);
        let made = SecretHeaders::new(headers, secrets)
            .headers()
            .await
            .unwrap();
        assert_eq!(made["authorization"], "Bearer abc");
        assert!(made["authorization"].is_sensitive());
        for bad in ["secret:SECRET_KEY", "secret:SERVER_x", "abc", "secret:"] {
            assert!(reference(bad).is_none(), "{bad}");
        }
    }
}
