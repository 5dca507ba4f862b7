//! The request headers that must say the same as the body (revision 2026-07-28).
//!
//! Intermediaries route on `Mcp-Method`, `Mcp-Name` and `Mcp-Param-*` without reading the body, so a
//! header that differs from it is refused. The hub itself routes on the body only.

use super::fault::Fault;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use proto::mcp::Params;
use serde_json::Value;
use serde_json::value::RawValue;

/// The revision of a request.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The session of a legacy request.
pub const SESSION_ID: &str = "mcp-session-id";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";
const PARAM_PREFIX: &str = "mcp-param-";
const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// The one value of a header; `None` when it is absent.
///
/// # Errors
/// −32020 when it stands twice or holds bytes outside visible ASCII.
pub fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Fault> {
    lookup(headers, name)
}

/// Checks `Mcp-Method` and, for the methods that have one, `Mcp-Name`.
///
/// # Errors
/// −32020 names the header that is missing or differs.
pub fn check_standard(headers: &HeaderMap, method: &str, params: &Params<'_>) -> Result<(), Fault> {
    match lookup(headers, METHOD)? {
        None => return Err(Fault::header_mismatch("header Mcp-Method is missing")),
        Some(value) if value != method => {
            return Err(Fault::header_mismatch(
                "header Mcp-Method differs from the body",
            ));
        }
        Some(_) => {}
    }
    let Some(expected) = named(method, params) else {
        return Ok(());
    };
    let Some(value) = lookup(headers, NAME)? else {
        return Err(Fault::header_mismatch("header Mcp-Name is missing"));
    };
    if decode(value).is_none_or(|value| value != expected) {
        return Err(Fault::header_mismatch(
            "header Mcp-Name differs from the body",
        ));
    }
    Ok(())
}

/// Checks the arguments a tool's schema mirrors into `Mcp-Param-*` headers. Other such headers are
/// ignored.
///
/// # Errors
/// −32020 names the header that is missing, unexpected or different.
pub fn check_mirrored(
    headers: &HeaderMap,
    schema: &RawValue,
    arguments: Option<&RawValue>,
) -> Result<(), Fault> {
    if !schema.get().contains("x-mcp-header") {
        return Ok(());
    }
    let schema: Value = serde_json::from_str(schema.get()).unwrap_or_default();
    let arguments: Value = arguments
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default();
    let mut mirrored = Vec::new();
    collect(&schema, &mut Vec::new(), &mut mirrored);
    mirrored
        .into_iter()
        .try_for_each(|(path, header)| check_one(headers, &header, at(&arguments, &path)))
}

/// The value `Mcp-Name` mirrors; `None` for methods without one.
fn named(method: &str, params: &Params<'_>) -> Option<String> {
    let raw = match method {
        "tools/call" | "prompts/get" => params.name,
        "resources/read" => params.uri,
        "tasks/get" | "tasks/update" | "tasks/cancel" => params.task_id,
        _ => None,
    };
    serde_json::from_str(raw?.get()).ok()
}

fn check_one(headers: &HeaderMap, header: &str, argument: Option<&Value>) -> Result<(), Fault> {
    let fault = |what: &str| {
        let text: String = header.chars().take(64).collect();
        Fault::header_mismatch(format!("header Mcp-Param-{text} {what}"))
    };
    let name = format!("{PARAM_PREFIX}{}", header.to_ascii_lowercase());
    match (
        lookup(headers, &name)?,
        argument.filter(|value| !value.is_null()),
    ) {
        (None, None) => Ok(()),
        (None, Some(value)) if plain(value).is_none() => Ok(()),
        (None, Some(_)) => Err(fault("is missing")),
        (Some(_), None) => Err(fault("stands for an absent argument")),
        (Some(raw), Some(value)) => match decode(raw) {
            Some(text) if same(&text, value) => Ok(()),
            _ => Err(fault("differs from the body")),
        },
    }
}

/// Integers are compared as numbers, everything else as text.
fn same(header: &str, argument: &Value) -> bool {
    match (argument.as_i64(), header.parse::<i64>()) {
        (Some(argument), Ok(header)) => argument == header,
        _ => plain(argument).is_some_and(|text| text == header),
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

fn at<'a>(arguments: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(arguments, |value, key| value.get(key))
}

/// Finds `x-mcp-header` along chains of `properties`. Depth is bounded by the JSON reader.
fn collect(schema: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (name, property) in properties {
        path.push(name.clone());
        if let Some(header) = property.get("x-mcp-header").and_then(Value::as_str) {
            found.push((path.clone(), header.to_owned()));
        }
        collect(property, path, found);
        path.pop();
    }
}

fn lookup<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Fault::header_mismatch(format!(
            "header {name} stands twice"
        )));
    }
    let text = value.to_str().ok().map(str::trim);
    text.map(Some).ok_or_else(|| {
        Fault::header_mismatch(format!("header {name} holds characters that need base64"))
    })
}

