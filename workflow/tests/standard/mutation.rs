//! Documents with one thing changed.

use serde_json::{Value, json};

/// Every document that is one change away, with the change in words.
pub(crate) fn all(document: &Value) -> Vec<(String, Value)> {
    let mut pointers = Vec::new();
    collect(document, "", &mut pointers);
    let mut changed = Vec::new();
    for pointer in pointers {
        for replacement in [
            json!(7),
            json!("x"),
            json!({}),
            json!([]),
            json!(null),
            json!(true),
        ] {
            let change = format!("{pointer} is {replacement}");
            changed.extend(edit(document, &pointer, change, |it| *it = replacement));
        }
        let change = format!("{pointer} has one key more");
        changed.extend(edit(document, &pointer, change, |it| {
            if let Value::Object(fields) = it {
                fields.insert("surprise".to_owned(), json!(1));
            }
        }));
        let keys = match document.pointer(&pointer) {
            Some(Value::Object(fields)) => fields.keys().cloned().collect(),
            _ => Vec::new(),
        };
        for key in keys {
            changed.extend(without(document, &pointer, &key));
        }
    }
    changed
}

/// Without a key, and with another in its place.
fn without(document: &Value, pointer: &str, key: &str) -> impl Iterator<Item = (String, Value)> {
    let gone = format!("{pointer} has no {key}");
    let gone = edit(document, pointer, gone, |it| {
        it.as_object_mut().unwrap().shift_remove(key);
    });
    let other = format!("{pointer} calls {key} otherwise");
    let other = edit(document, pointer, other, |it| {
        let fields = it.as_object_mut().unwrap();
        let value = fields.shift_remove(key).unwrap();
        fields.insert(format!("{key}s"), value);
    });
    gone.into_iter().chain(other)
}

fn edit(
    document: &Value,
    pointer: &str,
    change: String,
    apply: impl FnOnce(&mut Value),
) -> Option<(String, Value)> {
    let mut copy = document.clone();
    apply(copy.pointer_mut(pointer)?);
    (copy != *document).then_some((change, copy))
}

fn collect(value: &Value, pointer: &str, pointers: &mut Vec<String>) {
    pointers.push(pointer.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(field, &format!("{pointer}/{key}"), pointers);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &format!("{pointer}/{index}"), pointers);
            }
        }
        _ => {}
    }
}
