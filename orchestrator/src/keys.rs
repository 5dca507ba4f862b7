//! The hub's own signing key: call tokens and approval grants are signed with it, spokes hold its
//! public half.
//!
//! Where the key file lies is `config`'s matter, who verifies is `shared::call_token`'s and
//! `shared::grant`'s.

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use zeroize::Zeroizing;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// Length of a raw Ed25519 seed, in bytes.
const SEED_LEN: usize = 32;

/// First byte of a PKCS#8 document; the library would take other bytes for raw keys.
const DER_SEQUENCE: u8 = 0x30;

/// DER of a `SubjectPublicKeyInfo` for Ed25519 up to the key itself (RFC 8410).
const PUBLIC_DER_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// An Ed25519 key pair with the name it signs under.
pub struct HubKey {
    /// The key pair.
    pub pair: Ed25519KeyPair,
    /// See [`shared::grant::key_id`].
    pub key_id: String,
    /// Keyed with the private key.
    derivation: hmac::Key,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no Ed25519 private key.
    #[error("not an Ed25519 private key; expected PKCS#8 (PEM or DER) or a raw seed of 32 bytes")]
    Rejected,
    /// The system gave no randomness.
    #[error("a key could not be generated")]
    Generation,
}

/// A fresh key pair as files: what `waygate secrets generate` writes.
pub struct KeyFiles {
    /// PKCS#8 PEM of the private key; wiped when dropped.
    pub private_pem: Zeroizing<String>,
    /// `SubjectPublicKeyInfo` PEM of the public key.
    pub public_pem: String,
}

impl HubKey {
    /// Reads a private key: PKCS#8 as PEM or DER, or a raw seed of 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Rejected`]; the content is never repeated.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        // Thirty-two letters are somebody's password, not random bytes.
        let raw = bytes.len() == SEED_LEN && !bytes.is_ascii();
        let pair = if raw {
            Ed25519KeyPair::from_seed_unchecked(bytes)
        } else {
            let der = match std::str::from_utf8(bytes) {
                Ok(text) if text.contains(PEM_BEGIN) => pem_body(text)?,
                _ => Zeroizing::new(bytes.to_vec()),
            };
            if der.first() != Some(&DER_SEQUENCE) {
                return Err(KeyError::Rejected);
            }
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
        };
        // The cause is a fixed word of the library and adds nothing.
        pair.or(Err(KeyError::Rejected)).and_then(Self::of)
    }

    /// A key that lives as long as this process: tests, and development without a key file.
    ///
    /// # Errors
    /// [`KeyError::Generation`].
    pub fn generate() -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().or(Err(KeyError::Generation))?;
        Self::of(pair)
    }

    /// A fresh pair of key files.
    ///
    /// # Errors
    /// [`KeyError::Generation`].
    pub fn generate_files() -> Result<KeyFiles, KeyError> {
        let key = Self::generate()?;
        let der = key.pair.to_pkcs8v1().or(Err(KeyError::Generation))?;
        let body = Zeroizing::new(STANDARD.encode(der.as_ref()));
        Ok(KeyFiles {
            private_pem: Zeroizing::new(format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", body.as_str())),
            public_pem: key.public_pem(),
        })
    }

    /// The raw public key: 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public key as `SubjectPublicKeyInfo` PEM, which is what spokes are given.
    #[must_use]
    pub fn public_pem(&self) -> String {
        let der = [PUBLIC_DER_PREFIX.as_slice(), self.public_key()].concat();
        let body = STANDARD.encode(der);
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    /// A secret key for another purpose, the same for the same purpose as long as this key lives.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> hmac::Key {
        let derived = hmac::sign(&self.derivation, purpose.as_bytes());
        hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
    }

    fn of(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let key_id = shared::grant::key_id(&pair);
        let seed = pair.seed().or(Err(KeyError::Rejected))?;
        let seed = seed.as_be_bytes().or(Err(KeyError::Rejected))?;
        Ok(Self {
            derivation: hmac::Key::new(hmac::HMAC_SHA256, seed.as_ref()),
            pair,
            key_id,
        })
    }
}

impl fmt::Debug for HubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

fn pem_body(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (_, rest) = text.split_once(PEM_BEGIN).ok_or(KeyError::Rejected)?;
    let (body, _) = rest.split_once(PEM_END).ok_or(KeyError::Rejected)?;
    let joined: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    STANDARD
        .decode(joined.as_bytes())
        .map(Zeroizing::new)
        .or(Err(KeyError::Rejected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_every_form() {
        let files = HubKey::generate_files().unwrap();
        let pem = HubKey::from_bytes(files.private_pem.as_bytes()).unwrap();
        let der = HubKey::from_bytes(&pem_body(&files.private_pem).unwrap()).unwrap();
        assert_eq!(pem.public_pem(), files.public_pem);
        assert_eq!(pem.key_id, der.key_id);
        let seed = HubKey::from_bytes(&[0xa5; 32]).unwrap();
        let same = HubKey::from_bytes(seed.pair.to_pkcs8v1().unwrap().as_ref()).unwrap();
        assert_eq!(seed.public_key(), same.public_key());
    }

    #[test]
    fn anything_else_is_refused_without_being_repeated() {
        let cut = format!("{PEM_BEGIN}\nAAAA");
        for bad in [
            b"".as_slice(),
            b"hunter2",
            b"hunter2hunter2hunter2hunter2abcd",
            cut.as_bytes(),
            &[7; 31],
            &[7; 64],
        ] {
            let error = HubKey::from_bytes(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn debug_output_names_the_key_only() {
        let key = HubKey::generate().unwrap();
        let text = format!("{key:?}");
        assert!(text.contains(&key.key_id) && text.len() < 60, "{text}");
    }
}
