//! JSON objects that are copied with some members changed: everything else stays byte for byte, in
//! its order.

use super::frame;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::Serialize;
use serde_json::value::RawValue;
use std::fmt;

/// The members of an object, in their order, with raw values.
#[derive(Debug, Default)]
pub struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads an object; `None` when `raw` is something else.
    #[must_use]
    pub fn of(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok()
    }

    /// The first member of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        let mut all = self.0.iter();
        all.find(|(own, _)| own == name).map(|(_, value)| *value)
    }

    /// The text of a member; `None` when it is absent or no string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// Takes members away.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(own, _)| !names.contains(&own.as_str()));
        self
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Starts a copy of it.
    #[must_use]
    pub fn copy(&self) -> Object {
        let mut object = Object::default();
        for (name, value) in &self.0 {
            object.put(name, value);
        }
        object
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut all = Vec::new();
        while let Some(entry) = map.next_entry()? {
            all.push(entry);
        }
        Ok(Members(all))
    }
}

/// An object that is being written.
#[derive(Debug, Default)]
pub struct Object(Vec<u8>);

impl Object {
    /// Adds a member.
    pub fn put(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.0.extend_from_slice(&frame::encode(name));
        self.0.push(b':');
        self.0.extend_from_slice(&frame::encode(value));
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Self {
        self.put(name, value);
        self
    }

    /// The object as JSON text.
    #[must_use]
    pub fn json(mut self) -> Vec<u8> {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        self.0
    }

    /// The object as raw JSON.
    ///
    /// # Panics
    /// Never: what is put together of JSON values is JSON.
    #[must_use]
    pub fn raw(self) -> Box<RawValue> {
        let text = String::from_utf8(self.json());
        let raw = text.ok().and_then(|text| RawValue::from_string(text).ok());
        raw.expect("an object that was put together of JSON values is JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_is_copied_byte_for_byte() {
        let odd = r#"{"z": 1.0, "é":"\u00e9" ,"big":9007199254740993,"gone":1,"a":[ ]}"#;
        let raw = RawValue::from_string(odd.into()).unwrap();
        let members = Members::of(&raw).unwrap().without(&["gone"]);
        let copy = members.copy().with("new", &true).json();
        assert_eq!(
            String::from_utf8(copy).unwrap(),
            r#"{"z":1.0,"é":"\u00e9","big":9007199254740993,"a":[ ],"new":true}"#
        );
        assert_eq!(members.text("é").as_deref(), Some("é"));
        assert!(members.get("gone").is_none());
    }

    #[test]
    fn only_objects_have_members() {
        for other in ["1", "[]", "null", "\"{}\""] {
            let raw = RawValue::from_string(other.into()).unwrap();
            assert!(Members::of(&raw).is_none(), "{other}");
        }
        assert_eq!(Object::default().json(), b"{}");
    }
}
