//! How values of the language's model are written into stored runs; the model itself knows no store.

use crate::dsl::model::{Effect, Then};

/// Effects by name.
pub(super) mod effect {
    use super::Effect;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn name(effect: Effect) -> &'static str {
        match effect {
            Effect::Read => "read",
            Effect::Idempotent => "idempotent",
            Effect::Once => "once",
        }
    }

    pub(in super::super) fn of(name: &str) -> Option<Effect> {
        [Effect::Read, Effect::Idempotent, Effect::Once]
            .into_iter()
            .find(|effect| self::name(*effect) == name)
    }

    pub(in super::super) fn serialize<S: Serializer>(
        effect: &Effect,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name(*effect))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Effect, D::Error> {
        let text = String::deserialize(deserializer)?;
        of(&text).ok_or_else(|| D::Error::custom(format!("no effect is called {text}")))
    }
}

/// Effects of tools by name.
pub(super) mod effects {
    use super::{Effect, effect};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    pub(in super::super) fn serialize<S: Serializer>(
        map: &BTreeMap<String, Effect>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter().map(|(tool, of)| (tool, effect::name(*of))))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, Effect>, D::Error> {
        BTreeMap::<String, String>::deserialize(deserializer)?
            .into_iter()
            .map(|(tool, name)| match effect::of(&name) {
                Some(of) => Ok((tool, of)),
                None => Err(D::Error::custom(format!("no effect is called {name}"))),
            })
            .collect()
    }
}

/// Durations in milliseconds.
pub(super) mod millis {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(in super::super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// Directives as the language writes them; a task name that is a keyword cannot be jumped to there
/// either.
pub(super) mod then {
    use super::Then;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the signature serde calls")]
    pub(in super::super) fn serialize<S: Serializer>(
        then: &Option<Then>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match then {
            None | Some(Then::Continue) => "continue",
            Some(Then::Exit) => "exit",
            Some(Then::End) => "end",
            Some(Then::Task(name)) => name,
        })
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Then>, D::Error> {
        Ok(Some(match String::deserialize(deserializer)?.as_str() {
            "continue" => Then::Continue,
            "exit" => Then::Exit,
            "end" => Then::End,
            name => Then::Task(name.to_owned()),
        }))
    }
}
