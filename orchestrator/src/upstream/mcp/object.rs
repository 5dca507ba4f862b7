//! A JSON object whose members stay as they were written, in their order.

use crate::upstream::UpstreamError;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::fmt;

/// Most members of one object.
const MAX_MEMBERS: usize = 10_000;

/// The members of an object, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Object(Vec<(String, Box<RawValue>)>);

impl Object {
    /// Reads one; what stands for it in an error.
    pub(super) fn read(raw: &RawValue, what: &str) -> Result<Self, UpstreamError> {
        serde_json::from_str(raw.get())
            .map_err(|error| UpstreamError::BadAnswer(format!("{what}: {error}")))
    }

    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| &**value)
    }

    /// A member that is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// A member that is `true`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.get() == "true")
    }

    /// A member that is an array.
    pub(super) fn list(&self, name: &str) -> Option<Vec<Box<RawValue>>> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// Sets a member: in its place when it is there, else at the end.
    pub(super) fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(super) fn put(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.set(name, raw(value));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(own, _)| own != name);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn to_raw(&self) -> Box<RawValue> {
        raw(self)
    }
}

/// A value of ours as JSON.
pub(super) fn raw(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    to_raw_value(value).expect("values with text keys can be written as JSON")
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut members = Object::default();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            if members.0.len() == MAX_MEMBERS {
                return Err(serde::de::Error::custom("too many members"));
            }
            members.0.push((name, value));
        }
        Ok(members)
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut map = writer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_bytes_and_their_order() {
        let text = r#"{"z":1.0,"a":{ "b" : 9007199254740993123 },"é":"\u00e9"}"#;
        let mut object: Object = serde_json::from_str(text).unwrap();
        assert_eq!(object.to_raw().get(), text);
        object.put("a", &true);
        assert_eq!(object.to_raw().get(), r#"{"z":1.0,"a":true,"é":"\u00e9"}"#);
    }
}
