//! Who reads the environment and the secrets, and whether every variable read is documented.
//!
//! Variables are found as string literals in upper case in the places settings are declared; a name put
//! together at run time is found by its constant beginning (`MCP_PORT_`).

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};

use crate::tokens::{is_test, is_test_file, test_length};
use crate::tree::{File, Tree};

/// The only files that may read the process environment or look for secret files.
/// A build script is told everything by Cargo through the environment.
const READERS: &[&str] = &["shared/src/config", "shared/src/secret", "proto/build.rs"];
/// Functions that read the process environment.
const READING: &[&str] = &["var", "var_os", "vars", "vars_os"];
/// Names of variables start so, wherever the literal stands.
const PREFIXES: &[&str] = &["WAYGATE_", "MCP_"];
/// Methods whose literal argument is the name of a variable or a secret.
const ASKING: &[&str] = &["get", "secret", "require", "required"];
/// Files in which every upper-case literal is the name of a variable.
const DECLARING: &[&str] = &["config", "settings"];
/// The table of error codes, some of which look like variables.
const CODES: &str = "shared/src/error.rs";
/// Endings under which a secret may be given instead of by its plain name.
const SECRET_ENDINGS: &[&str] = &["", SECRET_PATH, "_FILE"];
/// The ending that marks a secret file. Split, because looking for it is `shared::secret`'s alone.
const SECRET_PATH: &str = concat!("_SECRET", "_PATH");

/// Complaints about a file that reads the environment or secret files by itself.
pub(crate) fn readers(path: &str, text: &str) -> Vec<String> {
    let reader = READERS.iter().any(|reader| path.starts_with(reader));
    if reader || !in_production(path) {
        return Vec::new();
    }
    let stream: TokenStream = text.parse().expect("the file is Rust");
    let mut complaints = Vec::new();
    reading(stream, &mut |line, what| {
        complaints.push(format!("{path}:{line}: {what}"));
    });
    complaints
}

/// Complaints about variables that neither compose nor the example mentions.
pub(crate) fn undocumented(tree: &Tree) -> Vec<String> {
    let documented = documented(tree.text(".env.example"), tree.text("docker-compose.yml"));
    let files = tree.rust().filter(|file| in_production(&file.path));
    files.flat_map(|file| missing(file, &documented)).collect()
}

fn in_production(path: &str) -> bool {
    path != CODES && !is_test_file(path)
}

fn missing(file: &File, documented: &BTreeSet<String>) -> Vec<String> {
    let stem = file
        .path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs");
    let mut names = BTreeSet::new();
    let stream: TokenStream = file.text.parse().expect("the file is Rust");
    variables(stream, DECLARING.contains(&stem), &mut names);
    let missing = names.iter().filter(|name| !is_documented(name, documented));
    missing
        .map(|name| format!("{}: {name} is in no .env.example", file.path))
        .collect()
}

fn reading(stream: TokenStream, complain: &mut impl FnMut(usize, &str)) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let line = token.span().start().line;
        match token {
            TokenTree::Group(group) => {
                if at > 0 && is_word(&tokens[at - 1], "arg") && names_env(group.stream()) {
                    complain(line, "arguments read no environment; shared::config does");
                }
                reading(group.stream(), complain);
            }
            TokenTree::Ident(name)
                if READING.iter().any(|it| name == it)
                    && at >= 3
                    && is_word(&tokens[at - 3], "env") =>
            {
                complain(line, "only shared::config reads the environment");
            }
            TokenTree::Literal(_) => {
                let text = literal(token).unwrap_or_default();
                if text == SECRET_PATH || text.ends_with(&format!("}}{SECRET_PATH}")) {
                    complain(line, "only shared::secret looks for secret files");
                }
            }
            _ => {}
        }
    }
}

fn names_env(stream: TokenStream) -> bool {
    stream.into_iter().any(|token| is_word(&token, "env"))
}

/// Collects the names of variables; `all` takes every upper-case literal for one.
fn variables(stream: TokenStream, all: bool, names: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_test(&tokens[at..]) {
            at += test_length(&tokens[at..]);
            continue;
        }
        match &tokens[at] {
            TokenTree::Group(group) => {
                let before = &tokens[at.saturating_sub(4)..at];
                variables(group.stream(), all || declares(before), names);
            }
            token => names.extend(literal(token).filter(|it| is_variable(it, all))),
        }
        at += 1;
    }
}

/// Whether the group after these tokens holds names: `Variable { … }`, `Variable::text(…)`, `.get(…)`.
fn declares(before: &[TokenTree]) -> bool {
    let variable = before.iter().any(|token| is_word(token, "Variable"));
    let asks = before
        .last()
        .is_some_and(|it| ASKING.iter().any(|asking| is_word(it, asking)));
    variable || asks
}

