//! Words that must not be in the tree: unfinished work, silenced checks, one machine's paths.

/// What is looked for, and why it is wrong. Split, so that this file does not contain them.
const FORBIDDEN: &[(&str, &str)] = &[
    (
        concat!("TO", "DO"),
        "unfinished work is an error or a documented limit",
    ),
    (
        concat!("FIX", "ME"),
        "unfinished work is an error or a documented limit",
    ),
    (concat!("#[", "allow("), "use #[expect(…, reason = …)]"),
    (concat!("#![", "allow("), "use #![expect(…, reason = …)]"),
    (
        concat!("#[", "ignore"),
        "a test that does not run proves nothing",
    ),
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/root", "/.ca"), "a path of one machine"),
    (concat!("/root", "/.rustup"), "a path of one machine"),
    (concat!("<<<<", "<<< "), "an unsettled merge"),
    (concat!(">>>>", ">>> "), "an unsettled merge"),
];

/// Complaints about one file, Rust or not.
pub(crate) fn complaints(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (word, reason) in FORBIDDEN {
            if line.contains(word) {
                complaints.push(format!("{path}:{}: `{word}`: {reason}", number + 1));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_found_with_its_line() {
        for (word, _) in FORBIDDEN {
            let found = complaints("a.rs", &format!("//! Fine.\n  {word} x\n"));
            assert!(
                found.iter().any(|it| it.starts_with("a.rs:2: ")),
                "{word}: {found:?}"
            );
        }
        assert!(complaints("a.rs", "//! Allowed, ignored, worked.\n").is_empty());
    }
}
