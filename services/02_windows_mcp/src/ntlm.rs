//! NTLM version 2, the client's side: three messages that prove a password without sending it.
//!
//! Pure: time, challenge and the fingerprint of the server's certificate are given. Messages are not
//! signed or sealed afterwards, which TLS does better; the proof covers the certificate (channel
//! binding) and the messages themselves (MIC). Source: the open specification MS-NLMP.

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;
use std::fmt;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// Unicode, target wanted, NTLM, always sign, session security of version 2, target information,
/// version, 128 and 56 bit.
const FLAGS: u32 = 0xa288_8205;
/// Windows 10, revision 15 of NTLM: what is said where a version has to be.
const VERSION: [u8; 8] = [10, 0, 0x63, 0x45, 0, 0, 0, 15];
/// Bytes before the texts of the last message.
const HEADER: usize = 88;
/// Where the MIC is in it.
const MIC: std::ops::Range<usize> = 72..88;
/// Largest message that is read, in bytes.
const MAX_MESSAGE: usize = 16 * 1024;

/// Kinds of facts about the server, as far as they are used.
mod kind {
    pub(super) const END: u16 = 0;
    pub(super) const FLAGS: u16 = 6;
    pub(super) const TIME: u16 = 7;
    pub(super) const BINDING: u16 = 10;
}

/// A message of a server that is not what the specification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's NTLM message cannot be read")]
pub(crate) struct BadMessage;

/// Who proves who they are.
pub(crate) struct Account<'a> {
    /// `DOMAIN\user`, `user@domain`, or a user of the host itself.
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
}

impl fmt::Debug for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}

/// What the proof is made of besides the account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// Eight random bytes.
    pub(crate) challenge: [u8; 8],
    /// Now, in steps of 100 ns since 1601; used when the server does not tell its own.
    pub(crate) time: u64,
    /// Hash of the server's certificate; `None` without TLS.
    pub(crate) certificate: Option<&'a [u8]>,
}

/// The first message.
pub(crate) fn negotiate() -> Vec<u8> {
    let mut message = Vec::with_capacity(40);
    message.extend_from_slice(SIGNATURE);
    message.extend_from_slice(&1_u32.to_le_bytes());
    message.extend_from_slice(&FLAGS.to_le_bytes());
    // Neither domain nor workstation.
    message.extend_from_slice(&[0; 16]);
    message.extend_from_slice(&VERSION);
    message
}

/// The last message: the answer to the server's challenge.
///
/// # Errors
/// [`BadMessage`] when the challenge cannot be read.
pub(crate) fn authenticate(
    account: &Account<'_>,
    challenge: &[u8],
    surroundings: Surroundings<'_>,
) -> Result<Vec<u8>, BadMessage> {
    let server = Challenge::read(challenge)?;
    let (domain, user) = split(account.user);
    let key = owner_key(user, domain, account.password);
    let (time, facts) = server.facts(surroundings)?;
    let mut proven = Vec::with_capacity(48 + facts.len());
    proven.extend_from_slice(&[1, 1, 0, 0, 0, 0, 0, 0]);
    proven.extend_from_slice(&time.to_le_bytes());
    proven.extend_from_slice(&surroundings.challenge);
    proven.extend_from_slice(&[0; 4]);
    proven.extend_from_slice(&facts);
    proven.extend_from_slice(&[0; 4]);
    let proof = hmac(&key, &[&server.challenge, &proven]);
    let session = hmac(&key, &[&proof]);
    let response = [&proof[..], &proven].concat();
    let mut message = lay_out(&response, domain, user, server.flags & FLAGS);
    let mic = hmac(&session, &[&negotiate(), challenge, &message]);
    if let Some(place) = message.get_mut(MIC) {
        place.copy_from_slice(&mic);
    }
    Ok(message)
}

/// What the server said.
struct Challenge<'a> {
    flags: u32,
    challenge: [u8; 8],
    info: &'a [u8],
}

impl<'a> Challenge<'a> {
    fn read(message: &'a [u8]) -> Result<Self, BadMessage> {
        let starts = message.starts_with(SIGNATURE) && word(message, 8)? == 2;
        if !starts || message.len() > MAX_MESSAGE {
            return Err(BadMessage);
        }
        let length = usize::from(half(message, 40)?);
        let start = usize::try_from(word(message, 44)?).unwrap_or(usize::MAX);
        let end = start.checked_add(length).ok_or(BadMessage)?;
        Ok(Self {
            flags: word(message, 20)?,
            challenge: bytes(message, 24)?,
            info: message.get(start..end).ok_or(BadMessage)?,
        })
    }

