//! The signed, short-lived, one-use token that travels with every call from the hub to a spoke.
//!
//! Compact JWS, `EdDSA`, header `typ: waygate-call+jwt`. Only the hub can make one, so a spoke cannot
//! be driven around the hub. Source: `interfaces.md` 3.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use uuid::Uuid;

/// Longest life of a token, in seconds.
pub const MAX_LIFE_SECONDS: i64 = 30;
/// Clock difference between hub and spoke that is forgiven, in seconds.
pub const LEEWAY_SECONDS: i64 = 5;

const HEADER: &str = r#"{"alg":"EdDSA","typ":"waygate-call+jwt"}"#;

/// What the hub vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Service name of the spoke.
    pub aud: String,
    /// The process of the spoke the token is for.
    pub boot_id: String,
    /// The principal.
    pub sub: String,
    /// Canonical tool id.
    pub tool: String,
    /// See [`crate::arguments::hash`].
    pub args: String,
    /// Correlation id.
    pub cid: String,
    /// Idempotency key; empty for reads.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Under what authority a change runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// Issued at, Unix seconds.
    pub iat: i64,
    /// Expires at, Unix seconds.
    pub exp: i64,
    /// One use.
    pub jti: Uuid,
}

/// Why the hub let a change through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Authority {
    /// People approved it; the grant with this approval id travels along.
    Approval(String),
    /// The policy of this name waived the approval; never for critical work.
    Waiver(String),
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of this kind.
    #[error("the call token is malformed")]
    Malformed,
    /// Not signed by the hub.
    #[error("the call token is not signed by the hub")]
    Signature,
    /// Too old, from the future, or made to live too long.
    #[error("the call token is not valid at this time")]
    Time,
    /// For another call.
    #[error("the call token is for another {0}")]
    Mismatch(&'static str),
    /// Seen before.
    #[error("the call token was used before")]
    Replayed,
}

/// The call a token is held against.
#[derive(Debug, Clone, Copy)]
pub struct TokenFor<'a> {
    /// This spoke's service name.
    pub service: &'a str,
    /// This process.
    pub boot_id: &'a str,
    /// Principal named in the request.
    pub principal: &'a str,
    /// Tool named in the request.
    pub tool: &'a str,
    /// Hash of the arguments in the request.
    pub arguments_hash: &'a str,
    /// Correlation id of the request.
    pub correlation_id: &'a str,
    /// Idempotency key of the request; empty when absent.
    pub idempotency_key: &'a str,
    /// Unix seconds.
    pub now: i64,
}

