//! How long files and functions are, that every file says what it is for, and how files are named.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Signature};

use crate::tree::Tree;

/// Lines of a file, tests in it included.
const FILE_LINES: usize = 400;
/// Lines of a function, from signature to closing brace.
const FUNCTION_LINES: usize = 70;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "mod", "utils", "util", "helpers", "common", "manager", "imp", "types",
];

/// Complaints about one Rust file.
pub(crate) fn complaints(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES {
        complaints.push(format!("{path}: {lines} lines, at most {FILE_LINES}"));
    }
    if !["//! ", "#![doc = include_str!("]
        .iter()
        .any(|it| text.starts_with(it))
    {
        complaints.push(format!(
            "{path}:1: starts without `//!` and what the file is for"
        ));
    }
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path} is not Rust: {error}"));
    let mut functions = Functions { path, complaints };
    functions.visit_file(&file);
    functions.complaints
}

/// Complaints about names of files and folders.
pub(crate) fn misnamed(tree: &Tree) -> Vec<String> {
    tree.rust()
        .filter_map(|file| empty_name(&file.path))
        .collect()
}

fn empty_name(path: &str) -> Option<String> {
    let mut parts = path.trim_end_matches(".rs").split('/');
    let part = parts.find(|part| EMPTY_NAMES.contains(part))?;
    Some(format!("{path}: `{part}` does not say what is inside"))
}

struct Functions<'a> {
    path: &'a str,
    complaints: Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &Signature, block: &Block) {
        let first = signature.span().start().line;
        let lines = block.brace_token.span.close().end().line - first + 1;
        if lines > FUNCTION_LINES {
            let (path, name) = (self.path, &signature.ident);
            self.complaints.push(format!(
                "{path}:{first}: function {name} has {lines} lines, at most {FUNCTION_LINES}"
            ));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many complaints a file gets.
    fn check(text: &str) -> usize {
        complaints("a.rs", text).len()
    }

    #[test]
    fn a_file_one_line_too_long_is_found() {
        let file = |lines: usize| format!("//! Long.\n{}", "const _: u8 = 0;\n".repeat(lines - 1));
        assert_eq!(check(&file(FILE_LINES)), 0);
        assert_eq!(check(&file(FILE_LINES + 1)), 1);
    }

    #[test]
    fn a_function_one_line_too_long_is_found_wherever_it_is() {
        let body = |lines: usize| format!("fn f() {{\n{}}}\n", "x();\n".repeat(lines - 2));
        let inside = |outer: &str, lines| format!("//! Long.\n{outer} {{ {} }}", body(lines));
        for outer in ["mod m", "impl S", "trait T"] {
            assert_eq!(check(&inside(outer, FUNCTION_LINES)), 0, "{outer}");
            assert_eq!(check(&inside(outer, FUNCTION_LINES + 1)), 1, "{outer}");
        }
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_for_is_found() {
        assert_eq!(check("// A plain comment.\n"), 1);
        assert_eq!(check(""), 1);
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        assert!(empty_name("shared/src/utils.rs").is_some());
        assert!(empty_name("shared/src/spoke/mod.rs").is_some());
        assert!(empty_name("shared/src/common/x.rs").is_some());
        assert!(empty_name("shared/src/command.rs").is_none());
    }
}