    /// The server's facts with ours added, and the time that is used.
    fn facts(&self, ours: Surroundings<'_>) -> Result<(u64, Vec<u8>), BadMessage> {
        let mut time = ours.time;
        let mut facts = Vec::with_capacity(self.info.len() + 40);
        let mut rest = self.info;
        while !rest.is_empty() {
            let kind = half(rest, 0)?;
            let length = usize::from(half(rest, 2)?);
            let end = length.checked_add(4).ok_or(BadMessage)?;
            let value = rest.get(4..end).ok_or(BadMessage)?;
            match kind {
                kind::END => break,
                kind::TIME => time = u64::from_le_bytes(bytes(value, 0)?),
                _ => {}
            }
            if !matches!(kind, kind::FLAGS | kind::BINDING) {
                add(&mut facts, kind, value);
            }
            rest = rest.get(end..).unwrap_or_default();
        }
        // There is a MIC.
        add(&mut facts, kind::FLAGS, &2_u32.to_le_bytes());
        if let Some(certificate) = ours.certificate {
            add(&mut facts, kind::BINDING, &binding(certificate));
        }
        add(&mut facts, kind::END, &[]);
        Ok((time, facts))
    }
}

/// The last message without its MIC.
fn lay_out(response: &[u8], domain: &str, user: &str, flags: u32) -> Vec<u8> {
    let (domain, user) = (utf16(domain), utf16(user));
    // Nothing is said by the old response, the workstation and the key.
    let none: &[u8] = &[];
    let parts: [&[u8]; 6] = [&[0; 24], response, &domain, &user, none, none];
    let mut message = Vec::with_capacity(HEADER + response.len() + domain.len() + user.len() + 24);
    message.extend_from_slice(SIGNATURE);
    message.extend_from_slice(&3_u32.to_le_bytes());
    let mut at = HEADER;
    for part in parts {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes();
        message.extend_from_slice(&length);
        message.extend_from_slice(&length);
        message.extend_from_slice(&u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes());
        at = at.saturating_add(part.len());
    }
    message.extend_from_slice(&flags.to_le_bytes());
    message.extend_from_slice(&VERSION);
    message.extend_from_slice(&[0; 16]);
    for part in parts {
        message.extend_from_slice(part);
    }
    message
}

/// Domain and user of a name.
fn split(name: &str) -> (&str, &str) {
    name.split_once('\\').unwrap_or(("", name))
}

/// The key that stands for a password.
fn owner_key(user: &str, domain: &str, password: &str) -> [u8; 16] {
    let hash: [u8; 16] = Md4::digest(utf16(password)).into();
    hmac(&hash, &[&utf16(&user.to_uppercase()), &utf16(domain)])
}

/// A certificate as the proof names it: five empty fields of addresses, then the text.
fn binding(certificate: &[u8]) -> [u8; 16] {
    let text = [b"tls-server-end-point:".as_slice(), certificate].concat();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let mut hash = Md5::new();
    hash.update([0; 16]);
    hash.update(length.to_le_bytes());
    hash.update(&text);
    hash.finalize().into()
}

fn add(facts: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    facts.extend_from_slice(&kind.to_le_bytes());
    facts.extend_from_slice(&length.to_le_bytes());
    facts.extend_from_slice(value);
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn hmac(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("keys of any length fit");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn bytes<const N: usize>(message: &[u8], at: usize) -> Result<[u8; N], BadMessage> {
    let part = message.get(at..).and_then(|rest| rest.first_chunk());
    part.copied().ok_or(BadMessage)
}

fn half(message: &[u8], at: usize) -> Result<u16, BadMessage> {
    bytes(message, at).map(u16::from_le_bytes)
}

fn word(message: &[u8], at: usize) -> Result<u32, BadMessage> {
    bytes(message, at).map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example of the specification (4.2.4): user, domain, password and challenges are
    /// its own.
    #[test]
    fn the_key_of_a_password_is_that_of_the_specification() {
        let key = owner_key("User", "Domain", "Password");
        assert_eq!(
            key,
            [
                0x0c, 0x86, 0x8a, 0x40, 0x3b, 0xfd, 0x7a, 0x93, 0xa3, 0x00, 0x1e, 0xf2, 0x2e, 0xf0,
                0x2e, 0x3f
            ]
        );
    }

    #[test]
    fn a_challenge_that_is_cut_or_lies_about_lengths_is_refused() {
        let account = Account {
            user: "D\\u",
            password: "p",
        };
        let surroundings = Surroundings {
            challenge: [7; 8],
            time: 1,
            certificate: None,
        };
        let mut good = Vec::new();
        good.extend_from_slice(SIGNATURE);
        good.extend_from_slice(&2_u32.to_le_bytes());
        good.extend_from_slice(&[0; 8]);
        good.extend_from_slice(&FLAGS.to_le_bytes());
        good.extend_from_slice(&[9; 8]);
        good.extend_from_slice(&[0; 8]);
        good.extend_from_slice(&[4, 0, 4, 0, 48, 0, 0, 0]);
        good.extend_from_slice(&[0; 4]);
        let answer = authenticate(&account, &good, surroundings).unwrap();
        assert!(answer.starts_with(b"NTLMSSP\0\x03"));
        assert_ne!(&answer[MIC], &[0; 16]);
        for length in 0..good.len() {
            let cut = authenticate(&account, &good[..length], surroundings);
            assert_eq!(cut, Err(BadMessage), "{length}");
        }
        let mut lying = good.clone();
        lying[40] = 200;
        assert!(authenticate(&account, &lying, surroundings).is_err());
        let mut lying = good;
        lying[50] = 9;
        assert!(authenticate(&account, &lying, surroundings).is_err());
    }
}