/// Signs claims.
///
/// # Panics
/// Never: claims hold texts and numbers, which are JSON.
#[must_use]
pub fn sign(claims: &Claims, key: &Ed25519KeyPair) -> String {
    let body = serde_json::to_vec(claims).expect("texts and numbers are JSON");
    let mut token = String::with_capacity(2 * body.len());
    URL_SAFE_NO_PAD.encode_string(HEADER, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(body, &mut token);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
    token
}

/// Checks tokens for one spoke and remembers those it has seen.
#[derive(Debug)]
pub struct Verifier {
    public_key: Vec<u8>,
    seen: Mutex<Seen>,
}

/// Two generations of used tokens, each covering [`GENERATION_SECONDS`]: a token is over before the
/// generation that holds it is dropped, and nothing is ever scanned.
#[derive(Debug, Default)]
struct Seen {
    since: i64,
    current: HashSet<Uuid>,
    previous: HashSet<Uuid>,
}

const GENERATION_SECONDS: i64 = MAX_LIFE_SECONDS + 2 * LEEWAY_SECONDS;

impl Verifier {
    /// A verifier for the hub's public key (32 bytes).
    #[must_use]
    pub fn new(public_key: Vec<u8>) -> Self {
        Self {
            public_key,
            seen: Mutex::default(),
        }
    }

    /// The hub's public key, for checking grants.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Checks a token against the request it came with, and uses it up.
    ///
    /// # Errors
    /// [`TokenError`]; the tool must not run.
    pub fn accept(&self, token: &str, call: TokenFor<'_>) -> Result<Claims, TokenError> {
        let claims = self.authentic(token)?;
        let life = claims.exp.saturating_sub(claims.iat);
        let early = call.now.saturating_add(LEEWAY_SECONDS) < claims.iat;
        let late = call.now.saturating_sub(LEEWAY_SECONDS) >= claims.exp;
        if early || late || !(0..=MAX_LIFE_SECONDS).contains(&life) {
            return Err(TokenError::Time);
        }
        for (claimed, actual, what) in [
            (claims.aud.as_str(), call.service, "spoke"),
            (&claims.boot_id, call.boot_id, "process of this spoke"),
            (&claims.sub, call.principal, "principal"),
            (&claims.tool, call.tool, "tool"),
            (&claims.args, call.arguments_hash, "set of arguments"),
            (&claims.cid, call.correlation_id, "correlation id"),
            (&claims.key, call.idempotency_key, "idempotency key"),
        ] {
            if claimed != actual {
                return Err(TokenError::Mismatch(what));
            }
        }
        self.use_up(&claims, call.now)?;
        Ok(claims)
    }

    fn authentic(&self, token: &str) -> Result<Claims, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, body) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_error| TokenError::Malformed)
        };
        if decode(header)? != HEADER.as_bytes() {
            return Err(TokenError::Malformed);
        }
        UnparsedPublicKey::new(&ED25519, &self.public_key)
            .verify(message.as_bytes(), &decode(signature)?)
            .map_err(|_unspecified| TokenError::Signature)?;
        serde_json::from_slice(&decode(body)?).map_err(|_error| TokenError::Malformed)
    }

    fn use_up(&self, claims: &Claims, now: i64) -> Result<(), TokenError> {
        let mut seen = self.seen.lock();
        if now.saturating_sub(seen.since) >= GENERATION_SECONDS {
            seen.since = now;
            seen.previous = std::mem::take(&mut seen.current);
        }
        if seen.previous.contains(&claims.jti) || !seen.current.insert(claims.jti) {
            return Err(TokenError::Replayed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::KeyPair;

    const CALL: TokenFor<'static> = TokenFor {
        service: "12_cmdb_mcp",
        boot_id: "b",
        principal: "key:1",
        tool: "cmdb.local.validate",
        arguments_hash: "ab",
        correlation_id: "c",
        idempotency_key: "",
        now: 1000,
    };

    fn claims() -> Claims {
        Claims {
            aud: CALL.service.into(),
            boot_id: CALL.boot_id.into(),
            sub: CALL.principal.into(),
            tool: CALL.tool.into(),
            args: CALL.arguments_hash.into(),
            cid: CALL.correlation_id.into(),
            key: String::new(),
            authority: None,
            iat: 1000,
            exp: 1030,
            jti: Uuid::nil(),
        }
    }

    fn pair() -> (Ed25519KeyPair, Verifier) {
        let key = Ed25519KeyPair::generate().unwrap();
        let verifier = Verifier::new(key.public_key().as_ref().to_vec());
        (key, verifier)
    }

    /// Acceptance: 339
    #[test]
    fn a_token_fits_one_call_once() {
        let (key, verifier) = pair();
        let token = sign(&claims(), &key);
        for (call, what) in [
            (
                TokenFor {
                    service: "x",
                    ..CALL
                },
                "spoke",
            ),
            (
                TokenFor {
                    boot_id: "x",
                    ..CALL
                },
                "process of this spoke",
            ),
            (
                TokenFor {
                    principal: "x",
                    ..CALL
                },
                "principal",
            ),
            (TokenFor { tool: "x", ..CALL }, "tool"),
            (
                TokenFor {
                    arguments_hash: "x",
                    ..CALL
                },
                "set of arguments",
            ),
            (
                TokenFor {
                    correlation_id: "x",
                    ..CALL
                },
                "correlation id",
            ),
            (
                TokenFor {
                    idempotency_key: "x",
                    ..CALL
                },
                "idempotency key",
            ),
        ] {
            assert_eq!(
                verifier.accept(&token, call),
                Err(TokenError::Mismatch(what))
            );
        }
        assert_eq!(verifier.accept(&token, CALL), Ok(claims()));
        assert_eq!(verifier.accept(&token, CALL), Err(TokenError::Replayed));
    }

    /// Acceptance: 339
    #[test]
    fn a_used_token_stays_used_until_it_is_over() {
        let (key, verifier) = pair();
        let token = sign(&claims(), &key);
        assert!(verifier.accept(&token, CALL).is_ok());
        for now in 1001..1035 {
            let call = TokenFor { now, ..CALL };
            assert_eq!(
                verifier.accept(&token, call),
                Err(TokenError::Replayed),
                "at {now}"
            );
        }
    }

    /// Acceptance: 339
    #[test]
    fn time_and_signature_are_checked() {
        let (key, verifier) = pair();
        let token = sign(&claims(), &key);
        let at = |now| verifier.accept(&token, TokenFor { now, ..CALL });
        assert_eq!(at(994), Err(TokenError::Time));
        assert_eq!(at(1035), Err(TokenError::Time));
        let long = sign(
            &Claims {
                exp: 1031,
                ..claims()
            },
            &key,
        );
        assert_eq!(verifier.accept(&long, CALL), Err(TokenError::Time));
        let (other, _) = pair();
        assert_eq!(
            verifier.accept(&sign(&claims(), &other), CALL),
            Err(TokenError::Signature)
        );
        assert_eq!(verifier.accept("a.b", CALL), Err(TokenError::Malformed));
        let none = token.replacen(
            &URL_SAFE_NO_PAD.encode(HEADER),
            &URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
            1,
        );
        assert_eq!(verifier.accept(&none, CALL), Err(TokenError::Malformed));
    }
}
