//! Kinds of secret that can be told by their form.

use regex::{Regex, RegexSet};

/// Kind and expression. Group 1, where there is one, is kept, so is group 2.
const PATTERNS: &[(&str, &str)] = &[
    ("waygate-key", r"\bwgk_[A-Za-z0-9]{4,}_[A-Za-z0-9_-]{16,}"),
    (
        "private-key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    ),
    (
        "jwt",
        r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*",
    ),
    ("aws", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    (
        "github",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})",
    ),
    ("gitlab", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    (
        "google",
        r"\b(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,})",
    ),
    ("model-key", r"\bsk-[A-Za-z0-9_-]{20,}"),
    ("stripe", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("vault", r"\bhv[bsr]\.[A-Za-z0-9_-]{20,}"),
    ("npm", r"\bnpm_[A-Za-z0-9]{36}\b"),
    (
        "url",
        r#"(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>]*:)[^\s/"'<>]+(@)"#,
    ),
    (
        "header",
        r#"(?i)(\b(?:proxy-)?authorization["'\\]*\s*[:=]\s*["'\\]*)[^\r\n"'\\]+"#,
    ),
    (
        "header",
        r#"(?i)(\b(?:set-)?cookie["'\\]*\s*[:=]\s*["'\\]*)[^\r\n"'\\]+"#,
    ),
    ("bearer", r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/-]{8,}=*"),
    (
        "basic",
        r"(\b[Bb]asic\s+)(?:[A-Za-z0-9+/]{20,}={0,2}|[A-Za-z0-9+/]{4,}={1,2})",
    ),
    (
        "assignment",
        r#"(?ix)
        ( [\w.-]*
          (?: password | passwd | passphrase | \bpwd | secret | secret[_-]?key | token | api[_-]?key
            | access[_-]?key | private[_-]?key | account[_-]?key | credentials? | \bsig )
          (?: \\?["'] )? \s* [:=] \s*
        )
        (?: \\"(?:[^"\\]|\\[^"])*\\" | "(?:[^"\\]|\\.)*" | '[^']*' | [^\s"'&,;)}\\]+ )"#,
    ),
];

/// All patterns, ready to search.
pub(super) struct Patterns {
    /// Tells in one pass which of them are worth applying.
    any: RegexSet,
    /// With what each is replaced by.
    each: Vec<(Regex, String)>,
}

impl Default for Patterns {
    fn default() -> Self {
        let compiled = |(kind, pattern): &(&str, &str)| {
            let pattern = Regex::new(pattern).expect("the patterns are constant and tested");
            (pattern, format!("${{1}}[redacted:{kind}]${{2}}"))
        };
        Self {
            any: RegexSet::new(PATTERNS.iter().map(|(_, pattern)| pattern))
                .expect("the patterns are constant and tested"),
            each: PATTERNS.iter().map(compiled).collect(),
        }
    }
}

impl Patterns {
    /// The text without what the patterns find; `None` when they find nothing.
    pub(super) fn redact(&self, text: &str) -> Option<String> {
        let found = self.any.matches(text);
        if !found.matched_any() {
            return None;
        }
        let mut out = text.to_owned();
        for index in found {
            if let Some((pattern, replacement)) = self.each.get(index) {
                out = pattern.replace_all(&out, replacement.as_str()).into_owned();
            }
        }
        Some(out)
    }
}
