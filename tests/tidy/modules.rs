//! Which module of the hub may use which, and which crates only one module knows.
//!
//! Works on tokens, so that paths inside macros count too. Leaves out re-exports: a path is judged by
//! where it points, not by what is found there; and tests, which may join what production keeps apart.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

use crate::tokens::{is_test, is_test_file, test_length};
use crate::tree::Tree;

/// The hub, top to bottom: a module uses only those above it, so there is no cycle, and reading the
/// table upwards is reading a call downwards. The map in the hub's document says the same.
const HUB: &[&str] = &[
    "metrics",
    "redis",
    "keys",
    "store",
    "auth",
    "caller",
    "policy",
    "audit",
    "limits",
    "approvals",
    "ledger",
    "artefacts",
    "programs",
    "recovery",
    "upstream",
    "calls",
    "router",
    "cache",
    "error",
    "resilience",
    "registry",
    "servers",
    "gateway",
    "workflow",
    "master",
    "transport",
    "admin",
    "config",
    "app",
    "bench",
    "cli",
];

/// Crates that only some places may name: crate, the places.
const KNOWN_TO: &[(&str, &[&str])] = &[
    (
        "rmcp",
        &[
            "shared/src/spoke",
            "shared/tests/",
            "tests/",
            "orchestrator/tests/",
        ],
    ),
    ("cedar_policy", &["orchestrator/src/policy"]),
];

/// Complaints about references from one file of the hub to modules below its own.
pub(crate) fn complaints(path: &str, text: &str) -> Vec<String> {
    if is_test_file(path) {
        return Vec::new();
    }
    let here = place(path);
    let Some(own) = here
        .first()
        .filter(|own| !matches!(own.as_str(), "lib" | "main"))
    else {
        return Vec::new();
    };
    let Some(rank) = HUB.iter().position(|module| module == own) else {
        return Vec::new();
    };
    let mut found = BTreeSet::new();
    walk(tokens(path, text), &here, &mut found);
    let wrong = found.iter().filter(|(_, used)| {
        HUB.iter()
            .position(|module| module == used)
            .is_some_and(|used| used > rank)
    });
    wrong
        .map(|(line, used)| format!("{path}:{line}: {own} may not use {used}"))
        .collect()
}

/// Modules of the hub that have no place in the table.
pub(crate) fn unlisted(tree: &Tree) -> Vec<String> {
    let files = tree
        .rust()
        .filter(|file| file.path.starts_with("orchestrator/src/"));
    let modules = files.filter_map(|file| place(&file.path).first().cloned());
    let modules: BTreeSet<String> = modules.filter(|it| it != "lib" && it != "main").collect();
    let strangers = modules
        .iter()
        .filter(|module| !HUB.contains(&module.as_str()));
    strangers
        .map(|module| format!("hub module {module} is not in the table"))
        .collect()
}

/// Modules that the hub's document describes in another order than the table, or not at all.
pub(crate) fn misdrawn(tree: &Tree) -> Vec<String> {
    let map = tree.text("orchestrator/docs/ARCHITECTURE.md").lines();
    let rows = map.filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let drawn: Vec<&str> = rows
        .map(|(module, _)| module)
        .filter(|it| HUB.contains(it))
        .collect();
    let expected: Vec<&str> = HUB
        .iter()
        .copied()
        .filter(|it| drawn.contains(it))
        .collect();
    let modules = modules(tree);
    let missing = modules.iter().filter(|it| !drawn.contains(&it.as_str()));
    let mut complaints: Vec<String> = missing
        .map(|module| format!("ARCHITECTURE.md does not describe {module}"))
        .collect();
    if drawn != expected {
        complaints.push(format!(
            "ARCHITECTURE.md draws {drawn:?}, the table says {expected:?}"
        ));
    }
    complaints
}

/// Complaints about crates named outside the places that may know them.
pub(crate) fn strangers(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, places) in KNOWN_TO {
        if places.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        let lines = roots(tokens(path, text), name);
        complaints.extend(
            lines
                .iter()
                .map(|line| format!("{path}:{line}: only {places:?} know {name}")),
        );
    }
    complaints
}

/// Complaints about a spoke that serves routes of its own: the harness does that from its one table.
pub(crate) fn routes(path: &str, text: &str) -> Vec<String> {
    let crates = ["axum", "tonic", "hyper", "rmcp"];
    let lines = crates
        .iter()
        .flat_map(|name| roots(tokens(path, text), name));
    lines
        .map(|line| format!("{path}:{line}: a spoke's routes are the harness's"))
        .collect()
}

/// The hub's modules by the files there are.
fn modules(tree: &Tree) -> BTreeSet<String> {
    let files = tree
        .rust()
        .filter(|file| file.path.starts_with("orchestrator/src/"));
    let modules = files.filter_map(|file| place(&file.path).first().cloned());
    modules.filter(|it| it != "lib" && it != "main").collect()
}

/// The module path of a file: `orchestrator/src/policy/rule.rs` is `[policy, rule]`.
fn place(path: &str) -> Vec<String> {
    let (_, inside) = path.split_once("src/").unwrap_or(("", path));
    inside
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect()
}

fn tokens(path: &str, text: &str) -> TokenStream {
    text.parse()
        .unwrap_or_else(|error| panic!("{path} is not Rust: {error}"))
}

