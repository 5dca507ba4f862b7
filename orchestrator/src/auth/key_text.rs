//! The text of an API key: `wgk_` + 8 characters + `_` + 43 random characters + `_` + a checksum.
//!
//! The checksum (CRC-32, 6 characters of base 62) lets a mistyped or invented key be refused without
//! asking the store, and lets secret scanners be sure. It is no protection by itself.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use shared::secret::Secret;
use zeroize::Zeroizing;

const SCHEME: &str = "wgk_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX_LEN: usize = 8;
const SECRET_LEN: usize = 43;
const CHECKSUM_LEN: usize = 6;
/// Longest credential that is looked at, in bytes.
pub(in crate::auth) const MAX_LEN: usize = 512;

/// SHA-256 of a key's text: what the store knows it by.
pub(in crate::auth) type KeyHash = [u8; 32];

/// A new key.
pub(in crate::auth) struct NewText {
    pub(in crate::auth) text: Secret,
    /// The 8 characters people know it by.
    pub(in crate::auth) prefix: String,
}

/// The system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("no random numbers are to be had")]
pub struct NoRandomness;

/// Makes a key: 43 characters of base 62 hold 256 bits.
pub(in crate::auth) fn generate() -> Result<NewText, NoRandomness> {
    let prefix = random(PREFIX_LEN)?;
    let secret = random(SECRET_LEN)?;
    let mut text = Zeroizing::new(String::with_capacity(MAX_LEN));
    text.push_str(SCHEME);
    text.push_str(&prefix);
    text.push('_');
    text.push_str(&secret);
    let sum = checksum(&text);
    text.push('_');
    text.push_str(&sum);
    Ok(NewText {
        text: Secret::new(text.as_str()),
        prefix: prefix.to_string(),
    })
}

/// Whether a text has the form of a key and the checksum is right.
pub(in crate::auth) fn is_well_formed(text: &str) -> bool {
    let Some((body, sum)) = text.rsplit_once('_') else {
        return false;
    };
    let Some((prefix, secret)) = body
        .strip_prefix(SCHEME)
        .and_then(|rest| rest.split_once('_'))
    else {
        return false;
    };
    let in_alphabet = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    in_alphabet(prefix, PREFIX_LEN) && in_alphabet(secret, SECRET_LEN) && sum == checksum(body)
}

/// What a key is looked up by.
pub(in crate::auth) fn hash(text: &str) -> KeyHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// Characters without bias: a byte above the last whole multiple of 62 is thrown away.
fn random(length: usize) -> Result<Zeroizing<String>, NoRandomness> {
    let source = SystemRandom::new();
    let mut text = Zeroizing::new(String::with_capacity(length));
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while text.len() < length {
        source.fill(bytes.as_mut()).or(Err(NoRandomness))?;
        let usable = bytes.iter().filter(|byte| **byte < 248);
        let letters = usable.filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
        let missing = length - text.len();
        text.extend(letters.take(missing).map(|letter| char::from(*letter)));
    }
    Ok(text)
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut letters: Vec<u8> = Vec::with_capacity(CHECKSUM_LEN);
    for _ in 0..CHECKSUM_LEN {
        let digit = usize::try_from(rest % 62).unwrap_or_default();
        letters.extend(ALPHABET.get(digit));
        rest /= 62;
    }
    letters
        .iter()
        .rev()
        .map(|letter| char::from(*letter))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_made_key_has_the_documented_form() {
        let made = generate().unwrap();
        let text = made.text.expose();
        assert_eq!(text.len(), 4 + 8 + 1 + 43 + 1 + 6);
        assert!(text.starts_with(&format!("wgk_{}_", made.prefix)));
        assert!(is_well_formed(text));
        assert_ne!(text, generate().unwrap().text.expose());
    }

    #[test]
    fn the_checksum_is_that_of_the_format() {
        // CRC-32 of the nine digits is 0xcbf43926, a published check value.
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum("123456789"), "3jZRME");
    }

    proptest! {
        #[test]
        fn a_changed_key_is_refused(at in 0_usize..63, to in 0_usize..62) {
            let made = generate().unwrap();
            let mut bytes = made.text.expose().as_bytes().to_vec();
            let changed = bytes[at] != ALPHABET[to];
            bytes[at] = ALPHABET[to];
            let text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(is_well_formed(&text), !changed);
        }

        #[test]
        fn other_texts_are_refused(text in ".{0,80}") {
            prop_assert!(!is_well_formed(&text));
        }
    }
}
