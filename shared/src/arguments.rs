//! The arguments of a call: one strict pass over the bytes, defaults, canonical hash.
//!
//! The hub and the spoke both do this over the same bytes, so both arrive at the same hash; the
//! bytes themselves are forwarded as they came (decision 103). Refused: duplicate keys, NUL, depth,
//! size, text that is not UTF-8 or not JSON, anything but an object.

mod hidden;
mod schema;
mod strict;

pub use hidden::hide;
pub use schema::{ArgumentSchema, SchemaError, Violation};
pub use strict::{Limits, Refusal, parse_object, parse_value};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

/// SHA-256 (lower-case hex) over the RFC 8785 form of `arguments`, which must have their defaults
/// filled in (see [`ArgumentSchema::fill_defaults`]).
#[must_use]
pub fn hash(arguments: &Value) -> String {
    hex::encode(digest(&SHA256, &canonical(arguments)))
}

/// The RFC 8785 (JCS) form of a value.
///
/// # Panics
/// Never: a [`Value`] has string keys and finite numbers only.
#[must_use]
pub fn canonical(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("a JSON value always has a canonical form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_hash_ignores_order_and_spelling() {
        let a: Value = serde_json::from_str(r#"{"b":1.0,"a":"\u0041"}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{ "a": "A", "b": 1 }"#).unwrap();
        assert_eq!(hash(&a), hash(&b));
        assert_ne!(hash(&a), hash(&json!({"a": "A", "b": 2})));
        assert_eq!(hash(&json!({})).len(), 64);
    }
}