/// Collects (line, top-level module) of every `crate::`, `self::` and `super::` path.
fn walk(stream: TokenStream, here: &[String], found: &mut BTreeSet<(usize, String)>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_test(&tokens[at..]) {
            at += test_length(&tokens[at..]);
            continue;
        }
        if let Some((name, body)) = inline_module(&tokens[at..]) {
            let inner: Vec<String> = here.iter().cloned().chain([name]).collect();
            walk(body.stream(), &inner, found);
            at += 3;
            continue;
        }
        if let TokenTree::Group(group) = &tokens[at] {
            walk(group.stream(), here, found);
        }
        if let Some(base) = base(&tokens, &mut at, here) {
            follow(&tokens, at, &base, found);
        } else {
            at += 1;
        }
    }
}

/// `mod name { … }` at the start of the tokens.
fn inline_module(tokens: &[TokenTree]) -> Option<(String, &Group)> {
    let [
        TokenTree::Ident(keyword),
        TokenTree::Ident(name),
        TokenTree::Group(body),
        ..,
    ] = tokens
    else {
        return None;
    };
    let is_module = keyword == "mod" && body.delimiter() == Delimiter::Brace;
    is_module.then(|| (name.to_string(), body))
}

/// The module a path starts from, when `at` is at the start of one; moves `at` past the `::`.
fn base(tokens: &[TokenTree], at: &mut usize, here: &[String]) -> Option<Vec<String>> {
    let mut base = match word(tokens.get(*at))?.as_str() {
        "crate" => Vec::new(),
        "self" => here.to_vec(),
        "super" => here.split_last().map(|(_, above)| above.to_vec())?,
        _ => return None,
    };
    if !separator(tokens, *at + 1) {
        return None;
    }
    *at += 3;
    while word(tokens.get(*at)).as_deref() == Some("super") && separator(tokens, *at + 1) {
        base.pop();
        *at += 3;
    }
    Some(base)
}

/// Records where a path from `base` leads: one name, or each first name of a `use` group.
fn follow(tokens: &[TokenTree], at: usize, base: &[String], found: &mut BTreeSet<(usize, String)>) {
    match (base.first(), tokens.get(at)) {
        (Some(top), Some(token)) => {
            found.insert((token.span().start().line, top.clone()));
        }
        (None, Some(TokenTree::Ident(name))) => {
            found.insert((name.span().start().line, name.to_string()));
        }
        (None, Some(TokenTree::Group(group))) => {
            let mut first = true;
            for token in group.stream() {
                match &token {
                    TokenTree::Ident(name) if first => {
                        found.insert((name.span().start().line, name.to_string()));
                        first = false;
                    }
                    TokenTree::Punct(mark) if mark.as_char() == ',' => first = true,
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// Lines on which a path starts with the given crate.
fn roots(stream: TokenStream, name: &str) -> Vec<usize> {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            lines.extend(roots(group.stream(), name));
        }
        let starts = at < 2 || !separator(&tokens, at - 2);
        let used = separator(&tokens, at + 1)
            || (at > 0 && word(tokens.get(at - 1)).as_deref() == Some("use"));
        if word(Some(token)).as_deref() == Some(name) && starts && used {
            lines.push(token.span().start().line);
        }
    }
    lines
}

fn word(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(name)) => Some(name.to_string()),
        _ => None,
    }
}

fn separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |token: Option<&TokenTree>| match token {
        Some(TokenTree::Punct(mark)) if mark.as_char() == ':' => Some(mark.spacing()),
        _ => None,
    };
    colon(tokens.get(at)) == Some(Spacing::Joint) && colon(tokens.get(at + 1)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The complaints about a file of the hub, without the path in front.
    fn check(path: &str, text: &str) -> Vec<String> {
        let strip = |it: &String| it.split_once(": ").map(|(_, says)| says.to_owned());
        complaints(path, text).iter().filter_map(strip).collect()
    }

    #[test]
    fn looking_up_is_allowed_and_looking_down_is_not() {
        assert!(check("orchestrator/src/gateway.rs", "use crate::policy::Permit;").is_empty());
        let found = check("orchestrator/src/policy.rs", "use crate::gateway::Gateway;");
        assert_eq!(found, ["policy may not use gateway"]);
    }

    #[test]
    fn groups_supers_macros_and_inline_modules_are_seen_through() {
        let path = "orchestrator/src/policy/rule.rs";
        for text in [
            "use crate::{auth::Principal, gateway::{Gateway, Call}};",
            "fn f() { super::super::gateway::call(); }",
            "fn f() { info!(x = crate::gateway::NAME); }",
            "mod tests { use super::super::super::gateway::call; }",
            "pub(in crate::gateway) fn f() {}",
        ] {
            assert_eq!(check(path, text), ["policy may not use gateway"], "{text}");
        }
        for text in [
            "use super::Rule;",
            "use self::inner::X;",
            "pub(crate) fn f() {}",
        ] {
            assert!(check(path, text).is_empty(), "{text}");
        }
    }

    #[test]
    fn crates_are_named_only_where_they_are_known() {
        let text = "use rmcp::Service; fn f() { shared::rmcp::x(); }";
        assert_eq!(strangers("orchestrator/src/transport.rs", text).len(), 1);
        assert!(strangers("shared/src/spoke/mcp.rs", text).is_empty());
        assert_eq!(
            routes("services/01_x_mcp/src/lib.rs", "fn f() -> axum::Router {}").len(),
            1
        );
    }
}
