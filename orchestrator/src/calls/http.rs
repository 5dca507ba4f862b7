//! HTTP requests: from the arguments of `call: http` to a request, and from its answer to an output.

use super::credentials::authorization;
use super::web::{WebRequest, WebResponse};
use super::{Calls, Trouble, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use url::Url;

impl Calls {
    pub(super) async fn http(&self, with: &Value, key: &str) -> Result<Value, Trouble> {
        self.exchange(Outgoing::of(with)?, with, key).await
    }

    /// Sends a request and makes the output the arguments ask for.
    pub(super) async fn exchange(
        &self,
        request: Outgoing,
        with: &Value,
        key: &str,
    ) -> Result<Value, Trouble> {
        let request = request.complete(key);
        let response = self
            .web
            .send(request.clone())
            .await
            .map_err(Trouble::Lost)?;
        let redirect = with.get("redirect").and_then(Value::as_bool) == Some(true);
        let last = if redirect { 399 } else { 299 };
        if !(200..=last).contains(&response.status) {
            return Err(Trouble::Refused(response));
        }
        match with.get("output").and_then(Value::as_str) {
            Some("raw") => Ok(json!(STANDARD.encode(&response.body))),
            Some("response") => Ok(json!({
                "request": {
                    "method": request.method,
                    "uri": request.url.as_str(),
                    "headers": shown(&request.headers),
                },
                "headers": shown(&response.headers),
                "statusCode": response.status,
                "content": content(&response)?,
            })),
            _ => content(&response),
        }
    }
}

/// A request before it is put into bytes.
pub(super) struct Outgoing {
    pub(super) method: String,
    pub(super) url: Url,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Value>,
    pub(super) authorization: Option<String>,
}

impl Outgoing {
    /// What the arguments of `call: http` ask for.
    pub(super) fn of(with: &Value) -> Result<Self, Trouble> {
        let endpoint = text(with, "endpoint")?;
        let mut url = address(endpoint)?;
        if let Some(query) = with.get("query") {
            append(&mut url, pairs(query, "query")?);
        }
        let mut headers = pairs(with.get("headers").unwrap_or(&Value::Null), "headers")?;
        headers
            .iter_mut()
            .for_each(|(name, _)| name.make_ascii_lowercase());
        Ok(Self {
            method: text(with, "method")?.to_ascii_uppercase(),
            url,
            headers,
            body: with.get("body").filter(|it| !it.is_null()).cloned(),
            authorization: authorization(with.get("authentication"))?,
        })
    }

    fn complete(mut self, key: &str) -> WebRequest {
        let mut add = |name: &str, value: String| {
            if !self.headers.iter().any(|(it, _)| it == name) {
                self.headers.push((name.to_owned(), value));
            }
        };
        add("accept", "application/json, */*;q=0.5".to_owned());
        if let Some(authorization) = self.authorization {
            add("authorization", authorization);
        }
        if !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
            add("idempotency-key", key.to_owned());
        }
        let body = self.body.map(|body| match body {
            Value::String(text) => {
                add("content-type", "text/plain; charset=utf-8".to_owned());
                text.into_bytes()
            }
            other => {
                add("content-type", "application/json".to_owned());
                other.to_string().into_bytes()
            }
        });
        WebRequest {
            method: self.method,
            url: self.url,
            headers: self.headers,
            body,
        }
    }
}

/// An absolute address.
pub(super) fn address(text: &str) -> Result<Url, Trouble> {
    Url::parse(text).map_err(|error| Trouble::Wrong(format!("the address cannot be used: {error}")))
}

/// Adds pairs to the query of an address.
pub(super) fn append(url: &mut Url, pairs: Vec<(String, String)>) {
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
}

/// Names and values of an object; a list gives its name once for each item.
fn pairs(value: &Value, what: &str) -> Result<Vec<(String, String)>, Trouble> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Object(fields) => {
            let all = fields.iter().flat_map(|(name, value)| {
                values(value).into_iter().map(|value| (name.clone(), value))
            });
            Ok(all.collect())
        }
        _ => Err(Trouble::Wrong(format!("{what} is not an object"))),
    }
}

/// The texts of a value: of each item of a list, of none for nothing.
pub(super) fn values(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(values).collect(),
        other => vec![other.to_string()],
    }
}

/// The body, as its type says: JSON, a text, or base64.
pub(super) fn content(response: &WebResponse) -> Result<Value, Trouble> {
    if response.body.is_empty() {
        return Ok(Value::Null);
    }
    let kind = response.header("content-type").unwrap_or_default();
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if kind == "application/json" || kind.ends_with("+json") {
        let read = serde_json::from_slice(&response.body);
        return read.map_err(|error| Trouble::Odd(format!("the answer is no JSON: {error}")));
    }
    Ok(match std::str::from_utf8(&response.body) {
        Ok(text) => Value::from(text),
        Err(_binary) => json!(STANDARD.encode(&response.body)),
    })
}

/// Headers as an object, without credentials.
fn shown(headers: &[(String, String)]) -> Value {
    let hidden = [
        "authorization",
        "cookie",
        "set-cookie",
        "proxy-authorization",
    ];
    let mut fields = Map::new();
    for (name, value) in headers {
        if !hidden.contains(&name.as_str()) {
            fields.insert(name.clone(), json!(value));
        }
    }
    Value::Object(fields)
}
