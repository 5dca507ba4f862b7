//! The proof that people approved one exact call.
//!
//! A grant carries signatures from the start; until approvers have keys of their own the hub signs
//! (decision 107). The spoke checks it itself, so a stolen call token alone cannot run a change.

use crate::tool::Effect;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// An approved call. All fields but the signatures are signed, in their canonical JSON form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Id of the approval request.
    pub approval_id: String,
    /// Who may use it.
    pub principal: String,
    /// Canonical tool id.
    pub tool: String,
    /// See [`crate::arguments::hash`].
    pub arguments_hash: String,
    /// The effect the approvers were shown, as [`Effect::as_str`].
    pub effect: String,
    /// Subjects of those who said yes, in the order they did.
    pub approvers: Vec<String>,
    /// Unix seconds; refused afterwards.
    pub expires_at: i64,
    /// 128 random bits, base64url: one use.
    pub nonce: String,
    /// At least one, over [`Grant::signed_bytes`].
    pub signatures: Vec<Signature>,
}

/// One Ed25519 signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Which key signed.
    pub key_id: String,
    /// base64url, without padding.
    pub signature: String,
}

/// Why a grant was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// No signature by the expected key holds.
    #[error("the approval is not signed by the hub")]
    Signature,
    /// Its time is over.
    #[error("the approval has expired")]
    Expired,
    /// It is for another principal, tool or set of arguments.
    #[error("the approval is for another {0}")]
    Mismatch(&'static str),
}

/// The call a grant is held against.
#[derive(Debug, Clone, Copy)]
pub struct GrantedCall<'a> {
    /// Who calls.
    pub principal: &'a str,
    /// What is called.
    pub tool: &'a str,
    /// With what.
    pub arguments_hash: &'a str,
    /// The effect the spoke itself judged.
    pub effect: Effect,
    /// Unix seconds.
    pub now: i64,
}

impl Grant {
    /// What is signed: the domain, then the canonical JSON of the grant without its signatures.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let unsigned = serde_json::json!({
            "approval_id": self.approval_id,
            "principal": self.principal,
            "tool": self.tool,
            "arguments_hash": self.arguments_hash,
            "effect": self.effect,
            "approvers": self.approvers,
            "expires_at": self.expires_at,
            "nonce": self.nonce,
        });
        let mut bytes = b"waygate/grant/v1\n".to_vec();
        bytes.extend(crate::arguments::canonical(&unsigned));
        bytes
    }

    /// Adds a signature.
    pub fn sign(&mut self, key_id: &str, key: &Ed25519KeyPair) {
        let signature = URL_SAFE_NO_PAD.encode(key.sign(&self.signed_bytes()).as_ref());
        self.signatures.push(Signature {
            key_id: key_id.to_owned(),
            signature,
        });
    }

    /// Holds the grant against a call. Single use is the caller's to keep, by `nonce`.
    ///
    /// # Errors
    /// [`GrantError`] names what does not fit.
    pub fn verify(&self, call: GrantedCall<'_>, public_key: &[u8]) -> Result<(), GrantError> {
        let key = UnparsedPublicKey::new(&ED25519, public_key);
        let message = self.signed_bytes();
        let signed = self.signatures.iter().any(|signature| {
            URL_SAFE_NO_PAD
                .decode(&signature.signature)
                .is_ok_and(|bytes| key.verify(&message, &bytes).is_ok())
        });
        let effect = Effect::parse(&self.effect);
        if !signed {
            Err(GrantError::Signature)
        } else if call.now >= self.expires_at {
            Err(GrantError::Expired)
        } else if self.principal != call.principal {
            Err(GrantError::Mismatch("principal"))
        } else if self.tool != call.tool {
            Err(GrantError::Mismatch("tool"))
        } else if self.arguments_hash != call.arguments_hash {
            Err(GrantError::Mismatch("set of arguments"))
        } else if effect.is_none_or(|effect| effect < call.effect) {
            Err(GrantError::Mismatch("effect"))
        } else {
            Ok(())
        }
    }
}

/// The id under which a public key is named in signatures: the first 16 hex digits of its SHA-256.
#[must_use]
pub fn key_id(key: &Ed25519KeyPair) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.public_key().as_ref());
    let mut id = hex::encode(digest);
    id.truncate(16);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(key: &Ed25519KeyPair) -> Grant {
        let mut grant = Grant {
            approval_id: "apr_1".into(),
            principal: "key:1".into(),
            tool: "os.linux.runCommand".into(),
            arguments_hash: "ab".into(),
            effect: "mutate".into(),
            approvers: vec!["user:2".into()],
            expires_at: 100,
            nonce: "n".into(),
            signatures: Vec::new(),
        };
        grant.sign(&key_id(key), key);
        grant
    }

    const CALL: GrantedCall<'static> = GrantedCall {
        principal: "key:1",
        tool: "os.linux.runCommand",
        arguments_hash: "ab",
        effect: Effect::Mutate,
        now: 99,
    };

    #[test]
    fn a_grant_fits_one_call_only() {
        let key = Ed25519KeyPair::generate().unwrap();
        let good = grant(&key);
        let check = |grant: &Grant, call| grant.verify(call, key.public_key().as_ref());
        assert_eq!(check(&good, CALL), Ok(()));
        assert_eq!(
            check(&good, GrantedCall { now: 100, ..CALL }),
            Err(GrantError::Expired)
        );
        for (call, what) in [
            (
                GrantedCall {
                    principal: "key:2",
                    ..CALL
                },
                "principal",
            ),
            (
                GrantedCall {
                    tool: "os.linux.x",
                    ..CALL
                },
                "tool",
            ),
            (
                GrantedCall {
                    arguments_hash: "cd",
                    ..CALL
                },
                "set of arguments",
            ),
            (
                GrantedCall {
                    effect: Effect::Critical,
                    ..CALL
                },
                "effect",
            ),
        ] {
            assert_eq!(check(&good, call), Err(GrantError::Mismatch(what)));
        }
    }

    #[test]
    fn every_signed_field_is_signed() {
        let key = Ed25519KeyPair::generate().unwrap();
        let changes: [fn(&mut Grant); 8] = [
            |g| g.approval_id.push('x'),
            |g| g.principal.push('x'),
            |g| g.tool.push('x'),
            |g| g.arguments_hash.push('x'),
            |g| g.effect = "critical".into(),
            |g| g.approvers.push("x".into()),
            |g| g.expires_at += 1,
            |g| g.nonce.push('x'),
        ];
        for change in changes {
            let mut changed = grant(&key);
            change(&mut changed);
            assert_eq!(
                changed.verify(CALL, key.public_key().as_ref()),
                Err(GrantError::Signature)
            );
        }
        let other = Ed25519KeyPair::generate().unwrap();
        assert_eq!(
            grant(&key).verify(CALL, other.public_key().as_ref()),
            Err(GrantError::Signature)
        );
    }
}
