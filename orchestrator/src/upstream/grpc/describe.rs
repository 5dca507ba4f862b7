//! What a spoke says of itself, checked before the hub believes it. A tool that is not in order is
//! left out and logged; the others stay.

use super::answer::{effect, raw};
use crate::upstream::{Description, ToolFacts, UpstreamError, manifest_digest};
use bytes::Bytes;
use proto::spoke::{DescribeReply, Tool};
use serde_json::value::RawValue;
use shared::id::ToolId;
use std::collections::HashSet;
use std::sync::Arc;

const MAX_TOOLS: usize = 2000;
const MAX_NAMESPACES: usize = 64;
const MAX_SCHEMA_BYTES: usize = 64 * 1024;
const MAX_DESCRIPTION_BYTES: usize = 16 * 1024;
const MAX_ALIASES: usize = 32;
const MAX_WORD_BYTES: usize = 256;

/// Why a tool is left out.
type Fault = &'static str;

pub(super) fn description(
    service: &Arc<str>,
    reply: DescribeReply,
) -> Result<Description, UpstreamError> {
    let bad = |what: &str| UpstreamError::BadAnswer(what.to_owned());
    if *reply.service != **service {
        return Err(bad("another service answers at this address"));
    }
    let word = |text: &str| !text.is_empty() && text.len() <= MAX_WORD_BYTES;
    if !word(&reply.boot_id) || reply.version.len() > MAX_WORD_BYTES {
        return Err(bad("a description without a usable boot id or version"));
    }
    if reply.tools.len() > MAX_TOOLS || reply.namespaces.len() > MAX_NAMESPACES {
        return Err(bad("a description with too many tools or namespaces"));
    }
    let tools = tools(service, reply.tools);
    let canary = ToolId::parse(&reply.canary).ok();
    Ok(Description {
        service: Arc::clone(service),
        version: reply.version,
        boot_id: reply.boot_id,
        namespaces: reply.namespaces,
        canary: canary.filter(|id| tools.iter().any(|tool| tool.id == *id)),
        manifest_digest: manifest_digest(&tools),
        tools,
    })
}

fn tools(service: &str, offered: Vec<Tool>) -> Vec<Arc<ToolFacts>> {
    let mut seen = HashSet::with_capacity(offered.len());
    let mut tools = Vec::with_capacity(offered.len());
    for tool in offered {
        let id: String = tool.id.chars().take(ToolId::MAX_LEN).collect();
        match facts(tool) {
            Ok(facts) if seen.insert(facts.id.clone()) => tools.push(Arc::new(facts)),
            Ok(_) => left_out(service, &id, "its id stands twice"),
            Err(fault) => left_out(service, &id, fault),
        }
    }
    tools.sort_by(|a, b| a.id.cmp(&b.id));
    tools
}

fn left_out(service: &str, tool: &str, reason: Fault) {
    tracing::warn!(
        event = "tool_left_out",
        service,
        tool,
        reason,
        "a spoke offers a tool that cannot be used"
    );
}

fn facts(tool: Tool) -> Result<ToolFacts, Fault> {
    let id = ToolId::parse(&tool.id).map_err(|_invalid| "its id is not canonical")?;
    if tool.description.len() > MAX_DESCRIPTION_BYTES || tool.title.len() > MAX_WORD_BYTES {
        return Err("its texts are too long");
    }
    let aliases_fit = tool.aliases.len() <= MAX_ALIASES;
    if !aliases_fit
        || tool
            .aliases
            .iter()
            .any(|alias| ToolId::parse(alias).is_err())
    {
        return Err("its other ids are not in order");
    }
    let output_schema = match tool.output_schema_json.is_empty() {
        true => None,
        false => Some(schema(tool.output_schema_json)?),
    };
    let facts = ToolFacts {
        id,
        title: tool.title,
        description: tool.description,
        input_schema: schema(tool.input_schema_json)?,
        output_schema,
        effect: effect(tool.effect).ok_or("its effect is not said")?,
        effect_per_call: tool.effect_per_call,
        idempotent: tool.idempotent,
        long_running: tool.long_running,
        destructive: tool.destructive,
        open_world: tool.open_world,
        sensitive: tool.sensitive,
        live: tool.live,
        aliases: tool.aliases,
        wire: None,
        digest: String::new(),
    };
    Ok(facts.digested())
}

fn schema(bytes: Bytes) -> Result<Box<RawValue>, Fault> {
    if bytes.len() > MAX_SCHEMA_BYTES {
        return Err("a schema is too large");
    }
    let schema = raw(bytes).map_err(|_error| "a schema is not JSON")?;
    if schema.get().starts_with('{') {
        Ok(schema)
    } else {
        Err("a schema is not an object")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(id: &str) -> Tool {
        Tool {
            id: id.into(),
            input_schema_json: r#"{"type":"object"}"#.into(),
            effect: proto::spoke::Effect::Read.into(),
            ..Tool::default()
        }
    }

    fn described(tools: Vec<Tool>) -> Result<Description, UpstreamError> {
        let reply = DescribeReply {
            service: "12_cmdb_mcp".into(),
            version: "1.0.0".into(),
            boot_id: "b".into(),
            tools,
            ..DescribeReply::default()
        };
        description(&"12_cmdb_mcp".into(), reply)
    }

    fn ids(tools: Vec<Tool>) -> Vec<String> {
        let tools = described(tools).unwrap().tools;
        tools.iter().map(|tool| tool.id.to_string()).collect()
    }

    #[test]
    fn a_tool_that_is_not_in_order_is_left_out() {
        let with = |change: fn(&mut Tool)| {
            let mut odd = tool("cmdb.odd");
            change(&mut odd);
            ids(vec![tool("cmdb.b"), odd, tool("cmdb.a")])
        };
        let others = ["cmdb.a", "cmdb.b"];
        assert_eq!(with(|_| {}), ["cmdb.a", "cmdb.b", "cmdb.odd"]);
        assert_eq!(with(|odd| odd.id = "Nope".into()), others);
        assert_eq!(with(|odd| odd.id = "cmdb.a".into()), others);
        assert_eq!(with(|odd| odd.effect = 0), others);
        assert_eq!(with(|odd| odd.effect = 99), others);
        assert_eq!(with(|odd| odd.input_schema_json = "{".into()), others);
        assert_eq!(with(|odd| odd.input_schema_json = "[]".into()), others);
        assert_eq!(
            with(|odd| odd.output_schema_json = b"\xff".as_slice().into()),
            others
        );
        assert_eq!(with(|odd| odd.description = "x".repeat(20_000)), others);
        assert_eq!(with(|odd| odd.aliases = vec!["../x".into()]), others);
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(70_000));
        let mut odd = tool("cmdb.odd");
        odd.input_schema_json = large.into();
        assert_eq!(ids(vec![odd]), [""; 0]);
    }

    #[test]
    fn the_digest_is_the_hubs_own() {
        let digest = |tool: Tool| described(vec![tool]).unwrap().tools[0].digest.clone();
        let plain = digest(tool("cmdb.a"));
        let mut claims = tool("cmdb.a");
        claims.digest = "claimed".into();
        assert_eq!(digest(claims), plain);
        let mut changed = tool("cmdb.a");
        changed.description = "Delete everything.".into();
        assert_ne!(digest(changed), plain);
    }

    #[test]
    fn another_service_at_the_address_is_refused() {
        let reply = DescribeReply {
            service: "13_secrets_mcp".into(),
            boot_id: "b".into(),
            ..DescribeReply::default()
        };
        let error = description(&"12_cmdb_mcp".into(), reply).unwrap_err();
        assert!(error.to_string().contains("another service"));
    }
}
