//! Results of MCP servers on their way to a host: copied, with the members the hub owns written anew
//! for the host's era.
//!
//! The hub owns `resultType`, the caching hints and a few keys of `_meta`. Nothing else is touched.

use super::render::server_info;
use super::revision::Revision;
use super::splice::{Members, Object};
use proto::mcp::META_SERVER_INFO;
use serde_json::value::RawValue;
use shared::id::CorrelationId;

/// What the server says of itself moves here: the host is connected to the hub.
const META_FROM: &str = "waygate/serverInfo";
const OWNED: [&str; 4] = ["resultType", "ttlMs", "cacheScope", "_meta"];

/// What is known of a result.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    /// Revision of the host.
    pub revision: Revision,
    /// Joins everything the request caused; `None` where the answer does not say.
    pub correlation_id: Option<&'a CorrelationId>,
    /// The method is one whose results carry caching hints.
    pub hinted: bool,
}

/// A result for the host. What is no object is put into one, which cannot happen with a server that
/// keeps to the protocol.
#[must_use]
pub fn result(json: &RawValue, passing: Passing<'_>) -> Vec<u8> {
    let Some(members) = Members::of(json) else {
        return Object::default().with("value", json).json();
    };
    let meta = meta(&members, passing);
    let (kind, ttl) = (members.get("resultType"), members.get("ttlMs"));
    let mut object = members.without(&OWNED).copy();
    if passing.revision.is_modern() {
        match kind {
            Some(kind) => object.put("resultType", kind),
            None => object.put("resultType", "complete"),
        }
        if passing.hinted {
            match ttl {
                Some(ttl) => object.put("ttlMs", ttl),
                None => object.put("ttlMs", &0),
            }
            // What a server calls public may still be for this principal only: policy stands between.
            object.put("cacheScope", "private");
        }
    }
    if let Some(meta) = meta {
        object.put("_meta", &meta);
    }
    object.json()
}

/// `_meta` of the server with the hub's keys; `None` when there is nothing to say.
fn meta(result: &Members<'_>, passing: Passing<'_>) -> Option<Box<RawValue>> {
    let own = result
        .get("_meta")
        .and_then(Members::of)
        .unwrap_or_default();
    let from = own.get(META_SERVER_INFO);
    let mut meta = own.without(&[META_SERVER_INFO, META_FROM]).copy();
    if let Some(from) = from {
        meta.put(META_FROM, from);
    }
    if let Some(id) = passing.correlation_id {
        meta.put("waygate/correlationId", id.as_str());
    }
    if passing.revision.is_modern() {
        meta.put(META_SERVER_INFO, &server_info());
    }
    let meta = meta.raw();
    (meta.get() != "{}").then_some(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, revision: Revision) -> String {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        let passing = Passing {
            revision,
            correlation_id: None,
            hinted: true,
        };
        String::from_utf8(result(&raw, passing)).unwrap()
    }

    #[test]
    fn a_result_of_the_stateless_era_loses_its_marks_for_hosts_with_sessions() {
        let modern = r#"{"resultType":"complete","ttlMs":5,"cacheScope":"public","contents":[{"x":1.0}],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"},"v/k":9007199254740993}}"#;
        assert_eq!(
            check(modern, Revision::November2025),
            r#"{"contents":[{"x":1.0}],"_meta":{"v/k":9007199254740993,"waygate/serverInfo":{"name":"s","version":"1"}}}"#
        );
        let kept = check(modern, Revision::July2026);
        assert!(kept.starts_with(r#"{"contents":[{"x":1.0}],"resultType":"complete","ttlMs":5,"cacheScope":"private","#), "{kept}");
    }

    #[test]
    fn a_result_with_sessions_gets_the_marks_of_the_stateless_era() {
        let made = check(r#"{"odd":[],"contents":[]}"#, Revision::July2026);
        let start = r#"{"odd":[],"contents":[],"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":"#;
        assert!(made.starts_with(start), "{made}");
        assert_eq!(check(r#"{"odd":[]}"#, Revision::June2025), r#"{"odd":[]}"#);
    }
}
