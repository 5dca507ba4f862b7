//! The decision and the file format, through the public surface.

mod conditions;
mod file;

use super::*;
use crate::auth::{CredentialKind, Role};
use crate::caller::testing::{caller, permissions, principal};
use serde_json::{Value, json};
use shared::call_token::Authority;

/// 2026-11-02 is a Monday; 13:30 UTC.
const MONDAY: i64 = 1_793_626_200;

struct Case {
    caller: Caller,
    tool: ToolId,
    service: &'static str,
    effect: Effect,
    arguments: Value,
    now: i64,
}

fn case(effect: Effect) -> Case {
    Case {
        caller: caller(principal("key:1")),
        tool: ToolId::parse("os.linux.runCommand").unwrap(),
        service: "01_linux_cli_mcp",
        effect,
        arguments: json!({"host": "web-1", "ports": [80, 443], "count": 5, "mode": "a*b"}),
        now: MONDAY,
    }
}

impl Case {
    fn decide(&self, policy: &Policy) -> Decision {
        policy.decide(&Request {
            caller: &self.caller,
            tool: &self.tool,
            service: self.service,
            effect: self.effect,
            arguments: Some(&self.arguments),
            arguments_hash: "hash",
            now: self.now,
        })
    }

    fn reach(&self, policy: &Policy, per_call: bool) -> Option<bool> {
        let subject = Subject {
            tool: &self.tool,
            service: self.service,
            effect: self.effect,
            per_call,
        };
        policy
            .reach(&self.caller, subject)
            .map(|reach| reach.asks())
    }
}

/// The decision as text: `allow R`, `waive R`, `ask R N`, `deny R`.
fn word(decision: &Decision) -> String {
    match decision {
        Decision::Allow(permit) => match permit.authority() {
            Some(Authority::Waiver(rule)) => format!("waive {rule}"),
            _ => format!("allow {}", permit.rule()),
        },
        Decision::Ask(ask) => format!("ask {} {}", ask.rule(), ask.approvers),
        Decision::Deny(denial) => format!("deny {}", denial.rule),
    }
}

fn rules(yaml: &str) -> Policy {
    Policy::parse(&format!("policies:\n{yaml}")).unwrap()
}

fn check(policy: &Policy, case: &Case, expected: &str) {
    assert_eq!(word(&case.decide(policy)), expected);
}

/// Acceptance: 31, 98
#[test]
fn the_shipped_rules_let_reads_run_and_ask_for_changes() {
    let policy = Policy::parse(SHIPPED).unwrap();
    check(&policy, &case(Effect::Read), "allow base-read");
    check(&policy, &case(Effect::MutateOwn), "allow base-own-store");
    check(&policy, &case(Effect::Mutate), "ask base-mutate 1");
    check(&policy, &case(Effect::Critical), "ask base-critical 1");
}

#[test]
fn without_permission_nothing_runs_whatever_the_rules_say() {
    let generous = rules("- {name: all, type: access, priority: 1, actions: [allow]}");
    for policy in [&generous, &Policy::parse(SHIPPED).unwrap()] {
        for (held, effect, rule) in [
            ("read", Effect::Read, "baseline-execute"),
            ("read", Effect::Critical, "baseline-execute"),
            ("execute", Effect::Read, "baseline-read"),
            ("approvals:approve", Effect::Read, "baseline-execute"),
        ] {
            let mut case = case(effect);
            let mut holder = principal("key:1");
            holder.permissions = permissions(held);
            case.caller = caller(holder);
            check(policy, &case, &format!("deny {rule}"));
            assert_eq!(case.reach(policy, false), None);
        }
    }
    let mut homeless = principal("key:1");
    homeless.organization = "".into();
    let mut case = case(Effect::Read);
    case.caller = caller(homeless);
    check(&generous, &case, "deny baseline-organization");
}

/// Acceptance: 98
#[test]
fn no_rule_lets_critical_work_run_unasked() {
    for action in ["allow", "waive_approval"] {
        let policy = rules(&format!(
            "- {{name: all, type: access, priority: 1, actions: [{action}]}}"
        ));
        check(&policy, &case(Effect::Critical), "ask all 1");
        check(&policy, &case(Effect::Read), "allow all");
        check(&policy, &case(Effect::MutateOwn), "allow all");
        let mutate = if action == "allow" {
            "ask all 1"
        } else {
            "waive all"
        };
        check(&policy, &case(Effect::Mutate), mutate);
    }
    let own = "- name: all\n  type: access\n  priority: 1\n  actions:\n  - require_approval: {approvers: 2, roles: [admin], self_approval: true}";
    for (effect, own_voice) in [(Effect::Mutate, true), (Effect::Critical, false)] {
        let Decision::Ask(ask) = case(effect).decide(&rules(own)) else {
            panic!("expected a question");
        };
        assert_eq!((ask.approvers, ask.self_approval), (2, own_voice));
        assert_eq!(ask.roles, ["admin"]);
    }
}

#[test]
fn the_default_is_no() {
    check(&rules("  []"), &case(Effect::Read), "deny default");
}

