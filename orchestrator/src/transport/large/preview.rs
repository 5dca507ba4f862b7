//! The beginning of a value: long texts, lists and maps are cut, its form stays.

use serde_json::{Map, Value};

/// Bytes of a text shown first.
const TEXT: usize = 2000;

/// How much is shown of each part.
struct Bounds {
    text: usize,
    items: usize,
    members: usize,
}

/// From the most to the least.
const STEPS: [Bounds; 5] = [
    Bounds {
        text: TEXT,
        items: 50,
        members: 500,
    },
    Bounds {
        text: 500,
        items: 20,
        members: 200,
    },
    Bounds {
        text: 200,
        items: 8,
        members: 100,
    },
    Bounds {
        text: 80,
        items: 3,
        members: 50,
    },
    Bounds {
        text: 40,
        items: 1,
        members: 20,
    },
];

/// The most of `value` that has at most `bytes` as JSON and that `fits`; `None` when nothing does.
pub(super) fn of(value: &Value, bytes: usize, fits: impl Fn(&Value) -> bool) -> Option<Value> {
    let small = |shown: &Value| shown.to_string().len() <= bytes;
    STEPS
        .iter()
        .map(|bounds| shrunk(value, bounds))
        .find(|shown| small(shown) && fits(shown))
}

/// The beginning of a text.
pub(super) fn text(text: &str) -> String {
    cut(text, TEXT)
}

fn shrunk(value: &Value, bounds: &Bounds) -> Value {
    match value {
        Value::String(text) => Value::String(cut(text, bounds.text)),
        Value::Array(items) => {
            let shown = items.iter().take(bounds.items);
            shown.map(|item| shrunk(item, bounds)).collect()
        }
        Value::Object(members) => {
            let shown = members.iter().take(bounds.members);
            let shown: Map<_, _> = shown
                .map(|(name, member)| (name.clone(), shrunk(member, bounds)))
                .collect();
            Value::Object(shown)
        }
        other => other.clone(),
    }
}

fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_form_stays_and_the_bounds_hold() {
        let rows: Vec<Value> = (0..5000)
            .map(|at| json!({"id": at, "name": "ä".repeat(900)}))
            .collect();
        let value = json!({"rows": rows, "count": 5000});
        let shown = of(&value, 20_000, |_| true).unwrap();
        assert!(shown.to_string().len() <= 20_000);
        assert_eq!(shown["count"], 5000);
        assert_eq!(shown["rows"][0]["id"], 0);
        assert!(shown["rows"].as_array().unwrap().len() > 5);
        let picky = |shown: &Value| shown["rows"].as_array().unwrap().len() == 1;
        assert_eq!(
            of(&value, 20_000, picky).unwrap()["rows"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(of(&value, 20_000, |_| false), None);
    }
}
