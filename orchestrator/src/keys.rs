//! The hub's own signing key: call tokens and approval grants are signed with it, spokes hold its
//! public half.
//!
//! Where the key file lies is `config`'s matter, who verifies is `shared::call_token`'s and
//! `shared::grant`'s.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared::secret::Secret;
use std::fmt;
use zeroize::Zeroizing;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// Length of a raw Ed25519 seed, in bytes.
const SEED_LEN: usize = 32;

/// Length of a derived key, in bytes.
const DERIVED_LEN: usize = 32;

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
    /// From the secret of the installation, or without one from the private key.
    derivation: Prk,
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

    /// Keys for other purposes are derived from the secret of the installation from now on, so that
    /// hubs with the same secret understand each other and another secret ends what the old one made.
    #[must_use]
    pub fn deriving_from(mut self, secret: &Secret) -> Self {
        self.derivation = derivation(secret.expose().as_bytes());
        self
    }

    /// A secret key for another purpose, the same for the same purpose as long as the secret lives.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.derive_bytes(purpose).as_ref())
    }

    /// As [`HubKey::derive`], for other algorithms.
    #[must_use]
    pub fn derive_bytes(&self, purpose: &str) -> Zeroizing<[u8; DERIVED_LEN]> {
        derived(&self.derivation, purpose)
    }

    fn of(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let key_id = shared::grant::key_id(&pair);
        let seed = pair.seed().or(Err(KeyError::Rejected))?;
        let seed = seed.as_be_bytes().or(Err(KeyError::Rejected))?;
        Ok(Self {
            derivation: derivation(seed.as_ref()),
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

/// The secret shared with the system that sends signed decisions, where none was given: derived from
/// the secret of the installation, in hexadecimal.
#[must_use]
pub fn webhook_secret(installation: &Secret) -> Secret {
    let derivation = derivation(installation.expose().as_bytes());
    Secret::new(hex::encode(
        derived(&derivation, "waygate/approval-webhook/v1").as_ref(),
    ))
}

/// Keeps texts in the store that only hubs with the same secret can read.
pub struct Seal(RandomizedNonceKey);

impl Seal {
    /// With a key of `hub` for this purpose.
    #[must_use]
    pub fn of(hub: &HubKey, purpose: &str) -> Self {
        Self::keyed(&hub.derive_bytes(purpose))
    }

    /// With a key that lives as long as this process.
    #[must_use]
    pub fn fleeting() -> Self {
        Self::keyed(&Zeroizing::new(rand::random()))
    }

    fn keyed(key: &[u8; DERIVED_LEN]) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key);
        Self(key.expect("AES-256 takes 32 bytes"))
    }

    /// The text, unreadable, as Base64. `context` has to be the same when it is opened. `None` when the
    /// system gives no randomness.
    #[must_use]
    pub fn close(&self, text: &str, context: &str) -> Option<String> {
        let mut bytes = text.as_bytes().to_vec();
        let aad = Aad::from(context.as_bytes());
        let nonce = self.0.seal_in_place_append_tag(aad, &mut bytes).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut bytes);
        Some(STANDARD.encode(sealed))
    }

    /// The text again; `None` when it was closed with another key or context.
    #[must_use]
    pub fn open(&self, sealed: &str, context: &str) -> Option<String> {
        let mut bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, rest) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(context.as_bytes());
        let text = self.0.open_in_place(nonce, aad, rest).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

/// The extract half of HKDF-SHA256 (RFC 5869).
fn derivation(secret: &[u8]) -> Prk {
    Salt::new(HKDF_SHA256, b"waygate/installation/v1").extract(secret)
}

/// The expand half.
fn derived(derivation: &Prk, purpose: &str) -> Zeroizing<[u8; DERIVED_LEN]> {
    let mut bytes = Zeroizing::new([0; DERIVED_LEN]);
    let parts = [purpose.as_bytes()];
    let okm = derivation.expand(&parts, DerivedLen);
    let filled = okm.and_then(|okm| okm.fill(bytes.as_mut()));
    filled.expect("32 bytes are within the bounds of HKDF-SHA256");
    bytes
}

/// Tells HKDF how much is wanted.
struct DerivedLen;

impl KeyType for DerivedLen {
    fn len(&self) -> usize {
        DERIVED_LEN
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
    fn derived_keys_hang_on_the_installations_secret_and_the_purpose() {
        let of = |secret: &str, purpose: &str| {
            let key = HubKey::generate().unwrap();
            let key = key.deriving_from(&Secret::new(secret));
            key.derive_bytes(purpose).to_vec()
        };
        assert_eq!(of("one", "a"), of("one", "a"));
        assert_ne!(of("one", "a"), of("one", "b"));
        assert_ne!(of("one", "a"), of("two", "a"));
        let own = HubKey::from_bytes(&[0xa5; 32]).unwrap();
        let same = HubKey::from_bytes(&[0xa5; 32]).unwrap();
        assert_eq!(*own.derive_bytes("a"), *same.derive_bytes("a"));
        let webhook = webhook_secret(&Secret::new("one"));
        assert_eq!(webhook.expose().len(), 64);
        assert_ne!(
            webhook.expose(),
            webhook_secret(&Secret::new("two")).expose()
        );
    }

    #[test]
    fn a_sealed_text_opens_with_the_same_key_and_context_only() {
        let seal = Seal::of(&HubKey::from_bytes(&[0xa5; 32]).unwrap(), "test");
        let same = Seal::of(&HubKey::from_bytes(&[0xa5; 32]).unwrap(), "test");
        let sealed = seal.close("wgk_secret", "a").unwrap();
        assert!(!sealed.contains("wgk") && sealed != seal.close("wgk_secret", "a").unwrap());
        assert_eq!(same.open(&sealed, "a").as_deref(), Some("wgk_secret"));
        assert_eq!(same.open(&sealed, "b"), None);
        assert_eq!(Seal::fleeting().open(&sealed, "a"), None);
        assert_eq!(same.open("AAAA", "a"), None);
    }

    #[test]
    fn debug_output_names_the_key_only() {
        let key = HubKey::generate().unwrap();
        let text = format!("{key:?}");
        assert!(text.contains(&key.key_id) && text.len() < 60, "{text}");
    }
}
