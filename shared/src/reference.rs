//! References to secrets: what a model is given instead of a value.
//!
//! A reference is text that names a secret and carries its value sealed (AES-256-GCM) under a key that
//! hub and spokes derive from the key they share. It is good for one principal, in the services it
//! names, until a date; what it names is sealed with it. The harness opens it in the spoke whose tool
//! takes it, after everybody who decides has seen the reference only. Who may have one is not decided
//! here.

use crate::secret::Secret;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// How every reference begins.
pub const SCHEME: &str = "secretref://";
/// Longest reference that is read, in bytes.
pub const MAX_BYTES: usize = 128 * 1024;

/// Separates what the key is used for from other uses of the shared key.
const PURPOSE: &[u8] = b"waygate secret references, 1";
/// Values are padded to a multiple of this, so that their length does not show.
const PADDING: usize = 32;
const SEAL: &str = "&seal=";

/// Makes and opens references. Cheap to clone.
#[derive(Clone)]
pub struct References {
    key: Arc<LessSafeKey>,
    service: &'static str,
}

/// What a reference is good for.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    /// What is behind it, for people: store and name, without control characters.
    pub label: &'a str,
    /// The only principal whose calls may use it.
    pub principal: &'a str,
    /// Services that may open it, such as `03_azure_mcp`; empty: all.
    pub services: &'a [String],
    /// Until when, Unix seconds.
    pub until: i64,
}

/// A reference that is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Not of the form.
    #[error("is no secret reference")]
    Malformed,
    /// Made for other services.
    #[error("is a secret reference for another service")]
    Foreign,
    /// Its time is over.
    #[error("is a secret reference that has expired; read the secret again for a new one")]
    Expired,
    /// Changed, of another principal, or of an installation with another key.
    #[error("is a secret reference that cannot be opened here for this caller")]
    Sealed,
}

impl fmt::Debug for References {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("References").field(&self.service).finish()
    }
}

impl References {
    /// For a service that shares `token` with the others. `None`: nothing is shared, so the service
    /// opens what it sealed itself since it started.
    ///
    /// # Panics
    /// Never, as long as the system gives random bytes.
    #[must_use]
    pub fn new(token: Option<&Secret>, service: &'static str) -> Self {
        let mut own = Zeroizing::new([0; 32]);
        random(own.as_mut_slice());
        let shared = token.map_or(own.as_slice(), |token| token.expose().as_bytes());
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, shared), PURPOSE);
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("a tag of SHA-256 is a key");
        Self {
            key: Arc::new(LessSafeKey::new(key)),
            service,
        }
    }

    /// A reference to `value`.
    ///
    /// # Panics
    /// Never, as long as the system gives random bytes.
    #[must_use]
    pub fn seal(&self, lease: Lease<'_>, value: &Secret) -> String {
        let mut text = format!("{SCHEME}{}", escaped(lease.label));
        let services = lease.services.join(",");
        text.push_str(&format!(
            "?for={}&until={}",
            escaped(&services),
            lease.until
        ));
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce);
        let mut sealed = padded(value.expose().as_bytes());
        let aad = Aad::from(context(&text, lease.principal));
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .expect("a value of a secret is short enough for one nonce");
        let mut bytes = nonce.to_vec();
        bytes.append(&mut sealed);
        text.push_str(SEAL);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        text
    }

    /// The value behind a reference, for a call of `principal` at `now` (Unix seconds).
    ///
    /// # Errors
    /// [`ReferenceError`] says why not.
    pub fn open(&self, text: &str, principal: &str, now: i64) -> Result<Secret, ReferenceError> {
        use ReferenceError::{Expired, Foreign, Malformed, Sealed};
        if text.len() > MAX_BYTES {
            return Err(Malformed);
        }
        let (head, seal) = text.split_once(SEAL).ok_or(Malformed)?;
        let (_, terms) = head
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.split_once("?for="))
            .ok_or(Malformed)?;
        let (services, until) = terms.split_once("&until=").ok_or(Malformed)?;
        let until: i64 = until.parse().or(Err(Malformed))?;
        let bytes = URL_SAFE_NO_PAD.decode(seal).or(Err(Malformed))?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or(Malformed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).or(Err(Malformed))?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let aad = Aad::from(context(head, principal));
        let opened = self.key.open_in_place(nonce, aad, &mut sealed);
        let opened = opened.or(Err(Sealed))?;
        if !services.is_empty() && !services.split("%2C").any(|one| one == self.service) {
            return Err(Foreign);
        }
        if now >= until {
            return Err(Expired);
        }
        let value = unpadded(opened).ok_or(Sealed)?;
        Ok(Secret::new(value))
    }
}

