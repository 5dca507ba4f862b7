//! A strict JSON reader for untrusted arguments.

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// Bounds of one set of arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of JSON text.
    pub bytes: usize,
    /// Nesting of objects and arrays; `{}` is 1.
    pub depth: usize,
    /// Values of any kind.
    pub nodes: usize,
    /// Bytes of one key.
    pub key_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 10 * 1024 * 1024,
            depth: 64,
            nodes: 100_000,
            key_bytes: 256,
        }
    }
}

/// Why the bytes were refused. The text is safe to show: it holds positions and key names only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than [`Limits::bytes`].
    #[error("arguments are larger than {0} bytes")]
    TooLarge(usize),
    /// Not JSON, or against one of the other rules.
    #[error("arguments are not acceptable JSON: {0}")]
    Malformed(String),
    /// JSON, but not an object.
    #[error("arguments must be a JSON object")]
    NotAnObject,
}

/// Reads an object.
///
/// # Errors
/// [`Refusal`] names the rule that was broken.
pub fn parse_object(bytes: &[u8], limits: Limits) -> Result<Value, Refusal> {
    match parse_value(bytes, limits)? {
        value @ Value::Object(_) => Ok(value),
        _ => Err(Refusal::NotAnObject),
    }
}

/// Reads any value.
///
/// # Errors
/// [`Refusal`] names the rule that was broken.
pub fn parse_value(bytes: &[u8], limits: Limits) -> Result<Value, Refusal> {
    if bytes.len() > limits.bytes {
        return Err(Refusal::TooLarge(limits.bytes));
    }
    let nodes = Cell::new(0);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let strict = Strict {
        limits: &limits,
        nodes: &nodes,
        depth: 0,
    };
    let value = strict
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| Refusal::Malformed(error.to_string()))?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    limits: &'a Limits,
    nodes: &'a Cell<usize>,
    depth: usize,
}

impl Strict<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > self.limits.depth {
            return Err(E::custom(format_args!(
                "nested deeper than {}",
                self.limits.depth
            )));
        }
        Ok(Self { depth, ..self })
    }

    fn text<E: serde::de::Error>(text: &str) -> Result<(), E> {
        if text.contains('\0') {
            Err(E::custom("a string holds NUL"))
        } else {
            Ok(())
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        let count = self.nodes.get() + 1;
        self.nodes.set(count);
        if count > self.limits.nodes {
            return Err(D::Error::custom(format_args!(
                "more than {} values",
                self.limits.nodes
            )));
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if value.fract() == 0.0 && value.abs() > EXACT {
            return Err(E::custom(
                "a whole number is too large to be exact; send it as a string",
            ));
        }
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        Self::text(value)?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        Self::text(&value)?;
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            Self::text(&key)?;
            if key.len() > self.limits.key_bytes {
                return Err(A::Error::custom(format_args!(
                    "a key is longer than {} bytes",
                    self.limits.key_bytes
                )));
            }
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key {key:?} stands twice"
                )));
            }
            let value = entries.next_value_seed(inner)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse_object(text.as_bytes(), Limits::default())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn duplicate_keys_are_refused_at_every_depth() {
        assert!(refused(r#"{"a":1,"a":2}"#).contains("stands twice"));
        assert!(refused(r#"{"a":{"b":1,"\u0062":2}}"#).contains("stands twice"));
        assert!(refused(r#"{"a":[{"b":1,"b":2}]}"#).contains("stands twice"));
    }

    #[test]
    fn depth_nodes_and_size_are_bounded() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(65), "}".repeat(65));
        assert!(refused(&deep).contains("nested deeper"));
        let fits = format!("{}1{}", r#"{"a":"#.repeat(64), "}".repeat(64));
        assert!(parse_object(fits.as_bytes(), Limits::default()).is_ok());
        let wide = format!(r#"{{"a":[{}0]}}"#, "0,".repeat(100_000));
        assert!(refused(&wide).contains("more than"));
        let small = Limits {
            bytes: 4,
            ..Limits::default()
        };
        assert_eq!(
            parse_object(br#"{"a":1}"#, small),
            Err(Refusal::TooLarge(4))
        );
    }

    #[test]
    fn only_one_object_of_clean_text_is_accepted() {
        assert!(refused("[1]").contains("must be a JSON object"));
        assert!(refused(r#"{"a":1} {"b":2}"#).contains("trailing"));
        assert!(refused("{\"a\":\"\\u0000\"}").contains("NUL"));
        assert!(refused("{'a':1}").contains("not acceptable"));
        assert!(parse_object(b"{\"a\":\"\xff\"}", Limits::default()).is_err());
        assert!(refused("\u{feff}{}").contains("not acceptable"));
    }

    #[test]
    fn numbers_keep_their_value_or_are_refused() {
        let ok = parse_object(br#"{"a":9007199254740993,"b":1.5}"#, Limits::default()).unwrap();
        assert_eq!(ok["a"], 9_007_199_254_740_993_u64);
        assert!(refused(r#"{"a":123456789012345678901234567890}"#).contains("too large"));
    }
}
