//! The key file of a service account of Google, and what is signed with it.

use super::setting::BaseUrl;
use crate::secret::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Deserializer, Serialize};
use std::fs::File;
use std::io::Read;
use url::Url;
use zeroize::Zeroizing;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Life of an assertion, in seconds.
const LIFE: i64 = 600;
/// Largest file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a key file cannot be used. What is wrong in it is not repeated: it is a key.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// It cannot be read.
    #[error("the key file cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// It is something else.
    #[error("the key file {0}")]
    Unusable(&'static str),
}

/// A service account.
pub struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    key: EncodingKey,
    token_url: Url,
}

#[derive(Deserialize)]
struct Written {
    r#type: String,
    client_email: String,
    private_key_id: Option<String>,
    #[serde(deserialize_with = "secret")]
    private_key: Secret,
    token_uri: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

impl ServiceAccount {
    /// Reads the file; `token_url` wins over the address in it.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn read(path: &str, token_url: Option<Url>) -> Result<Self, AccountError> {
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
            .map_err(AccountError::Unreadable)?;
        let unusable = AccountError::Unusable;
        // What is wrong in it is not repeated: it is a key.
        let written: Written =
            serde_json::from_slice(&bytes).or(Err(unusable("is no key of a service account")))?;
        if written.r#type != "service_account" {
            return Err(unusable("is no key of a service account"));
        }
        let given = BaseUrl::try_from(written.token_uri)
            .ok()
            .and_then(|it| it.0);
        let token_url = token_url.or(given);
        let token_url = token_url.ok_or(unusable("names no https address for tokens"))?;
        let key = EncodingKey::from_rsa_pem(written.private_key.expose().as_bytes())
            .or(Err(unusable("holds a private key that is none")))?;
        Ok(Self {
            email: written.client_email,
            key_id: written.private_key_id,
            key,
            token_url,
        })
    }

    /// Where it is exchanged for a token.
    #[must_use]
    pub fn token_url(&self) -> Url {
        self.token_url.clone()
    }

    /// A signed assertion, made at `now` (Unix seconds).
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn assertion(&self, now: i64) -> Result<Secret, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&self.key_id);
        let claims = Claims {
            iss: &self.email,
            scope: SCOPE,
            aud: self.token_url.as_str(),
            iat: now,
            exp: now.saturating_add(LIFE),
        };
        jsonwebtoken::encode(&header, &claims, &self.key).map(Secret::from)
    }
}

impl std::fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ServiceAccount").field(&self.email).finish()
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}
