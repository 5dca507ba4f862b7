//! What hosts will stumble over in a server's tools. Source: `mcp.md` 6 and 11.
//!
//! Only a report: the hub lists tools under names every host takes, and passes schemas as they are.

use crate::upstream::ToolFacts;
use std::sync::Arc;

/// Longest description some hosts show, in bytes.
const MAX_DESCRIPTION: usize = 2048;
/// Tools some hosts can use at once.
const MANY: usize = 40;
const TOO_MANY: usize = 128;
/// Findings of one report.
const MAX_FINDINGS: usize = 200;

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The server's own name of the tool; `None` for the server as a whole.
    pub tool: Option<String>,
    /// Hosts it concerns.
    pub hosts: &'static str,
    /// What they do.
    pub message: &'static str,
}

/// The report about a server's tools.
pub(super) fn of(tools: &[Arc<ToolFacts>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let whole = |hosts, message| Finding {
        tool: None,
        hosts,
        message,
    };
    if tools.len() > TOO_MANY {
        findings.push(whole(
            "VS Code, Copilot",
            "at most 128 tools are used in one request",
        ));
    } else if tools.len() > MANY {
        findings.push(whole("Cursor", "only about 40 tools are active"));
    }
    for tool in tools {
        let name = tool.wire.as_ref().map(|wire| wire.name.to_string());
        findings.extend(remarks(tool).map(|(hosts, message)| Finding {
            tool: name.clone(),
            hosts,
            message,
        }));
    }
    findings.truncate(MAX_FINDINGS);
    findings
}

fn remarks(tool: &ToolFacts) -> impl Iterator<Item = (&'static str, &'static str)> {
    let name = tool.wire.as_ref().map_or("", |wire| &wire.name);
    let portable = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let schema = tool.input_schema.get();
    let all = [
        (
            !portable,
            "Claude Desktop, OpenAI, Cursor",
            "the name has characters they refuse; the hub lists it under another one",
        ),
        (
            name.len() > 64,
            "Claude Desktop, OpenAI",
            "the name is longer than 64; the hub lists it under another one",
        ),
        (
            tool.description.trim().is_empty(),
            "all",
            "there is no description, so models cannot know when to use it",
        ),
        (
            tool.description.len() > MAX_DESCRIPTION,
            "Claude Code",
            "the description is cut at 2 KiB",
        ),
        (
            ["\"$schema\"", "\"anyOf\"", "\"oneOf\"", "\"$ref\""]
                .iter()
                .any(|word| schema.contains(word)),
            "Gemini CLI",
            "the schema uses words it does not know",
        ),
        (
            schema.contains("\"http://") || schema.contains("\"https://json-schema.org/draft-0"),
            "all",
            "the schema names an old or foreign dialect; references to the network are not followed",
        ),
    ];
    all.into_iter()
        .filter(|(holds, ..)| *holds)
        .map(|(_, hosts, message)| (hosts, message))
}
