//! Stand-ins for the tools the examples call.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use workflow::core::{Fault, Problem};

/// Answers of a script: tool and arguments; `None` is left to the stand-ins.
pub(crate) type Script = fn(&str, &Value) -> Option<Result<Value, String>>;

/// A table of servers, files, and a script.
pub(crate) struct World {
    pub(crate) servers: Vec<Value>,
    pub(crate) files: BTreeMap<String, String>,
    script: Script,
}

impl World {
    /// Three servers, no files.
    pub(crate) fn new(script: Script) -> Self {
        let server = |name: &str, os: &str, version: &str| json!({"hostname": name, "ip_address": "10.0.0.1", "os_type": os, "os_version": version});
        Self {
            servers: vec![
                server("web1", "Debian Linux", "12"),
                server("web2", "Debian Linux", "12"),
                server("db1", "FreeBSD", "15"),
            ],
            files: BTreeMap::new(),
            script,
        }
    }

    /// The row of a server; `null` when there is none.
    pub(crate) fn server(&self, name: &str) -> Value {
        let found = self.servers.iter().find(|it| it["hostname"] == name);
        found.cloned().unwrap_or_default()
    }

    /// Calls a tool.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value, Problem> {
        let failed = |detail: String| Problem::new(Fault::Communication, "refused", detail);
        if let Some(answer) = (self.script)(tool, arguments) {
            return answer.map_err(failed);
        }
        let text = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
        let name = text("hostname");
        Ok(match tool {
            "cmdb.local.findServers" => {
                let (field, wanted) = (text("query_field"), text("query_value").to_lowercase());
                let fits = |it: &&Value| {
                    let value = it[&field].as_str().unwrap_or_default();
                    value.to_lowercase().contains(&wanted)
                };
                json!({"servers": self.servers.iter().filter(fits).collect::<Vec<_>>()})
            }
            "cmdb.queryAssets" => json!({"assets": self.servers}),
            "cmdb.local.validate" => json!({"valid_rows": self.servers.len(), "errors": []}),
            "cmdb.local.getServerInfo" => json!({"server": self.server(&name)}),
            "cmdb.local.createServer" => {
                self.servers.push(arguments["record"].clone());
                json!({"server": arguments["record"]})
            }
            "cmdb.local.updateServer" => {
                let found = self
                    .servers
                    .iter_mut()
                    .find(|it| it["hostname"] == name.as_str());
                let row = found.and_then(Value::as_object_mut).unwrap();
                row.extend(
                    arguments["changes"]
                        .as_object()
                        .cloned()
                        .unwrap_or_else(Map::new),
                );
                json!({"server": row})
            }
            "os.linux.cli.writeFile" => {
                self.files.insert(text("path"), text("content"));
                json!({"path": text("path")})
            }
            "os.linux.cli.readFile" => {
                let content = self.files.get(&text("path"));
                let content = content.ok_or_else(|| failed("no such file".to_owned()))?;
                json!({"path": text("path"), "content": content})
            }
            other => panic!("{other} is not played"),
        })
    }
}

/// Knows no answers.
pub(crate) fn nothing(_: &str, _: &Value) -> Option<Result<Value, String>> {
    None
}

/// A host that does what it is told; `web9` is away.
pub(crate) fn hosts(tool: &str, arguments: &Value) -> Option<Result<Value, String>> {
    if tool != "linux.sshExecuteCommand" {
        return None;
    }
    if arguments["target_host"] == "web9" {
        return Some(Err("no route to host".to_owned()));
    }
    let percent = if arguments["target_host"] == "web1" {
        95
    } else {
        40
    };
    let stdout = format!(
        "Filesystem 1024-blocks Used Available Capacity Mounted on\nx 1 1 1 {percent}% /\n"
    );
    Some(Ok(json!({"stdout": stdout, "stderr": "", "exit_code": 0})))
}