fn is_variable(text: &str, all: bool) -> bool {
    let shape = |it: char| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_';
    let upper = text.contains('_') && text.chars().all(shape) && !text.starts_with('_');
    let prefixed = |prefix: &&str| text.starts_with(prefix) && text.len() > prefix.len();
    upper && (all || PREFIXES.iter().any(prefixed))
}

fn is_documented(name: &str, documented: &BTreeSet<String>) -> bool {
    let plain = name.strip_prefix("WAYGATE_").unwrap_or(name);
    if plain.ends_with('_') {
        let begins = |it: &String| it.starts_with(name) || it.starts_with(plain);
        return documented.iter().any(begins);
    }
    SECRET_ENDINGS.iter().any(|ending| {
        [
            format!("{plain}{ending}"),
            format!("WAYGATE_{plain}{ending}"),
        ]
        .iter()
        .any(|name| documented.contains(name))
    })
}

/// Names on the left of `=` in the example (commented out or not) and of `:` in compose.
fn documented(example: &str, compose: &str) -> BTreeSet<String> {
    let example = example.lines().filter_map(|line| line.split_once('='));
    let compose = compose.lines().filter_map(|line| line.split_once(':'));
    let names = example
        .chain(compose)
        .map(|(name, _)| name.trim_start_matches(['#', ' ', '-']));
    names
        .filter(|name| is_variable(name, true))
        .map(str::to_owned)
        .collect()
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(name) if name == word)
}

/// The text of a plain string literal.
fn literal(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else {
        return None;
    };
    let text = literal.to_string();
    Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables found in a file called `path` that `.env.example` lacks.
    fn check(path: &str, text: &str, example: &str) -> Vec<String> {
        let file = File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        missing(&file, &documented(example, ""))
            .iter()
            .map(|it| before_is(it))
            .collect()
    }

    fn before_is(complaint: &str) -> String {
        let name = complaint.split(' ').nth(1).expect("path, name, sentence");
        name.to_owned()
    }

    #[test]
    fn readers_of_the_environment_are_found() {
        for text in [
            "fn f() { std::env::var(\"A\"); }",
            "use std::env; fn f() { for x in env::vars() {} }",
            "struct A { #[arg(long, env = \"PORT\")] port: u16 }",
            concat!("fn f(name: &str) { format!(\"{name}", "_SECRET_PATH\"); }"),
        ] {
            assert_eq!(readers("orchestrator/src/app.rs", text).len(), 1, "{text}");
            assert!(
                readers("shared/src/config/environment.rs", text).is_empty(),
                "{text}"
            );
        }
        assert!(readers("a.rs", "const A: &str = env!(\"CARGO_PKG_VERSION\");").is_empty());
    }

    #[test]
    fn variables_are_found_where_they_are_declared() {
        let table =
            "const V: &[Variable] = &[Variable { name: \"SSH_HOSTS\", key: \"ssh.hosts\" }];";
        assert_eq!(check("a.rs", table, ""), ["SSH_HOSTS"]);
        assert_eq!(
            check("a.rs", "fn f() { secrets.get(\"SSH_KEY\"); }", ""),
            ["SSH_KEY"]
        );
        assert_eq!(
            check("a.rs", "const A: &str = \"WAYGATE_PORT\";", ""),
            ["WAYGATE_PORT"]
        );
        assert_eq!(
            check("x/config.rs", "const A: &str = \"SSH_USER\";", ""),
            ["SSH_USER"]
        );
    }

    #[test]
    fn other_words_in_upper_case_and_tests_are_not_variables() {
        for text in [
            "fn f() { code(\"RATE_LIMITED\"); }",
            "#[cfg(test)] mod tests { const A: &str = \"WAYGATE_PORT\"; }",
            "fn f() { map.get(\"PATH\"); }",
        ] {
            assert!(check("a.rs", text, "").is_empty(), "{text}");
        }
    }

    #[test]
    fn documented_variables_are_left_alone() {
        let read = |name: &str| format!("const A: &str = \"{name}\";");
        for (name, example) in [
            ("WAYGATE_PORT", "# WAYGATE_PORT=8000"),
            ("WAYGATE_LOG_LEVEL", "LOG_LEVEL=INFO"),
            ("SSH_KEY", "SSH_KEY_SECRET_PATH=/run/secrets/ssh_key"),
            ("MCP_PORT_", "MCP_PORT_01=8001"),
        ] {
            assert!(
                check("config.rs", &read(name), example).is_empty(),
                "{name}"
            );
            assert_eq!(
                check("config.rs", &read(name), "OTHER_NAME=1").len(),
                1,
                "{name}"
            );
        }
    }
}