#[test]
fn the_highest_matching_rule_decides() {
    let policy = rules(
        r"
- {name: low, type: access, priority: 1, actions: [allow]}
- {name: first, type: access, priority: 50, conditions: {field: weekday, op: eq, value: monday}, actions: [deny: {message: not on Mondays}]}
- {name: second, type: access, priority: 50, actions: [allow]}
- {name: office, type: security, priority: 900, conditions: {field: ip, op: not_in, value: [192.0.2.0/24]}, actions: [deny]}
- {name: off, type: access, priority: 1000, is_active: false, actions: [deny]}",
    );
    let mut case = case(Effect::Read);
    check(&policy, &case, "deny first");
    case.now += 86_400;
    check(&policy, &case, "allow second");
    case.caller.address = Some("198.51.100.1".parse().unwrap());
    check(&policy, &case, "deny office");
    assert_eq!(
        case.reach(&policy, false),
        None,
        "hidden from a foreign network"
    );
}

#[test]
fn limits_come_with_the_permit_whatever_decides() {
    let policy = rules(
        r"
- {name: all, type: access, priority: 900, actions: [waive_approval]}
- {name: slow, type: rate_limit, priority: 1, conditions: {field: arguments./host, op: eq, value: web-1}, actions: [limit: {per_minute: 3, burst: 1}, log: {level: debug}]}
- {name: other, type: rate_limit, priority: 1, conditions: {field: tool, op: eq, value: x.y}, actions: [limit: {per_day: 1}]}",
    );
    let Decision::Allow(permit) = case(Effect::Mutate).decide(&policy) else {
        panic!("expected a permit");
    };
    let [limit] = permit.limits() else {
        panic!("expected one limit, got {:?}", permit.limits());
    };
    assert_eq!((&*limit.rule, limit.rates.per_minute), ("slow", 3));
    let Decision::Ask(ask) = case(Effect::Critical).decide(&policy) else {
        panic!("expected a question");
    };
    assert_eq!(ask.limits.len(), 1);
}

#[test]
fn a_tool_is_listed_when_some_call_could_be_made() {
    let policy = rules(
        r"
- {name: etc, type: access, priority: 9, conditions: {field: arguments./host, op: eq, value: db-1}, actions: [deny]}
- {name: some, type: access, priority: 5, conditions: {and: [{field: effect, op: eq, value: mutate}, {not: {field: hour, op: in, value: [13]}}]}, actions: [waive_approval]}
- {name: reads, type: access, priority: 5, conditions: {field: effect, op: eq, value: read}, actions: [allow]}
- {name: big, type: access, priority: 5, conditions: {field: effect, op: eq, value: critical}, actions: [require_approval]}",
    );
    assert_eq!(case(Effect::Read).reach(&policy, false), Some(false));
    assert_eq!(case(Effect::Mutate).reach(&policy, false), Some(false));
    assert_eq!(case(Effect::Critical).reach(&policy, false), Some(true));
    assert_eq!(case(Effect::MutateOwn).reach(&policy, false), None);
    assert_eq!(case(Effect::MutateOwn).reach(&policy, true), Some(false));
    check(&policy, &case(Effect::Mutate), "deny default");
}

#[test]
fn a_changed_principal_gets_a_new_decision() {
    let policy = Policy::parse(SHIPPED).unwrap();
    let mut case = case(Effect::Read);
    for (held, expected) in [
        ("read execute", "allow base-read"),
        ("read", "deny baseline-execute"),
        ("read execute", "allow base-read"),
        ("tools:read tools:execute", "allow base-read"),
        ("servers:read servers:execute", "deny baseline-execute"),
    ] {
        let mut holder = principal("key:1");
        holder.permissions = permissions(held);
        case.caller = caller(holder);
        check(&policy, &case, expected);
    }
    let changes: [fn(&mut crate::auth::Principal); 3] = [
        |p| p.role = Role::Viewer,
        |p| p.kind = CredentialKind::A2aKey,
        |p| p.namespace = "other".into(),
    ];
    let picky = rules(
        r"- {name: r, type: access, priority: 1, conditions: {and: [{field: role, op: eq, value: user}, {field: key_type, op: eq, value: user}, {field: namespace, op: eq, value: default}]}, actions: [allow]}",
    );
    case.caller = caller(principal("key:1"));
    check(&picky, &case, "allow r");
    for change in changes {
        let mut other = principal("key:1");
        change(&mut other);
        case.caller = caller(other);
        check(&picky, &case, "deny default");
    }
}

#[test]
fn new_rules_take_effect_at_once() {
    let policy = Policy::parse(SHIPPED).unwrap();
    let (before, case) = (policy.version(), case(Effect::Read));
    check(&policy, &case, "allow base-read");
    policy.replace(rules("  []"));
    check(&policy, &case, "deny default");
    assert_ne!(policy.version(), before);
    let asks = rules(
        r"- {name: r, type: access, priority: 1, conditions: {field: header.X-Team, op: eq, value: a}, actions: [allow]}",
    );
    assert_eq!(asks.headers(), ["x-team"]);
}