/// Undoes `=?base64?…?=`; `None` when it wraps no UTF-8 text.
fn decode(value: &str) -> Option<String> {
    let (prefix, suffix) = SENTINEL;
    match value
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(suffix))
    {
        Some(wrapped) => String::from_utf8(BASE64_STANDARD.decode(wrapped).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        map
    }

    /// `None` when the headers fit a call of `os_x` (given as JSON).
    fn check(pairs: &[(&str, &str)], name: &str) -> Option<i32> {
        let raw = RawValue::from_string(name.to_owned()).unwrap();
        let params = Params {
            name: Some(&raw),
            ..Params::default()
        };
        check_standard(&map(pairs), "tools/call", &params)
            .err()
            .map(|fault| fault.code)
    }

    #[test]
    fn headers_must_say_what_the_body_says() {
        let mismatch = Some(proto::mcp::code::HEADER_MISMATCH);
        let method = ("mcp-method", "tools/call");
        assert_eq!(check(&[method, ("Mcp-Name", "os_x")], r#""os_x""#), None);
        assert_eq!(
            check(&[method, ("mcp-name", "os_x")], r#""os_\u0078""#),
            None
        );
        assert_eq!(check(&[method, ("mcp-name", " os_x ")], r#""os_x""#), None);
        assert_eq!(
            check(&[method, ("mcp-name", "=?base64?b3NfeA==?=")], r#""os_x""#),
            None
        );
        for wrong in [
            vec![],
            vec![method],
            vec![("mcp-name", "os_x")],
            vec![("mcp-method", "tools/list"), ("mcp-name", "os_x")],
            vec![("mcp-method", "TOOLS/CALL"), ("mcp-name", "os_x")],
            vec![method, ("mcp-name", "os_y")],
            vec![method, ("mcp-name", "OS_X")],
            vec![method, ("mcp-name", "os_x"), ("mcp-name", "os_x")],
            vec![method, method, ("mcp-name", "os_x")],
            vec![method, ("mcp-name", "=?base64?b3NfeQ==?=")],
            vec![method, ("mcp-name", "=?base64?!!?=")],
            vec![method, ("mcp-name", "=?base64?/w==?=")],
            vec![method, ("mcp-name", "=?base64?b3NfeA==")],
            vec![method, ("mcp-name", "ös_x")],
        ] {
            assert_eq!(check(&wrong, r#""os_x""#), mismatch, "{wrong:?}");
        }
    }

    #[test]
    fn other_methods_need_no_name() {
        let headers = map(&[("mcp-method", "tools/list")]);
        assert!(check_standard(&headers, "tools/list", &Params::default()).is_ok());
    }

    #[test]
    fn mirrored_arguments_are_compared_by_value() {
        let schema = RawValue::from_string(
            r#"{"type":"object","properties":{
                "region":{"type":"string","x-mcp-header":"Region"},
                "deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"Count"}}}}}"#
                .to_owned(),
        )
        .unwrap();
        let fits = |pairs: &[(&str, &str)], arguments: &str| {
            let arguments = RawValue::from_string(arguments.to_owned()).unwrap();
            check_mirrored(&map(pairs), &schema, Some(&arguments)).is_ok()
        };
        let full = r#"{"region":"eu","deep":{"n":7}}"#;
        assert!(fits(
            &[("mcp-param-region", "eu"), ("Mcp-Param-Count", "7")],
            full
        ));
        assert!(fits(
            &[("mcp-param-region", "eu"), ("mcp-param-count", "07")],
            full
        ));
        assert!(fits(&[("mcp-param-other", "x")], "{}"));
        assert!(fits(&[], r#"{"region":null}"#));
        assert!(!fits(
            &[("mcp-param-region", "us"), ("mcp-param-count", "7")],
            full
        ));
        assert!(!fits(&[("mcp-param-region", "eu")], full));
        assert!(!fits(&[("mcp-param-region", "eu")], "{}"));
        assert!(fits(
            &[("mcp-param-region", "=?base64?w7Y=?=")],
            r#"{"region":"ö"}"#
        ));
    }
}
