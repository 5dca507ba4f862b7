//! Wrong documents and what is said about them.

mod wrong;

use crate::dsl::model::{Definition, Effect, Kind};
use crate::dsl::{Catalogue, Complaint, ToolView};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use wrong::WRONG;

struct Tools;

impl Catalogue for Tools {
    fn tool(&self, id: &str) -> Option<ToolView> {
        let known = matches!(id, "host.patch" | "host.unpatch");
        known.then(|| ToolView {
            id: id.to_owned(),
            version: Some("1.2.0".to_owned()),
            schema: Arc::new(json!({
                "type": "object",
                "properties": {
                    "host": {"type": "string"},
                    "count": {"type": "integer", "minimum": 1},
                },
                "required": ["host"],
                "additionalProperties": false,
            })),
            effect: Effect::Once,
            verify: None,
        })
    }
}

const HEAD: &str = "\
document:
  dsl: '1.0.3'
  namespace: test
  name: test
  version: '1.0.0'
";

fn read(text: &str) -> Result<Definition, Vec<Complaint>> {
    Definition::read(text, &Tools)
}

/// Acceptance: 67
#[test]
fn wrong_documents_get_helpful_complaints() {
    let mut codes = BTreeSet::new();
    for (code, pointer, line, part, text) in WRONG {
        let text = expanded(code, text);
        let complaints = read(&text).err().unwrap_or_default();
        let complaint = complaints.iter().find(|it| it.code == *code);
        let shown = || {
            complaints
                .iter()
                .map(|it| format!("\n  {it}"))
                .collect::<String>()
        };
        let Some(complaint) = complaint else {
            panic!("{code} is not among{}", shown());
        };
        assert!(complaint.pointer.starts_with(pointer), "{code}:{}", shown());
        assert!(complaint.message.contains(part), "{code}:{}", shown());
        if *line > 0 {
            assert_eq!(complaint.line, Some(*line), "{code}:{}", shown());
        }
        codes.insert(*code);
    }
    assert!(codes.len() >= 30, "{} kinds of complaints", codes.len());
}

fn expanded(code: &str, text: &str) -> String {
    let head = match code {
        "unsupported_dsl" => HEAD.replace("1.0.3", "0.8.0"),
        "bad_name" => HEAD.replace("name: test", "name: te st"),
        "bad_version" => HEAD.replace("'1.0.0'", "'1'"),
        "empty_document" => String::new(),
        _ => HEAD.to_owned(),
    };
    let tasks = || {
        (0..1001)
            .map(|it| format!("- t{it}: {{set: {{x: 1}}}}\n"))
            .collect::<String>()
    };
    let many = || format!("x: &a [{}]\ny: [{}]", "1,".repeat(1000), "*a,".repeat(200));
    let body = match text {
        "LARGE" => "#".repeat(2 * 1024 * 1024),
        "MANY" => many(),
        "TASKS" => format!("do:\n{}", tasks()),
        _ => text.replace("DEEP", &format!("{}{}", "[".repeat(80), "]".repeat(80))),
    };
    format!("{head}{body}")
}

#[test]
fn one_document_gets_all_its_complaints() {
    let text = format!(
        "{HEAD}do:\n- a: {{call: no.such}}\n- b: {{wait: soon}}\n- c: {{if: '(', set: {{x: 1}}}}"
    );
    let codes: Vec<&str> = read(&text).unwrap_err().iter().map(|it| it.code).collect();
    assert_eq!(codes, ["unknown_tool", "bad_duration", "bad_expression"]);
}

#[test]
fn json_gets_pointers_and_lines_too() {
    let text = "{\n  \"document\": {\"dsl\": \"1.0.3\", \"namespace\": \"a\", \"name\": \"b\",\n    \"version\": \"1.0.0\"},\n  \"do\": [\n    {\"a\": {\"wait\": \"\\ud83d\\ude00\"}}\n  ]\n}";
    let complaints = read(text).unwrap_err();
    let found: Vec<_> = complaints
        .iter()
        .map(|it| (it.code, it.pointer.as_str()))
        .collect();
    assert_eq!(found, [("bad_duration", "/do/0/a/wait")]);
    assert!(complaints.iter().all(|it| it.message.contains('😀')));
}

#[test]
fn what_the_hub_adds_is_read() {
    let text = format!(
        "{HEAD}  metadata: {{hub: {{onFailure: fail, index: {{host: '${{ .host }}'}}}}}}
do:
- all:
    for: {{each: host, in: .hosts}}
    do:
    - patch:
        call: host.patch:1.2.0@default
        with: {{host: '${{ $host }}', count: 2}}
        metadata:
          hub:
            effect: idempotent
            compensate: {{call: host.unpatch, with: {{host: '${{ $host }}'}}}}
            lock: ['host:x', '${{ $host }}']
            approval: {{thresholds: [{{approve: 2, group: sre}}], expires: PT4H}}
    metadata: {{hub: {{for: {{concurrency: 5, maxFailures: 10%}}}}}}
"
    );
    let definition = read(&text).unwrap();
    assert_eq!(definition.id(), "test/test");
    assert_eq!(definition.tools.len(), 2);
    assert_eq!(definition.hub.index.get("host"), Some(&json!("${ .host }")));
    let (name, all) = definition.tasks.first().unwrap();
    assert_eq!((name.as_str(), all.pointer.as_str()), ("all", "/do/0/all"));
    assert_eq!(all.common.hub.parallel.unwrap().concurrency, 5);
    let Kind::For(it) = &all.kind else {
        panic!("{:?}", all.kind);
    };
    let (_, patch) = it.tasks.first().unwrap();
    assert_eq!(patch.pointer, "/do/0/all/do/0/patch");
    let hub = &patch.common.hub;
    assert_eq!(hub.effect, Some(Effect::Idempotent));
    assert_eq!(hub.compensate.as_ref().unwrap().call, "host.unpatch");
    assert_eq!(hub.lock.as_ref().unwrap().keys.len(), 2);
    let threshold = hub
        .approval
        .as_ref()
        .unwrap()
        .thresholds
        .first()
        .unwrap()
        .clone();
    assert_eq!((threshold.approve, threshold.deny), (2, 1));
}

#[test]
fn the_digest_is_of_the_meaning() {
    let yaml = format!("{HEAD}do:\n- a: {{set: {{x: 1}}}} # why\n");
    let one = read(&yaml).unwrap();
    let json: Value = one.json.as_ref().clone();
    let other = read(&serde_json::to_string(&json).unwrap()).unwrap();
    assert_eq!(one.digest, other.digest);
    assert_ne!(one.source, other.source);
    assert!(one.digest.starts_with("sha256:") && one.digest.len() == 71);
}
