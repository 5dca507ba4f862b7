//! The short form, translated.

use super::{expand, is_compact};
use crate::dsl::NoCatalogue;
use crate::dsl::model::Definition;
use crate::expression::{Expressions, Variables};
use serde_json::{Value, json};

fn resolve(service: Option<&str>, tool: &str) -> String {
    match service {
        Some(service) if !tool.starts_with(service) => format!("{service}.{tool}"),
        _ => tool.to_owned(),
    }
}

/// The document a short form stands for, which must be one that can be read.
fn check(compact: &Value) -> Value {
    assert!(is_compact(compact));
    let document = expand(compact, &resolve).unwrap();
    let read = Definition::read(&document.to_string(), &NoCatalogue);
    read.unwrap_or_else(|complaints| panic!("{complaints:?}\n{document:#}"));
    document
}

/// Acceptance: 67
#[test]
fn steps_become_tasks_in_order() {
    let document = check(&json!({
        "name": "Patch the hosts!",
        "steps": [
            {"service": "cmdb", "tool": "listServers", "params": {"limit": 3}, "timeout": 5},
            {"name": "show", "description": "why", "service": "os.linux", "tool": "os.linux.cli.readFile"},
        ],
    }));
    assert_eq!(document["document"]["name"], "patch-the-hosts");
    assert_eq!(document["document"]["title"], "Patch the hosts!");
    let first = &document["do"][0]["step1"];
    assert_eq!(first["call"], "cmdb.listServers");
    assert_eq!(first["with"], json!({"limit": 3}));
    assert_eq!(first["timeout"], json!({"after": {"seconds": 5}}));
    assert_eq!(document["do"][1]["show"]["call"], "os.linux.cli.readFile");
    assert_eq!(document["do"][1]["show"]["metadata"]["description"], "why");
}

#[test]
fn references_keep_the_type_of_results() {
    let document = check(&json!({
        "name": "n",
        "steps": [
            {"name": "a", "tool": "x.y"},
            {"name": "a.b", "tool": "x.y"},
            {"name": "c", "tool": "x.y", "params": {
                "whole": "${steps.a.result.list.1}",
                "all": "${steps.a.b.result}",
                "text": "is ${steps.a.result.n} of ${steps.a.b.result.m}.",
                "shell": "${HOME}",
                "deep": [{"x": "${steps.a.result.n}"}],
            }},
        ],
    }));
    let context = json!({"steps": {
        "a": {"result": {"list": [1, {"k": true}], "n": 7}},
        "a.b": {"result": {"m": "em"}},
    }});
    let found = Expressions::default()
        .evaluate_template(
            &document["do"][2]["c"]["with"],
            crate::dsl::model::Mode::Strict,
            &json!(null),
            &Variables::default().with("context", context),
        )
        .unwrap();
    let expected = json!({
        "whole": {"k": true},
        "all": {"m": "em"},
        "text": "is 7 of em.",
        "shell": "${HOME}",
        "deep": [{"x": 7}],
    });
    assert_eq!(found, expected);
}

#[test]
fn results_are_kept_beside_each_other() {
    let document = check(&json!({
        "name": "n",
        "steps": [{"name": "a", "tool": "x.y"}, {"name": "b", "tool": "x.y"}],
    }));
    let expressions = Expressions::default();
    let mut context = json!(null);
    for (index, name) in ["a", "b"].iter().enumerate() {
        let program = document["do"][index][name]["export"]["as"]
            .as_str()
            .unwrap();
        let variables = Variables::default().with("context", context);
        context = expressions
            .evaluate(program, &json!(index), &variables)
            .unwrap();
    }
    assert_eq!(
        context,
        json!({"steps": {"a": {"result": 0}, "b": {"result": 1}}})
    );
}

#[test]
fn retry_and_on_error_become_try() {
    let document = check(&json!({
        "name": "n",
        "steps": [{
            "name": "a", "tool": "x.y", "on_error": "continue",
            "retry": {"max_attempts": 4, "backoff_factor": 1.5},
        }],
    }));
    let outer = &document["do"][0]["a"];
    assert_eq!(outer["catch"], json!({}));
    let inner = &outer["try"][0]["a"];
    assert_eq!(inner["catch"]["retry"]["limit"]["attempt"]["count"], 3);
    assert_eq!(inner["metadata"]["hub"]["backoff"]["factor"], 1.5);
    assert_eq!(inner["try"][0]["a"]["call"], "x.y");
}

#[test]
fn wrong_short_forms_get_complaints_with_pointers() {
    let wrong = json!({
        "name": "n",
        "surprise": 1,
        "steps": [
            {"name": "a", "tool": "x.y", "params": {"p": "${steps.b.result}"}},
            {"name": "a", "tool": 3},
            {"name": "b", "tool": "x.y", "timeout": 0},
            {"name": "c", "tool": "x.y", "on_error": "retry"},
            {"name": "d", "tool": "x.y", "retry": {"max_attempts": 0}},
            {"name": "a", "tool": "x.y"},
            7,
        ],
    });
    let complaints = expand(&wrong, &resolve).unwrap_err();
    let found: Vec<_> = complaints
        .iter()
        .map(|it| (it.code, it.pointer.as_str()))
        .collect();
    let expected = [
        ("unknown_key", "/surprise"),
        ("unknown_step", "/steps/0/params/p"),
        ("wrong_type", "/steps/1/tool"),
        ("wrong_type", "/steps/2/timeout"),
        ("wrong_type", "/steps/3/on_error"),
        ("wrong_type", "/steps/4/retry/max_attempts"),
        ("duplicate_task", "/steps/5/name"),
        ("wrong_type", "/steps/6"),
    ];
    assert_eq!(found, expected);
}
