//! Reads `call`.
//!
//! `asyncapi`, `a2a` and `grpc` are refused: no broker, no foreign agent and no foreign gRPC service is
//! reached from here. MCP servers are called through the hub, under which they are registered.

use super::fields::{Fields, Node, Reader};
use crate::dsl::model::{Call, Endpoint, Expression, Http, Mcp, OpenApi, Output, Uri};
use serde_json::{Map, Value};

const OUTPUTS: &[(&str, Output)] = &[
    ("raw", Output::Raw),
    ("content", Output::Content),
    ("response", Output::Response),
];
const METHODS: &[&str] = &[
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/read",
    "resources/templates/list",
];

impl Reader<'_> {
    pub(super) fn call(&mut self, task: &Fields<'_>, node: &Node<'_>) -> Option<Call> {
        let name = self.text(node)?;
        match name {
            "asyncapi" | "a2a" | "grpc" => {
                let message =
                    format!("call: {name} is not supported; call a tool of the hub instead");
                self.complain("unsupported", &node.pointer, message);
                return None;
            }
            "http" | "openapi" | "mcp" => {}
            _ => return self.named_call(task, node, name),
        }
        let with = self.need(task, "with")?;
        match name {
            "http" => self.http(&with).map(Call::Http),
            "openapi" => self.openapi(&with).map(Call::OpenApi),
            _ => self.mcp(&with).map(Call::Mcp),
        }
    }

    /// A function of the document or a tool.
    fn named_call(&mut self, task: &Fields<'_>, node: &Node<'_>, name: &str) -> Option<Call> {
        let with = task.get("with");
        let arguments = with.as_ref().and_then(|it| self.object_template(it));
        let arguments = arguments.unwrap_or_else(|| Value::Object(Map::new()));
        if self.named.functions.contains(name) {
            return Some(Call::Function {
                name: name.to_owned(),
                arguments,
            });
        }
        if name.contains("://") {
            let message = "functions are not fetched; write the task under use.functions";
            self.complain("unsupported", &node.pointer, message);
            return None;
        }
        let (rest, catalogue) = match name.split_once('@') {
            Some((rest, catalogue)) => (rest, Some(catalogue)),
            None => (name, None),
        };
        if let Some(other) = catalogue.filter(|it| *it != "default") {
            let message =
                format!("functions are not fetched, so the catalogue {other} cannot be used");
            self.complain("unsupported", &node.pointer, message);
            return None;
        }
        let (id, version) = match rest.split_once(':') {
            Some((id, version)) => (id, Some(version)),
            None => (rest, None),
        };
        let place = with.map_or_else(|| task.pointer.clone(), |it| it.pointer);
        let view = self.tool(id, &node.pointer, (&arguments, &place));
        let found = view.and_then(|it| it.version);
        if let (Some(wanted), Some(found)) = (version, found)
            && wanted != found
        {
            let message = format!("{id} has version {found}, not {wanted}");
            self.complain("wrong_tool_version", &node.pointer, message);
        }
        Some(Call::Tool {
            id: id.to_owned(),
            version: version.map(str::to_owned),
            arguments,
        })
    }

    fn http(&mut self, node: &Node<'_>) -> Option<Http> {
        const KNOWN: &[&str] = &[
            "method", "endpoint", "headers", "body", "query", "output", "redirect",
        ];
        let fields = self.fields(node, KNOWN)?;
        let method = self.need(&fields, "method");
        let endpoint = self.need(&fields, "endpoint");
        let endpoint = endpoint.and_then(|it| self.endpoint(&it));
        Some(Http {
            method: self.phrase(method.as_ref())?,
            headers: self.texts_or_expression(fields.get("headers").as_ref()),
            query: self.texts_or_expression(fields.get("query").as_ref()),
            body: self.template_of(fields.get("body").as_ref()),
            output: self.output_of(&fields),
            redirect: self.flag(fields.get("redirect").as_ref()).unwrap_or(false),
            endpoint: endpoint?,
        })
    }

    fn openapi(&mut self, node: &Node<'_>) -> Option<OpenApi> {
        const KNOWN: &[&str] = &[
            "document",
            "operationId",
            "parameters",
            "authentication",
            "output",
            "redirect",
        ];
        let fields = self.fields(node, KNOWN)?;
        let document = self.need(&fields, "document");
        let operation = self.need(&fields, "operationId");
        let document = document.and_then(|it| self.resource(&it));
        let parameters = fields.get("parameters");
        Some(OpenApi {
            operation: self.owned(operation.as_ref())?,
            parameters: parameters.and_then(|it| self.object_template(&it)),
            authentication: fields
                .get("authentication")
                .and_then(|it| self.authentication(&it)),
            output: self.output_of(&fields),
            redirect: self.flag(fields.get("redirect").as_ref()).unwrap_or(false),
            document: document?,
        })
    }

    fn mcp(&mut self, node: &Node<'_>) -> Option<Mcp> {
        const KNOWN: &[&str] = &[
            "protocolVersion",
            "method",
            "parameters",
            "timeout",
            "transport",
            "client",
        ];
        let fields = self.fields(node, KNOWN)?;
        let words: Vec<(&str, &str)> = METHODS.iter().map(|it| (*it, *it)).collect();
        let method = self.need(&fields, "method");
        let method = method.and_then(|it| self.word(&it, &words));
        let transport = self.need(&fields, "transport");
        let transport = transport.and_then(|it| self.transport(&it));
        if let Some(client) = fields.get("client") {
            let client = self.fields(&client, &["name", "description", "version"])?;
            for name in ["name", "version"] {
                let field = self.need(&client, name);
                self.owned(field.as_ref());
            }
            self.owned(client.get("description").as_ref());
        }
        // Said by the author, decided between hub and server.
        self.owned(fields.get("protocolVersion").as_ref());
        self.length_of(fields.get("timeout").as_ref());
        Some(Mcp {
            parameters: fields.get("parameters").and_then(|it| self.parameters(&it)),
            method: method?.to_owned(),
            endpoint: transport?,
        })
    }

    fn parameters(&mut self, node: &Node<'_>) -> Option<Value> {
        match node.value {
            Value::String(text) if Expression::inside(text).is_some() => Some(self.template(node)),
            _ => self.object_template(node),
        }
    }

    /// The address of a server. How it is spoken to otherwise is said where it is registered.
    fn transport(&mut self, node: &Node<'_>) -> Option<Uri> {
        let fields = self.fields(node, &["http", "stdio", "options"])?;
        let (name, inner) = self.one_of(&fields, &["http", "stdio"])?;
        if name == "stdio" {
            let message =
                "programs are not started by workflows; register the server and call its tools";
            self.complain("unsupported", &inner.pointer, message);
            return None;
        }
        let http = self.fields(&inner, &["endpoint", "headers"])?;
        let endpoint = self.need(&http, "endpoint")?;
        let read = self.endpoint(&endpoint)?;
        let own = read.authentication.is_some().then_some(&endpoint);
        let headers = http.get("headers");
        if let Some(own) = own.or(headers.as_ref()) {
            let message =
                "credentials and headers of an MCP server are those it is registered with";
            self.complain("unsupported", &own.pointer, message);
        }
        Some(read.uri)
    }

    fn output_of(&mut self, fields: &Fields<'_>) -> Output {
        let node = fields.get("output");
        node.and_then(|it| self.word(&it, OUTPUTS))
            .unwrap_or_default()
    }

    /// A resource somewhere else.
    pub(super) fn resource(&mut self, node: &Node<'_>) -> Option<Endpoint> {
        let fields = self.fields(node, &["name", "endpoint"])?;
        self.owned(fields.get("name").as_ref());
        let endpoint = self.need(&fields, "endpoint")?;
        self.endpoint(&endpoint)
    }

    /// An address, with or without credentials.
    pub(super) fn endpoint(&mut self, node: &Node<'_>) -> Option<Endpoint> {
        if node.value.is_string() {
            let uri = self.uri(node)?;
            return Some(plain(uri));
        }
        let fields = self.fields(node, &["uri", "authentication"])?;
        let uri = self.need(&fields, "uri").and_then(|it| self.uri(&it));
        let authentication = fields.get("authentication");
        let authentication = authentication.and_then(|it| self.authentication(&it));
        Some(Endpoint {
            uri: uri?,
            authentication,
        })
    }
}

fn plain(uri: Uri) -> Endpoint {
    Endpoint {
        uri,
        authentication: None,
    }
}
