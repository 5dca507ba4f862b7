//! What changed between two states of an object, for people.

use serde_json::{Map, Value};

/// Differences that are told at most, and the length of a value, in characters.
const MOST: usize = 40;
const LONGEST: usize = 80;

/// Fields the server keeps for itself.
const OWN: &[&str] = &[
    "managedFields",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "uid",
    "selfLink",
];

/// The differences as `path: before → after`, without what the server keeps for itself; `values`: whether
/// values are told.
pub(super) fn between(before: &Value, after: &Value, values: bool) -> Vec<String> {
    let mut found = Vec::new();
    walk("", before, after, &mut found);
    let more = found.len().saturating_sub(MOST);
    let told = found.into_iter().take(MOST);
    let told = told.map(|(path, before, after)| match values {
        true => format!("{path}: {} → {}", short(before), short(after)),
        false => path,
    });
    let mut told: Vec<String> = told.collect();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told
}

type Found<'a> = (String, Option<&'a Value>, Option<&'a Value>);

fn walk<'a>(path: &str, before: &'a Value, after: &'a Value, found: &mut Vec<Found<'a>>) {
    if before == after {
        return;
    }
    let below = |name: &str| match path.is_empty() {
        true => name.to_owned(),
        false => format!("{path}.{name}"),
    };
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for name in names(before, after) {
                let own = path == "metadata" && OWN.contains(&name.as_str());
                if own || (path.is_empty() && name == "status") {
                    continue;
                }
                pair(&below(name), before.get(name), after.get(name), found);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for place in 0..before.len().max(after.len()) {
                let path = below(&place.to_string());
                pair(&path, before.get(place), after.get(place), found);
            }
        }
        _ => found.push((path.to_owned(), Some(before), Some(after))),
    }
}

fn pair<'a>(
    path: &str,
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    found: &mut Vec<Found<'a>>,
) {
    match (before, after) {
        (Some(before), Some(after)) => walk(path, before, after, found),
        (before, after) => found.push((path.to_owned(), before, after)),
    }
}

fn names<'a>(before: &'a Map<String, Value>, after: &'a Map<String, Value>) -> Vec<&'a String> {
    let fresh = after.keys().filter(|name| !before.contains_key(*name));
    before.keys().chain(fresh).collect()
}

fn short(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "nothing".into();
    };
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_keeps_for_itself_is_no_difference() {
        let before = json!({"metadata": {"uid": "1", "generation": 1}, "status": {"a": 1}});
        let after = json!({"metadata": {"uid": "2", "generation": 2}, "status": {"a": 2}});
        assert!(between(&before, &after, true).is_empty());
    }

    #[test]
    fn changes_are_told_by_path_and_values_only_where_they_may_be() {
        let before = json!({"spec": {"replicas": 1, "old": true}, "data": {"key": "YQ=="}});
        let after = json!({"spec": {"replicas": 2, "new": [1]}, "data": {"key": "Yg=="}});
        let told = between(&before, &after, true);
        assert!(
            told.contains(&"spec.replicas: 1 → 2".to_owned()),
            "{told:?}"
        );
        assert!(told.contains(&"spec.new: nothing → [1]".to_owned()));
        let silent = between(&before, &after, false).join(" ");
        assert!(
            silent.contains("data.key") && !silent.contains("Yg=="),
            "{silent}"
        );
    }
}
