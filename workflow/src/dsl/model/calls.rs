//! What `call` and `run` can reach.
//!
//! How it is reached is the business of the driver.

use super::data::{Expression, Uri};
use crate::dsl::ProcessKind;
use serde_json::Value;

/// What a `call` task calls. Arguments are templates.
#[derive(Debug, Clone)]
pub enum Call {
    /// A tool of the hub.
    Tool {
        /// Full id.
        id: String,
        /// The version it must have; `None` takes any.
        version: Option<String>,
        /// Its arguments: an object.
        arguments: Value,
    },
    /// A function of `use.functions`.
    Function {
        /// Its name.
        name: String,
        /// The input of its task: an object.
        arguments: Value,
    },
    /// An HTTP request.
    Http(Http),
    /// An operation of an `OpenAPI` document.
    OpenApi(OpenApi),
    /// A method of a registered MCP server.
    Mcp(Mcp),
}

/// Where a request goes, and with which credentials.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// The address.
    pub uri: Uri,
    /// Authentication policy as written, references into `use` already replaced; `None` sends none.
    pub authentication: Option<Value>,
}

/// What of an answer becomes the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// The body as base64 text.
    Raw,
    /// The body, read as its content type says.
    #[default]
    Content,
    /// Request, status code, headers and content.
    Response,
}

/// An HTTP request.
#[derive(Debug, Clone)]
pub struct Http {
    /// Method, as written.
    pub method: String,
    /// Where to.
    pub endpoint: Endpoint,
    /// Headers: an object of strings, or an expression.
    pub headers: Option<Value>,
    /// Query: an object of strings, or an expression.
    pub query: Option<Value>,
    /// Body.
    pub body: Option<Value>,
    /// What becomes the output.
    pub output: Output,
    /// Whether 3xx is an answer and not an error.
    pub redirect: bool,
}

/// An operation of an `OpenAPI` document.
#[derive(Debug, Clone)]
pub struct OpenApi {
    /// The document.
    pub document: Endpoint,
    /// Id of the operation.
    pub operation: String,
    /// Parameters by name.
    pub parameters: Option<Value>,
    /// Authentication policy as written; `None` sends none.
    pub authentication: Option<Value>,
    /// What becomes the output.
    pub output: Output,
    /// Whether 3xx is an answer and not an error.
    pub redirect: bool,
}

/// A method of an MCP server.
#[derive(Debug, Clone)]
pub struct Mcp {
    /// Such as `tools/call`.
    pub method: String,
    /// Parameters: an object, or an expression.
    pub parameters: Option<Value>,
    /// The address under which it is registered.
    pub endpoint: Uri,
}

/// A process, started by a tool.
#[derive(Debug, Clone)]
pub struct Process {
    /// What it is.
    pub kind: ProcessKind,
    /// Id of the tool that starts it.
    pub tool: String,
    /// What was written under `container`, `script` or `shell`, as a template.
    pub arguments: Value,
    /// Standard input; `None` is empty.
    pub stdin: Option<Expression>,
    /// What becomes the output.
    pub output: Return,
    /// Whether its end is waited for.
    pub wait: bool,
}

/// What of a process becomes the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Return {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// The exit code.
    Code,
    /// All three, as `{code, stdout, stderr}`.
    All,
    /// Nothing: the input goes on.
    None,
}
