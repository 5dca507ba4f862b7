//! The forms in which one secret value may turn up in text.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// Shorter parts of a base64 text would be found by chance.
const MIN_CORE: usize = 8;

/// Every form, the value itself first; forms that come out the same are listed once.
pub(super) fn of(value: &str) -> Vec<Zeroizing<String>> {
    let mut forms = vec![value.to_owned()];
    for skipped in 0..3 {
        forms.extend(base64_core(value, skipped, &STANDARD_NO_PAD));
        forms.extend(base64_core(value, skipped, &URL_SAFE_NO_PAD));
    }
    forms.push(hex::encode(value));
    forms.push(hex::encode_upper(value));
    forms.push(percent_encoded(value, "%20"));
    forms.push(percent_encoded(value, "+"));
    forms.extend(json_escaped(value));
    let mut unique: Vec<Zeroizing<String>> = Vec::with_capacity(forms.len());
    for form in forms.into_iter().map(Zeroizing::new) {
        if !unique.contains(&form) {
            unique.push(form);
        }
    }
    unique
}

/// The characters of a base64 text that depend on this value alone when it begins `skipped` bytes
/// into a group of three, such as the password in `user:password`.
fn base64_core(value: &str, skipped: usize, engine: &impl Engine) -> Option<String> {
    let mut bytes = Zeroizing::new(vec![0; skipped]);
    bytes.extend_from_slice(value.as_bytes());
    let text = Zeroizing::new(engine.encode(&*bytes));
    let start = (skipped * 8).div_ceil(6);
    let end = bytes.len() * 8 / 6;
    let core = text.get(start..end)?;
    (core.len() >= MIN_CORE).then(|| core.to_owned())
}

fn percent_encoded(value: &str, space: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push_str(space),
            _ => write!(out, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
    }
    out
}

fn json_escaped(value: &str) -> Option<String> {
    let quoted = Zeroizing::new(serde_json::to_string(value).ok()?);
    Some(quoted.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}
