//! Documents: links between them lead somewhere, decision records have their parts.
//!
//! Looks at links inside the tree only; addresses elsewhere are not fetched.

use crate::tree::Tree;

/// The parts of a decision record, in order.
const PARTS: &[&str] = &[
    "## Context",
    "## Decision",
    "## Consequences",
    "## Rejected",
];
const RECORDS: &str = "orchestrator/docs/adr/";

/// Complaints about relative links in Markdown files to files that are not there.
pub(crate) fn dead_links(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for link in links(&file.text) {
            let path = resolve(&file.path, link);
            if !path.is_empty() && !tree.has(&path) {
                complaints.push(format!("{}: link to {link} leads nowhere", file.path));
            }
        }
    }
    complaints
}

/// Complaints about decision records: numbered from 1 without a gap, with all their parts.
pub(crate) fn decision_records(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    let records = tree
        .files
        .iter()
        .filter(|file| file.path.starts_with(RECORDS));
    for (index, file) in records.enumerate() {
        let name = file.path.trim_start_matches(RECORDS);
        if !name.starts_with(&format!("{:04}-", index + 1)) {
            complaints.push(format!("{name}: number {:04} is expected here", index + 1));
        }
        complaints.extend(lacking(&file.text).map(|part| format!("{name}: no `{part}`")));
    }
    complaints
}

fn lacking(text: &str) -> impl Iterator<Item = &&str> {
    PARTS
        .iter()
        .filter(move |part| !text.lines().any(|line| line.trim_end() == **part))
}

/// Targets of `[…](…)` that stay inside the tree, without their anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    let targets = targets.map(|(target, _)| target.split('#').next().unwrap_or_default());
    targets.filter(|target| !target.is_empty() && !target.contains(':') && !target.contains(' '))
}

/// The path from the root that a link in `from` means.
fn resolve(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::File;

    /// How many dead links a document in `docs/` has, beside a `README.md` in the root.
    fn check(text: &str) -> usize {
        let file = |path: &str, text: &str| File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let files = vec![file("README.md", ""), file("docs/A.md", text)];
        dead_links(&Tree { files }).len()
    }

    #[test]
    fn dead_links_are_found_and_others_are_not() {
        for fine in [
            "[a](../README.md)",
            "[a](A.md#part)",
            "[a](https://a.example/x)",
            "[a](#b)",
        ] {
            assert_eq!(check(fine), 0, "{fine}");
        }
        assert_eq!(check("[a](README.md) and [b](../B.md)"), 2);
    }

    #[test]
    fn records_without_a_part_are_found() {
        let text = PARTS.join("\n\nText.\n");
        assert_eq!(lacking(&text).count(), 0);
        assert_eq!(lacking(&text.replace("Rejected", "Other")).count(), 1);
    }
}
