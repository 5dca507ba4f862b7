//! What conditions match.

use super::*;
use crate::caller::HttpFacts;
use proptest::prelude::*;

/// A condition that holds for the call of the test, and a similar one that does not.
#[rustfmt::skip]
const MATCHES: [(&str, &str); 26] = [
    ("field: ip, op: eq, value: 192.0.2.1", "field: ip, op: eq, value: 192.0.2.2"),
    ("field: ip, op: in, value: [10.0.0.0/8, 192.0.2.77/24]", "field: ip, op: in, value: ['::/0']"),
    ("field: ip, op: not_in, value: [10.0.0.0/8]", "field: ip, op: ne, value: 192.0.2.0/24"),
    ("field: role, op: eq, value: user", "field: role, op: in, value: [admin, viewer]"),
    ("field: role, op: starts_with, value: us", "field: role, op: regex, value: 'u'"),
    ("field: user_id, op: regex, value: 'key:[0-9]+'", "field: user_id, op: ends_with, value: ':'"),
    ("field: key_type, op: eq, value: user", "field: key_type, op: ne, value: user"),
    ("field: permission, op: contains, value: read", "field: permission, op: eq, value: write"),
    ("field: permission, op: in, value: [write, execute]", "field: permission, op: not_in, value: [read]"),
    ("field: permission, op: ne, value: 'approvals:approve'", "field: permission, op: eq, value: 'tools:*'"),
    ("field: organization, op: eq, value: default", "field: organization, op: eq, value: Default"),
    ("field: namespace, op: ends_with, value: fault", "field: namespace, op: ne, value: default"),
    ("field: service, op: contains, value: linux", "field: service, op: contains, value: '*'"),
    ("field: tool, op: starts_with, value: os.linux.", "field: tool, op: starts_with, value: 'os.*'"),
    ("field: effect, op: in, value: [read, mutate]", "field: effect, op: ne, value: read"),
    ("field: method, op: eq, value: POST", "field: method, op: eq, value: GET"),
    ("field: path, op: regex, value: '/mcp(/.*)?'", "field: path, op: regex, value: 'mcp'"),
    ("field: hour, op: in, value: [12, 13]", "field: hour, op: ne, value: 13"),
    ("field: weekday, op: eq, value: monday", "field: weekday, op: in, value: [saturday, sunday]"),
    ("field: header.X-Team, op: eq, value: blue", "field: header.x-other, op: eq, value: blue"),
    ("field: header.x-other, op: ne, value: blue", "field: header.x-team, op: not_in, value: [blue]"),
    ("field: arguments./host, op: starts_with, value: web", "field: arguments./host, op: eq, value: web"),
    ("field: arguments./ports/1, op: eq, value: 443", "field: arguments./ports/9, op: eq, value: 443"),
    ("field: arguments./count, op: in, value: [5.0]", "field: arguments./count, op: eq, value: '5'"),
    ("field: arguments./nothing, op: ne, value: 1", "field: arguments./nothing, op: contains, value: x"),
    ("field: arguments./mode, op: contains, value: 'a*b'", "field: arguments./mode, op: regex, value: 'ab'"),
];

/// One rule with this condition allows; whether it does.
fn holds(condition: &str, case: &Case) -> bool {
    let policy = rules(&format!(
        "- {{name: r, type: access, priority: 1, conditions: {condition}, actions: [allow]}}"
    ));
    let plain = word(&case.decide(&policy)) == "allow r";
    let negated = rules(&format!(
        "- {{name: r, type: access, priority: 1, conditions: {{not: {condition}}}, actions: [allow]}}"
    ));
    assert_eq!(
        word(&case.decide(&negated)) == "allow r",
        !plain,
        "{condition}"
    );
    plain
}

#[test]
fn every_field_and_operator_matches_what_it_says() {
    let mut case = case(Effect::Read);
    case.caller.http = Some(Arc::new(HttpFacts {
        method: "POST".into(),
        path: "/mcp".into(),
        headers: vec![("x-team".into(), "blue".into())],
    }));
    for (yes, no) in MATCHES {
        assert!(holds(&format!("{{{yes}}}"), &case), "{yes}");
        assert!(!holds(&format!("{{{no}}}"), &case), "{no}");
        assert!(holds(
            &format!("{{and: [{{{yes}}}, {{not: {{{no}}}}}]}}"),
            &case
        ));
        assert!(holds(&format!("{{or: [{{{no}}}, {{{yes}}}]}}"), &case));
        assert!(!holds(&format!("{{and: [{{{yes}}}, {{{no}}}]}}"), &case));
    }
    case.caller.address = Some("::ffff:10.1.2.3".parse().unwrap());
    assert!(holds("{field: ip, op: eq, value: 10.0.0.0/8}", &case));
    case.caller.address = None;
    assert!(!holds("{field: ip, op: eq, value: 0.0.0.0/0}", &case));
    assert!(holds("{field: ip, op: not_in, value: [0.0.0.0/0]}", &case));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_in_a_rule_means_itself(text in "\\PC{1,20}|[*\"\\\\\\n ]{1,6}", other in "\\PC{0,20}") {
        let quoted = serde_json::to_string(&text).unwrap();
        let of = |op: &str| format!("{{field: namespace, op: {op}, value: {quoted}}}");
        let mut case = case(Effect::Read);
        let mut holder = principal("key:1");
        holder.namespace = format!("{other}{text}{other}").as_str().into();
        case.caller = caller(holder);
        prop_assert!(holds(&of("contains"), &case));
        let equal = other.is_empty();
        prop_assert_eq!(holds(&of("eq"), &case), equal);
        let starts = format!("{other}{text}{other}").starts_with(&text);
        prop_assert_eq!(holds(&of("starts_with"), &case), starts);
    }
}
