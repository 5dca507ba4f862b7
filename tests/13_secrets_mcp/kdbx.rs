//! A writer of the older format KDBX 3.1, independent of the library that reads it: AES-256 in CBC
//! mode, key derived by rounds of AES, blocks with hashes, the text uncompressed and values in clear.

use aws_lc_rs::cipher::{
    AES_256, EncryptingKey, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::iv::FixedLength;

const ROUNDS: u64 = 6;

/// Title and fields.
pub(crate) type Entry<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// A database with this password and these entries below `Web`: title and fields.
pub(crate) fn database(password: &str, entries: &[Entry<'_>]) -> Vec<u8> {
    let (master_seed, transform_seed, iv) = ([1_u8; 32], [2_u8; 32], [3_u8; 16]);
    let start = [4_u8; 32];
    let mut file = Vec::new();
    file.extend([0x03, 0xd9, 0xa2, 0x9a, 0x67, 0xfb, 0x4b, 0xb5]);
    file.extend([1, 0, 3, 0]);
    let cipher = [
        0x31, 0xc1, 0xf2, 0xe6, 0xbf, 0x71, 0x43, 0x50, 0xbe, 0x58, 0x05, 0x21, 0x6a, 0xfc, 0x5a,
        0xff,
    ];
    let fields: [(u8, &[u8]); 10] = [
        (2, &cipher),
        (3, &0_u32.to_le_bytes()),
        (4, &master_seed),
        (5, &transform_seed),
        (6, &ROUNDS.to_le_bytes()),
        (7, &iv),
        (8, &[5; 32]),
        (9, &start),
        (10, &0_u32.to_le_bytes()),
        (0, b"\r\n\r\n"),
    ];
    for (id, value) in fields {
        file.push(id);
        file.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        file.extend(value);
    }
    let mut payload = start.to_vec();
    let text = xml(entries);
    payload.extend(0_u32.to_le_bytes());
    payload.extend(sha256(&[text.as_bytes()]));
    payload.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    payload.extend(text.as_bytes());
    payload.extend(1_u32.to_le_bytes());
    payload.extend([0; 36]);
    let key = sha256(&[&master_seed, &transformed(password, &transform_seed)]);
    let key = UnboundCipherKey::new(&AES_256, &key).unwrap();
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    PaddedBlockEncryptingKey::cbc_pkcs7(key)
        .unwrap()
        .less_safe_encrypt(&mut payload, context)
        .unwrap();
    file.extend(payload);
    file
}

fn transformed(password: &str, seed: &[u8]) -> Vec<u8> {
    let composite = sha256(&[&sha256(&[password.as_bytes()])]);
    let mut key = composite;
    let cipher = UnboundCipherKey::new(&AES_256, seed).unwrap();
    let cipher = EncryptingKey::ecb(cipher).unwrap();
    for _ in 0..ROUNDS {
        cipher.encrypt(&mut key).unwrap();
    }
    sha256(&[&key])
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    digest(&SHA256, &parts.concat()).as_ref().to_vec()
}

fn xml(entries: &[Entry<'_>]) -> String {
    let uuid = |number: usize| {
        let bytes: Vec<u8> = (0..16).map(|_| u8::try_from(number).unwrap()).collect();
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
    };
    let field = |(key, value): &(&str, &str)| {
        format!("<String><Key>{key}</Key><Value>{value}</Value></String>")
    };
    let entry = |(number, (title, fields)): (usize, &Entry<'_>)| {
        let fields: String = fields.iter().map(field).collect();
        let title = field(&("Title", title));
        format!(
            "<Entry><UUID>{}</UUID>{title}{fields}</Entry>",
            uuid(number + 3)
        )
    };
    let entries: String = entries.iter().enumerate().map(entry).collect();
    let [root, web] = [uuid(1), uuid(2)];
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeePassFile><Meta><Generator>test</Generator>\
         </Meta><Root><Group><UUID>{root}</UUID><Name>Root</Name><Group><UUID>{web}</UUID>\
         <Name>Web</Name>{entries}</Group></Group></Root></KeePassFile>"
    )
}
