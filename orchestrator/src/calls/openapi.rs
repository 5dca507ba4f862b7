//! Operations of `OpenAPI` documents, 3.x and 2.0, turned into HTTP requests.
//!
//! Documents are fetched anew for each call. References within a document are followed one step.

use super::credentials::authorization;
use super::http::{Outgoing, address, append, content, values};
use super::web::WebRequest;
use super::{Calls, Trouble, text};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use url::Url;

const METHODS: &[&str] = &[
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

impl Calls {
    pub(super) async fn openapi(&self, with: &Value, key: &str) -> Result<Value, Trouble> {
        let request = self.operation(with).await?;
        self.exchange(request, with, key).await
    }

    /// The request an operation becomes; its document is fetched.
    pub(super) async fn operation(&self, with: &Value) -> Result<Outgoing, Trouble> {
        let source = address(text(with, "document")?)?;
        let document = self
            .document(&source, with.get("documentAuthentication"))
            .await?;
        let operation = Operation::find(&document, text(with, "operation")?)?;
        let empty = Map::new();
        let parameters = with.get("parameters").and_then(Value::as_object);
        let mut request = operation.request(&source, parameters.unwrap_or(&empty))?;
        request.authorization = authorization(with.get("authentication"))?;
        Ok(request)
    }

    async fn document(&self, url: &Url, policy: Option<&Value>) -> Result<Value, Trouble> {
        let mut headers = vec![(
            "accept".to_owned(),
            "application/json, */*;q=0.5".to_owned(),
        )];
        if let Some(authorization) = authorization(policy)? {
            headers.push(("authorization".to_owned(), authorization));
        }
        let request = WebRequest {
            method: "GET".to_owned(),
            url: url.clone(),
            headers,
            body: None,
        };
        // Fetching the document changes nothing: whatever happens to it, the operation was not called.
        let fetched = self.web.send(request).await.map_err(|lost| {
            Trouble::Lost(super::Lost::Unsent {
                detail: format!("the document could not be fetched: {lost}"),
                transient: true,
            })
        })?;
        if fetched.status != 200 {
            let detail = format!("the document was answered with status {}", fetched.status);
            return Err(Trouble::Lost(super::Lost::Unsent {
                detail,
                transient: fetched.status >= 500,
            }));
        }
        match content(&fetched)? {
            Value::String(text) => serde_yaml_ng::from_str(&text)
                .map_err(|error| Trouble::Odd(format!("the document cannot be read: {error}"))),
            document => Ok(document),
        }
    }
}

/// An operation and where it stands.
struct Operation<'d> {
    document: &'d Value,
    path: &'d str,
    method: &'d str,
    /// Parameters of the path and of the operation.
    declared: Vec<&'d Value>,
    body: Option<&'d Value>,
}

impl<'d> Operation<'d> {
    fn find(document: &'d Value, id: &str) -> Result<Self, Trouble> {
        let paths = document.get("paths").and_then(Value::as_object);
        for (path, item) in paths.into_iter().flatten() {
            let methods = item.as_object().into_iter().flatten();
            let mut methods = methods.filter(|(method, _)| METHODS.contains(&method.as_str()));
            let found =
                methods.find(|(_, it)| it.get("operationId").and_then(Value::as_str) == Some(id));
            if let Some((method, operation)) = found {
                let lists = [item.get("parameters"), operation.get("parameters")];
                let all = lists
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_array)
                    .flatten();
                return Ok(Self {
                    document,
                    path,
                    method,
                    declared: all.map(|it| resolved(document, it)).collect(),
                    body: operation
                        .get("requestBody")
                        .map(|it| resolved(document, it)),
                });
            }
        }
        Err(Trouble::Wrong(format!(
            "the document has no operation {id}"
        )))
    }

    fn request(&self, source: &Url, given: &Map<String, Value>) -> Result<Outgoing, Trouble> {
        let mut path = self.path.to_owned();
        let mut query = Vec::new();
        let mut headers = Vec::new();
        let mut body = None;
        let mut rest = given.clone();
        for parameter in &self.declared {
            let name = parameter
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let place = parameter
                .get("in")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let required = parameter.get("required").and_then(Value::as_bool) == Some(true);
            let value = match rest.shift_remove(name) {
                Some(value) => value,
                None if required => {
                    return Err(Trouble::Wrong(format!("the parameter {name} is missing")));
                }
                None => continue,
            };
            let texts = values(&value);
            match place {
                "path" => {
                    let text = texts.join(",");
                    let text = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
                    path = path.replace(&format!("{{{name}}}"), &text);
                }
                "query" => query.extend(texts.into_iter().map(|it| (name.to_owned(), it))),
                "header" => headers.push((name.to_ascii_lowercase(), texts.join(","))),
                "body" => body = Some(value),
                other => {
                    let message = format!("parameters in {other} are not supported ({name})");
                    return Err(Trouble::Wrong(message));
                }
            }
        }
        if self.body.is_some() && !rest.is_empty() {
            body = Some(
                rest.shift_remove("body")
                    .unwrap_or_else(|| Value::Object(rest.clone())),
            );
            rest.clear();
        }
        if let Some(name) = rest.keys().next() {
            return Err(Trouble::Wrong(format!(
                "the operation has no parameter {name}"
            )));
        }
        let base = base(self.document, source)?;
        let mut url = address(&format!("{}{path}", base.trim_end_matches('/')))?;
        append(&mut url, query);
        Ok(Outgoing {
            method: self.method.to_ascii_uppercase(),
            url,
            headers,
            body,
            authorization: None,
        })
    }
}

/// Where the operations of a document are, without a slash at the end.
fn base(document: &Value, source: &Url) -> Result<String, Trouble> {
    if document.get("swagger").is_some() {
        let part = |name| document.get(name).and_then(Value::as_str);
        let schemes = document.get("schemes").and_then(Value::as_array);
        let mut schemes = schemes.into_iter().flatten().filter_map(Value::as_str);
        let scheme = schemes
            .find(|it| *it == "https")
            .unwrap_or_else(|| source.scheme());
        let own = source.host_str().map(|host| match source.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        });
        let host = part("host").map(str::to_owned).or(own).unwrap_or_default();
        return Ok(format!(
            "{scheme}://{host}{}",
            part("basePath").unwrap_or_default()
        ));
    }
    let server = document.pointer("/servers/0/url").and_then(Value::as_str);
    let url = source.join(server.unwrap_or("/"));
    let url = url.map_err(|error| Trouble::Odd(format!("the server's address: {error}")))?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// What a reference within the document names, or the value itself.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let reference = value.get("$ref").and_then(Value::as_str);
    let pointer = reference.and_then(|it| it.strip_prefix('#'));
    pointer.and_then(|it| document.pointer(it)).unwrap_or(value)
}
