//! A result as it came back against the fields of the catalogue: what a schema cannot show.

use ::tests::catalogue::{Field, Fields, Kind, Table};
use serde_json::Value;

/// Fails when the result of `tool` lacks a field or holds another type.
pub(crate) fn check(table: &Table, tool: &str, result: &Value) {
    let Some(row) = table.row(tool) else {
        return;
    };
    let known = |path: &str| row.differs.contains_key(path);
    let mut found = Vec::new();
    fields(table, "", &row.result, result, &mut found);
    if let Some(values) = &row.result_map {
        let kind = Kind::Map(Box::new(values.kind.clone()));
        value(table, "", &kind, result, &mut found);
    }
    found.retain(|(path, _)| !known(path));
    assert!(found.is_empty(), "{tool}: {found:?}: {result}");
}

type Found = Vec<(String, &'static str)>;

fn fields(table: &Table, at: &str, wanted: &Fields, is: &Value, found: &mut Found) {
    for (name, field) in wanted {
        let path = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        match is.get(name) {
            None | Some(Value::Null) if field.optional => {}
            None => found.push((path, "missing")),
            Some(inner) => one(table, &path, field, inner, found),
        }
    }
}

fn one(table: &Table, path: &str, field: &Field, is: &Value, found: &mut Found) {
    let word = is.as_str().unwrap_or_default();
    if !field.words.is_empty() && field.words.iter().all(|known| known != word) {
        found.push((path.to_owned(), "not one of the words"));
    }
    value(table, path, &field.kind, is, found);
}

fn value(table: &Table, path: &str, kind: &Kind, is: &Value, found: &mut Found) {
    let fits = match kind {
        Kind::Any => true,
        Kind::Text => is.is_string(),
        Kind::Integer => is.is_i64() || is.is_u64(),
        Kind::Number => is.is_number(),
        Kind::Boolean => is.is_boolean(),
        Kind::Time => is
            .as_str()
            .is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        Kind::List(_) => is.is_array(),
        Kind::Map(_) | Kind::Named(_) => is.is_object(),
    };
    if !fits {
        return found.push((path.to_owned(), "another type"));
    }
    let inner = is.as_array().into_iter().flatten();
    let values = is.as_object().into_iter().flat_map(|map| map.values());
    match kind {
        Kind::List(kind) => inner.for_each(|is| value(table, path, kind, is, found)),
        Kind::Map(kind) => values.for_each(|is| value(table, path, kind, is, found)),
        Kind::Named(name) => fields(table, path, table.named(name), is, found),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(result: &Value) -> usize {
        let table = Table::of(12);
        let mut found = Vec::new();
        fields(
            &table,
            "",
            &table.row("cmdb.local.validate").unwrap().result,
            result,
            &mut found,
        );
        found.len()
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_found() {
        assert_eq!(found(&json!({"valid_rows": 1, "errors": []})), 0);
        assert_eq!(found(&json!({"valid_rows": 1})), 1);
        assert_eq!(
            found(&json!({"valid_rows": "1", "errors": [{"row": 1}]})),
            3
        );
    }
}
