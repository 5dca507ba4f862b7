//! Where the servers are installed.

use serde_json::{Value, json};
use std::path::PathBuf;

/// The folder `deploy/scripts/test-deps.sh` installs them into.
pub(crate) fn folder() -> PathBuf {
    let named = std::env::var_os("WAYGATE_CLIENTS").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache")
        });
    let folder = named
        .unwrap_or_else(|| cache.join("waygate-ci/clients"))
        .join("servers");
    let there = folder.join("venv/bin/python").is_file()
        && folder
            .join("node_modules/@modelcontextprotocol/server-everything")
            .is_dir();
    assert!(
        there,
        "the servers are missing in {}; install them with: deploy/scripts/test-deps.sh",
        folder.display()
    );
    folder
}

fn script(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("servers");
    folder.join(name).display().to_string()
}

/// The Python interpreter that has the SDK.
pub(crate) fn python() -> String {
    folder().join("venv/bin/python").display().to_string()
}

/// The program and arguments of the reference server, for `stdio`, `sse` or `streamableHttp`.
pub(crate) fn everything(transport: &str) -> (String, Vec<String>) {
    let main = "node_modules/@modelcontextprotocol/server-everything/dist/index.js";
    let main = folder().join(main).display().to_string();
    ("node".into(), vec![main, transport.into()])
}

/// The program and arguments of the server made with the TypeScript SDK, for `stdio` or `http`.
pub(crate) fn typescript(transport: &str) -> (String, Vec<String>) {
    let main = script("typescript_server.mjs");
    ("node".into(), vec![main, transport.into()])
}

/// The program and arguments of the server made with the Python SDK, for `stdio`, `sse` or
/// `streamable-http`.
pub(crate) fn fast_mcp(transport: &str) -> (String, Vec<String>) {
    (python(), vec![script("python_server.py"), transport.into()])
}

/// What to register of a server on stdio, whose tools all only read.
pub(crate) fn on_stdio(name: &str, (command, args): (String, Vec<String>)) -> Value {
    json!({
        "name": name,
        "protocol": "stdio",
        "command": command,
        "args": args,
        "environment": [format!("WAYGATE_SERVERS={}", folder().display())],
        "effects": {"*": "read"},
    })
}
