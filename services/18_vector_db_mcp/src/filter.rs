//! Conditions on metadata: equality, `$in`, `$gt`, `$lt`, `$and`, `$or`.

use serde_json::{Map, Value};
use shared::tool::ToolError;
use std::cmp::Ordering;

const MAX_DEPTH: usize = 8;
const MAX_CONDITIONS: usize = 100;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    /// All hold; without any, everything fits.
    All(Vec<Self>),
    /// One holds at least.
    Any(Vec<Self>),
    /// A key's value is one of these.
    In(String, Vec<Value>),
    /// A key's value is on this side of another of its kind.
    Beside(String, Ordering, Value),
}

impl Filter {
    /// Reads `where`; nothing means that everything fits.
    pub(crate) fn parse(conditions: Option<&Map<String, Value>>) -> Result<Self, ToolError> {
        let mut left = MAX_CONDITIONS;
        match conditions {
            None => Ok(Self::All(Vec::new())),
            Some(map) => Self::all(map, 0, &mut left),
        }
    }

    fn all(map: &Map<String, Value>, depth: usize, left: &mut usize) -> Result<Self, ToolError> {
        if depth > MAX_DEPTH {
            return Err(wrong("is nested more than 8 deep"));
        }
        let mut parts = Vec::new();
        for (key, value) in map {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| wrong("has over 100 conditions"))?;
            match (key.as_str(), value) {
                ("$and", Value::Array(list)) => parts.push(Self::All(each(list, depth, left)?)),
                ("$or", Value::Array(list)) => parts.push(Self::Any(each(list, depth, left)?)),
                (key, _) if key.starts_with('$') => {
                    return Err(wrong("knows $and and $or with a list, and fields"));
                }
                (key, Value::Object(tests)) => parts.extend(of_field(key, tests)?),
                (key, value) => parts.push(Self::In(key.to_owned(), vec![value.clone()])),
            }
        }
        Ok(Self::All(parts))
    }

    /// Whether it holds for this metadata.
    pub(crate) fn fits(&self, metadata: &Map<String, Value>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.fits(metadata)),
            Self::Any(parts) => parts.iter().any(|part| part.fits(metadata)),
            Self::In(key, values) => metadata
                .get(key)
                .is_some_and(|is| values.iter().any(|it| same(is, it))),
            Self::Beside(key, side, value) => metadata
                .get(key)
                .is_some_and(|is| compared(is, value) == Some(*side)),
        }
    }
}

fn each(list: &[Value], depth: usize, left: &mut usize) -> Result<Vec<Filter>, ToolError> {
    let one = |it: &Value| match it {
        Value::Object(map) => Filter::all(map, depth + 1, left),
        _ => Err(wrong("has something else than conditions in $and or $or")),
    };
    list.iter().map(one).collect()
}

fn of_field(key: &str, tests: &Map<String, Value>) -> Result<Vec<Filter>, ToolError> {
    let mut parts = Vec::new();
    for (test, value) in tests {
        let beside = |side| Filter::Beside(key.to_owned(), side, value.clone());
        parts.push(match (test.as_str(), value) {
            ("$in", Value::Array(list)) if list.len() <= 1000 => {
                Filter::In(key.to_owned(), list.clone())
            }
            ("$gt", Value::Number(_) | Value::String(_)) => beside(Ordering::Greater),
            ("$lt", Value::Number(_) | Value::String(_)) => beside(Ordering::Less),
            _ => {
                return Err(wrong(
                    "knows $in with a list, $gt and $lt with a number or text",
                ));
            }
        });
    }
    match parts.is_empty() {
        true => Err(wrong("has a field without a condition")),
        false => Ok(parts),
    }
}

/// Equal; 1 and 1.0 are.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && compared(a, b) == Some(Ordering::Equal))
}

fn compared(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn wrong(rule: &str) -> ToolError {
    ToolError::invalid("where", rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fits(conditions: &Value, metadata: &Value) -> bool {
        let filter = Filter::parse(conditions.as_object()).unwrap();
        filter.fits(metadata.as_object().unwrap())
    }

    #[test]
    fn conditions_hold_as_they_read() {
        let server = json!({"os": "linux", "cpus": 8, "zone": null});
        for (conditions, wanted) in [
            (json!({}), true),
            (json!({"os": "linux", "cpus": 8.0}), true),
            (json!({"os": "bsd"}), false),
            (json!({"zone": null}), true),
            (json!({"gone": null}), false),
            (json!({"os": {"$in": ["bsd", "linux"]}}), true),
            (json!({"os": {"$in": []}}), false),
            (json!({"cpus": {"$gt": 4, "$lt": 9}}), true),
            (json!({"cpus": {"$gt": 8}}), false),
            (json!({"cpus": {"$gt": "4"}}), false),
            (json!({"os": {"$lt": "m"}}), true),
            (
                json!({"$or": [{"os": "bsd"}, {"$and": [{"cpus": 8}, {"os": "linux"}]}]}),
                true,
            ),
            (json!({"$or": []}), false),
        ] {
            assert_eq!(fits(&conditions, &server), wanted, "{conditions}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let mut deep = json!({"a": 1});
        for _ in 0..20 {
            deep = json!({"$and": [deep]});
        }
        let many: Vec<Value> = (0..101).map(|n| json!({"a": n})).collect();
        for bad in [
            json!({"$not": {}}),
            json!({"$and": {}}),
            json!({"$or": [1]}),
            json!({"a": {"$regex": "x"}}),
            json!({"a": {"$gt": []}}),
            json!({"a": {}}),
            deep,
            json!({"$or": many}),
        ] {
            assert!(Filter::parse(bad.as_object()).is_err(), "{bad}");
        }
    }
}