/// Whether a text is meant as a reference.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    text.starts_with(SCHEME)
}

/// What is sealed beside the value.
fn context(head: &str, principal: &str) -> Vec<u8> {
    [head.as_bytes(), b"\n", principal.as_bytes()].concat()
}

fn random(bytes: &mut [u8]) {
    SystemRandom::new()
        .fill(bytes)
        .expect("the system gives random bytes");
}

fn padded(value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    let whole = (value.len() + 4).next_multiple_of(PADDING);
    // Room for the tag, so that no copy of the value is left behind by a reallocation.
    let mut bytes = Vec::with_capacity(whole + AES_256_GCM.tag_len());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(whole, 0);
    bytes
}

fn unpadded(bytes: &[u8]) -> Option<&str> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

/// Percent-encodes all but letters, digits and `-._~/`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(services: &[String]) -> Lease<'_> {
        Lease {
            label: "vault-secret/app/db#password",
            principal: "key:1",
            services,
            until: 1000,
        }
    }

    fn references(token: &str, service: &'static str) -> References {
        References::new(Some(&token.into()), service)
    }

    #[test]
    fn a_reference_opens_where_and_for_whom_it_was_made() {
        let (token, value) = ("0123456789abcdef", Secret::new("pä55\nword"));
        let text = references(token, "13_secrets_mcp").seal(lease(&[]), &value);
        assert!(
            text.starts_with("secretref://vault-secret/app/db%23password?for=&until=1000&seal=")
        );
        let there = references(token, "03_azure_mcp");
        assert_eq!(
            there.open(&text, "key:1", 999).unwrap().expose(),
            value.expose()
        );
        let refused = |text: &str, principal: &str, now| there.open(text, principal, now).err();
        assert_eq!(refused(&text, "key:1", 1000), Some(ReferenceError::Expired));
        assert_eq!(refused(&text, "key:2", 1), Some(ReferenceError::Sealed));
        let longer = text.replace("until=1000", "until=9000");
        assert_eq!(refused(&longer, "key:1", 1), Some(ReferenceError::Sealed));
        let other = text.replace("app/db", "app/xy");
        assert_eq!(refused(&other, "key:1", 1), Some(ReferenceError::Sealed));
        let elsewhere = references("another key of hub", "03_azure_mcp");
        assert_eq!(
            elsewhere.open(&text, "key:1", 1).err(),
            Some(ReferenceError::Sealed)
        );
        for odd in ["secretref://x", "secretref://x?for=&until=1&seal=AA", "x"] {
            assert_eq!(
                refused(odd, "key:1", 1),
                Some(ReferenceError::Malformed),
                "{odd}"
            );
        }
    }

    #[test]
    fn a_reference_for_some_services_opens_in_these_only() {
        let services = ["03_azure_mcp".to_owned(), "08_k8s_mcp".to_owned()];
        let token = "0123456789abcdef";
        let text = references(token, "13_secrets_mcp").seal(lease(&services), &"x".into());
        let open = |service| references(token, service).open(&text, "key:1", 1);
        assert!(open("03_azure_mcp").is_ok() && open("08_k8s_mcp").is_ok());
        assert_eq!(open("08_k8s").err(), Some(ReferenceError::Foreign));
    }

    #[test]
    fn without_a_shared_key_a_service_opens_its_own_only() {
        let one = References::new(None, "13_secrets_mcp");
        let text = one.seal(lease(&[]), &"x".into());
        assert!(one.open(&text, "key:1", 1).is_ok());
        let other = References::new(None, "13_secrets_mcp");
        assert_eq!(
            other.open(&text, "key:1", 1).err(),
            Some(ReferenceError::Sealed)
        );
    }

    #[test]
    fn the_length_of_a_value_does_not_show() {
        let one = references("0123456789abcdef", "13_secrets_mcp");
        let length = |value: &str| one.seal(lease(&[]), &value.into()).len();
        assert_eq!(length("a"), length("abcdefghijklmnopqrstuvwxyz12"));
    }
}
