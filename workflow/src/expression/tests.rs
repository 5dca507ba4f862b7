//! Values, mistakes and bounds of expressions.

use super::{ExpressionError, Expressions, Limits, REMOVED, Variables};
use crate::dsl::model::Mode;
use serde_json::{Value, json};

fn check(text: &str, input: Value, expected: Result<Value, &str>) {
    let variables = Variables::default().with("context", json!({"n": 3}));
    let found = Expressions::default().evaluate(text, &input, &variables);
    match (found, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
        (Err(error), Err(part)) => {
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
        (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
    }
}

#[test]
fn expressions_have_values() {
    check(".a", json!({"a": 1}), Ok(json!(1)));
    check("${ .a + $context.n }", json!({"a": 1}), Ok(json!(4)));
    check("4 / 2", json!(null), Ok(json!(2)));
    check("1 / 3 * 3", json!(null), Ok(json!(1)));
    check("[.[] | select(. > 1)]", json!([1, 2, 3]), Ok(json!([2, 3])));
    check(".colors + [\"red\"]", json!({}), Ok(json!(["red"])));
    check(
        "{b: .a, a: 1}",
        json!({"a": 9}),
        Ok(json!({"b": 9, "a": 1})),
    );
    check(". | length", json!([1, 2]), Ok(json!(2)));
    check(
        "9007199254740993",
        json!(null),
        Ok(json!(9_007_199_254_740_993_i64)),
    );
    check("empty", json!(null), Ok(json!(null)));
}

#[test]
fn rewritten_programs_mean_the_same() {
    check("\"ab\" * 2", json!(null), Ok(json!("abab")));
    check(
        "{a: {b: 1}} * {a: {c: 2}}",
        json!(null),
        Ok(json!({"a": {"b": 1, "c": 2}})),
    );
    check(
        ".a *= 2 | .b += 1",
        json!({"a": 3}),
        Ok(json!({"a": 6, "b": 1})),
    );
    check(
        "@base64 \"<\\(.a)>\"",
        json!({"a": "x"}),
        Ok(json!("<eA==>")),
    );
    check(
        "\"\\(1, 2)-\\(3)\"",
        json!(null),
        Err("more than one value"),
    );
    check("def f(x): x + 1; f(.a)", json!({"a": 1}), Ok(json!(2)));
    check(
        ". as {a: [$x, $y]} | $x - $y",
        json!({"a": [5, 3]}),
        Ok(json!(2)),
    );
    check(
        "to_entries | map(.key) | join(\",\")",
        json!({"a": 1, "b": 2}),
        Ok(json!("a,b")),
    );
    check("[paths] | length", json!({"a": [1]}), Ok(json!(2)));
    check(
        "del(.a[0]) | .a |= map(. * 10)",
        json!({"a": [1, 2]}),
        Ok(json!({"a": [20]})),
    );
    check("[limit(3; repeat(1))] | add", json!(null), Ok(json!(3)));
    check(
        "gsub(\"a\"; \"b\") | test(\"^b+$\")",
        json!("aaa"),
        Ok(json!(true)),
    );
    check(
        "group_by(.k) | map({(.[0].k): length}) | add",
        json!([{"k": "x"}, {"k": "x"}]),
        Ok(json!({"x": 2})),
    );
    check("[range(0; 7; 3)]", json!(null), Ok(json!([0, 3, 6])));
    check("[range(2; 0; -1)]", json!(null), Ok(json!([2, 1])));
    check(
        "\"Hello \\(.who)!\"",
        json!({"who": "you"}),
        Ok(json!("Hello you!")),
    );
}

#[test]
fn an_object_keeps_the_order_of_its_fields() {
    let value = Expressions::default()
        .evaluate("{z: 1, a: 2}", &json!(null), &Variables::default())
        .unwrap();
    assert_eq!(value.to_string(), r#"{"z":1,"a":2}"#);
}

#[test]
fn wrong_expressions_say_what_is_wrong() {
    check(".a |", json!({}), Err("expected"));
    check("(.a", json!({}), Err("expected"));
    check("foo", json!({}), Err("there is no function foo"));
    check("map(.a; .b)", json!({}), Err("map with 2 arguments"));
    check("$item", json!({}), Err("there is no variable $item here"));
    check(".a.b", json!({"a": 1}), Err("cannot index 1"));
    check(".[]", json!([1, 2]), Err("more than one value"));
    check("error(\"no\")", json!(null), Err("no"));
    check("{(1|tostring): 1, (.): 2}", json!(0), Err("key"));
    check("range(0; 1; 0)", json!(null), Err("no end"));
    check(
        "import \"a\" as a; .",
        json!(null),
        Err("cannot be imported"),
    );
    check(&"(".repeat(100_000), json!(null), Err("longer"));
    check(&"(".repeat(100), json!(null), Err("nested deeper"));
}

#[test]
fn nothing_outside_the_data_can_be_seen() {
    let expressions = Expressions::default();
    for name in REMOVED {
        let error = expressions.check(name, &[]).unwrap_err();
        let expected = format!("{name} is not available");
        assert!(error.to_string().starts_with(&expected), "{name}: {error}");
    }
    for text in [
        "$ENV",
        "$ENV.PATH",
        "env.HOME",
        "$__prog_args",
        "input_filename",
        "getpath(now)",
    ] {
        expressions.check(text, &[]).unwrap_err();
    }
}

#[test]
fn endless_expressions_end() {
    let limits = Limits {
        steps: 100_000,
        ..Limits::default()
    };
    for text in [
        "def f: f; f",
        "repeat(.)",
        "[repeat(1)]",
        "last(repeat(1))",
        "first(repeat(empty))",
        "try repeat(empty) catch 1",
        "[range(1e18)]",
        "[range(infinite)] | length",
        "last(range(1e18))",
        "reduce range(1e18) as $i (0; . + 1)",
        "limit(1e18; repeat(1)) | empty",
        "label $out | foreach repeat(1) as $i (0; . + 1; empty)",
        "until(false; . + 1)",
        "def f: 1 + f; f",
        "def f: [f]; f",
        "def f: {a: f}; f",
        "[recurse(. + 1)]",
    ] {
        let found = Expressions::new(limits).evaluate(text, &json!(0), &Variables::default());
        assert!(
            matches!(
                found,
                Err(ExpressionError::Exhausted(_) | ExpressionError::Several)
            ),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn the_same_program_takes_the_same_number_of_steps() {
    let text = "[range(100) | . * 2] | add";
    let enough = |steps| {
        let limits = Limits {
            steps,
            ..Limits::default()
        };
        let expressions = Expressions::new(limits);
        let found = expressions.evaluate(text, &json!(null), &Variables::default());
        found.is_ok()
    };
    let least = (1..10_000).find(|steps| enough(*steps)).unwrap();
    assert!((100..5_000).contains(&least), "{least}");
    assert!((least..least + 50).all(enough));
}

#[test]
fn large_values_are_refused() {
    let limits = Limits {
        output: 1000,
        ..Limits::default()
    };
    let found =
        Expressions::new(limits).evaluate("[range(200)]", &json!(null), &Variables::default());
    assert!(
        matches!(found, Err(ExpressionError::Unusable(_))),
        "{found:?}"
    );
}

#[test]
fn values_cannot_grow_without_bounds() {
    for text in [
        "reduce range(60) as $i (\"x\"; . + .)",
        "reduce range(60) as $i ([1]; . + .)",
        "reduce range(60) as $i (1; [., .]) | length",
        "reduce range(60) as $i (1; {a: ., b: .}) | tojson | length",
        "reduce range(60) as $i ({}; .a = . | .b = .) | length",
        "reduce range(60) as $i (\"x\"; \"\\(.)\\(.)\") | length",
        "reduce range(60) as $i (\"x\"; @json \"\\(.)\\(.)\") | length",
        "\"x\" * 1000000000000 | length",
        "\"x\" | . *= 1000000000000 | length",
        "reduce range(60) as $i (10; . * .)",
        "reduce range(60) as $i ([]; . + [., .]) | . == .",
        "reduce range(60) as $i ({}; . * {($i | tostring): ., x: .}) | length",
        "reduce range(100000) as $i (0; [.]) | 1",
        "def f: . + .; [limit(60; \"x\" | recurse(f))] | length",
    ] {
        let found = Expressions::default().evaluate(text, &json!(0), &Variables::default());
        let message = found.unwrap_err().to_string();
        assert!(
            message.contains("a value grows too large"),
            "{text}: {message}"
        );
    }
}

#[test]
fn templates_evaluate_what_is_marked() {
    let template = json!({"a": "${ .n }", "b": ["${ .n + 1 }", ".n", "is ${ .n }"], "c": 7});
    let evaluate = |mode| {
        Expressions::default()
            .evaluate_template(&template, mode, &json!({"n": 1}), &Variables::default())
            .unwrap()
    };
    let strict = json!({"a": 1, "b": [2, ".n", "is ${ .n }"], "c": 7});
    assert_eq!(evaluate(Mode::Strict), strict);
    let loose = json!({"a": 1, "b": [2, 1, "is ${ .n }"], "c": 7});
    assert_eq!(evaluate(Mode::Loose), loose);
}

#[test]
fn compiled_programs_are_kept_within_bounds() {
    let limits = Limits {
        cached: 2,
        ..Limits::default()
    };
    let expressions = Expressions::new(limits);
    for text in ["1", "2", "3", "4", "5"] {
        expressions.check(text, &[]).unwrap();
        assert!(expressions.programs.lock().len() <= 2);
    }
}
