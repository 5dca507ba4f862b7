//! The file format: what is refused, and in which words.

use super::*;

/// Whole files.
#[rustfmt::skip]
const FILES: [(&str, &str); 5] = [
    ("policies: 5", "policies: expected a list"),
    ("rules: []", "policies.rules: unknown field"),
    ("policies: [{type: access}]", "policy \"#1\", name: missing"),
    ("a: 1\na: 2", "duplicate"),
    (
        "policies: [{name: r, type: access, priority: 1, actions: [allow]}, {name: r, type: access, priority: 2, actions: [deny]}]",
        "policy \"r\", name: another rule",
    ),
];

/// Fields of a rule named r.
#[rustfmt::skip]
const RULES: [(&str, &str); 11] = [
    ("priority: 1, actions: [allow], action: deny", "policy \"r\", rule.action: unknown field"),
    ("priority: 1001, actions: [allow]", "policy \"r\", priority: expected a whole number from 1 to 1000"),
    ("priority: 1, actions: [allow, deny]", "policy \"r\", actions.1.deny: a rule decides once"),
    ("priority: 1, actions: [permit]", "actions.0.permit: unknown action"),
    ("priority: 1, actions: [deny: {text: x}]", "actions.0.deny.text: unknown field"),
    ("priority: 1, actions: [limit: {}]", "actions.0.limit: expected at least one"),
    ("priority: 1, actions: [require_approval: {approvers: 0}]", "require_approval.approvers: expected a whole number from 1 to 10"),
    ("priority: 1, actions: [require_approval: {roles: [boss]}]", "require_approval.roles: expected admin"),
    ("priority: 1, actions: []", "actions: expected a list of 1"),
    ("priority: 1, actions: [log: {level: loud}]", "actions.0.log.level: expected debug"),
    ("actions: [allow]", "policy \"r\", priority: missing"),
];

/// Conditions of a rule.
#[rustfmt::skip]
const CONDITIONS: [(&str, &str); 15] = [
    ("field: colour, op: eq, value: x", "conditions.field: \"colour\" is no field"),
    ("field: tool, op: like, value: x", "conditions.op: expected eq"),
    ("field: tool, op: eq", "conditions.value: missing"),
    ("field: tool, op: eq, value: 5", "conditions.value: expected a text"),
    ("field: hour, op: eq, value: 24", "expected an hour"),
    ("field: hour, op: regex, value: x", "conditions.op: this field takes"),
    ("field: ip, op: eq, value: 10.0.0.0/40", "expected an address or a network"),
    ("field: role, op: eq, value: root", "expected admin, user"),
    ("field: weekday, op: eq, value: mon", "expected monday"),
    ("field: permission, op: eq, value: sudo", "expected a permission"),
    ("field: tool, op: regex, value: 'a)|(b'", "not a regular expression"),
    ("field: arguments.host, op: eq, value: x", "expected a JSON pointer"),
    ("field: header.Authorization, op: eq, value: x", "holds a credential"),
    ("and: [{not: {or: [{field: x, op: eq, value: 1}]}}]", "conditions.and.0.not.or.0.field"),
    ("and: []", "conditions.and: expected a list"),
];

fn refused(yaml: &str, expected: &str) {
    let error = Policy::parse(yaml).err().map(|error| error.to_string());
    let error = error.unwrap_or_else(|| panic!("accepted: {yaml}"));
    assert!(
        error.contains(expected),
        "{yaml}\n  gave {error}\n  not  {expected}"
    );
}

#[test]
fn a_wrong_rule_is_refused_with_its_name_and_field() {
    for (yaml, expected) in FILES {
        refused(yaml, expected);
    }
    let rule = |fields: &str| format!("policies: [{{name: r, type: access, {fields}}}]");
    for (fields, expected) in RULES {
        refused(&rule(fields), expected);
    }
    for (condition, expected) in CONDITIONS {
        let fields = format!("priority: 1, conditions: {{{condition}}}, actions: [allow]");
        refused(&rule(&fields), expected);
    }
}

#[test]
fn the_number_and_depth_of_rules_are_bounded() {
    let many = "- {name: rN, type: access, priority: 1, actions: [allow]}\n";
    let many: String = (0..1001)
        .map(|n| many.replace('N', &n.to_string()))
        .collect();
    refused(&format!("policies:\n{many}"), "more than 1000 rules");
    let deep = format!("{}{{}}{}", "{not: ".repeat(20), "}".repeat(20));
    let rule = format!(
        "policies: [{{name: r, type: access, priority: 1, conditions: {deep}, actions: [allow]}}]"
    );
    refused(&rule, "nested too deeply");
}
