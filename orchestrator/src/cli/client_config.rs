//! `waygate client-config`: what to paste into an AI host.

use super::output::pretty;
use super::{Context, Failure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct ClientConfigArgs {
    /// The AI host.
    #[arg(value_enum)]
    host: Host,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Host {
    ClaudeDesktop,
    ClaudeCode,
    Cursor,
    Vscode,
}

pub(super) fn run(context: &Context, args: &ClientConfigArgs) -> Result<ExitCode, Failure> {
    let base = context
        .global
        .url
        .clone()
        .unwrap_or_else(|| "http://127.0.0.1:8000".into());
    let url = format!("{}/mcp", base.trim_end_matches('/'));
    let (place, entry) = entry(args.host, &url);
    context.output.note(&format!(
        "put this into {place}; replace <API KEY> by the output of: waygate keys create"
    ));
    context.output.line(&pretty(&entry));
    Ok(ExitCode::SUCCESS)
}

fn entry(host: Host, url: &str) -> (&'static str, Value) {
    let headers = json!({"Authorization": "Bearer <API KEY>"});
    match host {
        Host::ClaudeDesktop => (
            "claude_desktop_config.json",
            json!({"mcpServers": {"waygate": {
                "command": "waygate", "args": ["stdio"], "env": {"WAYGATE_API_KEY": "<API KEY>"},
            }}}),
        ),
        Host::ClaudeCode => (
            ".mcp.json of the project",
            json!({"mcpServers": {"waygate": {"type": "http", "url": url, "headers": headers}}}),
        ),
        Host::Cursor => (
            ".cursor/mcp.json",
            json!({"mcpServers": {"waygate": {"url": url, "headers": headers}}}),
        ),
        Host::Vscode => (
            ".vscode/mcp.json",
            json!({
                "inputs": [{"id": "waygate", "type": "promptString", "description": "Waygate API key", "password": true}],
                "servers": {"waygate": {
                    "type": "http", "url": url, "headers": {"Authorization": "Bearer ${input:waygate}"},
                }},
            }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_names_the_hub_and_no_secret() {
        for host in Host::value_variants() {
            let text = entry(*host, "http://127.0.0.1:8000/mcp").1.to_string();
            assert!(text.contains("waygate") && !text.contains("wgk_"), "{text}");
        }
    }
}
