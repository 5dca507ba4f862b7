//! A request for people and for programs.
//!
//! Made from what was asked and nothing else: each argument on a line of its own, nothing cut, and no
//! character that could hide or reorder another one.

use super::row::checks_json;
use super::{Approval, Approvals};
use crate::auth::Principal;
use serde_json::{Value, json};
use std::fmt::Write;

/// Blank although they count as letters or symbols.
const BLANK: [char; 6] = [
    '\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}', '\u{00a0}',
];

impl Approvals {
    /// The catalogue's type Approval, with who asked, what they asked with and what was said; `reader`
    /// gets the token when it is its own.
    #[must_use]
    pub fn to_json(&self, approval: &Approval, reader: &Principal) -> Value {
        let url = format!("{}/api/approvals/{}", self.config.public_url, approval.id);
        let mut json = approval.to_json(&url);
        if let (Some(token), Some(fields)) =
            (self.token_for(approval, reader), json.as_object_mut())
        {
            fields.insert("token".into(), Value::String(token));
        }
        json
    }
}

impl Approval {
    /// As the catalogue's type Approval, without a token. `url` is where people find it.
    #[must_use]
    pub fn to_json(&self, url: &str) -> Value {
        let ready = self.checks.iter().all(|check| check.ok);
        let readiness = (!self.checks.is_empty())
            .then(|| json!({"ready": ready, "checks": checks_json(&self.checks)}));
        let votes: Vec<Value> = self
            .votes
            .iter()
            .map(|vote| {
                json!({
                    "approver": vote.approver,
                    "decision": vote.verdict.as_str(),
                    "note": vote.note,
                    "form": vote.form,
                    "at": vote.at.to_string(),
                })
            })
            .collect();
        json!({
            "request_id": self.id,
            "tool": self.tool.as_str(),
            "service": &*self.service,
            "effect": self.effect.as_str(),
            "arguments": self.arguments,
            "arguments_hash": &*self.arguments_hash,
            "summary": self.summary,
            "state": self.state.as_str(),
            "requester": &*self.requester,
            "requester_name": self.requester_name,
            "rule": self.rule,
            "required": self.required,
            "roles": self.roles,
            "form": self.form,
            "reason_required": self.reason_required,
            "votes": votes,
            "requested_at": self.requested_at.to_string(),
            "expires_at": self.expires_at.to_string(),
            "decided_at": self.decided_at.map(|at| at.to_string()),
            "readiness": readiness,
            "correlation_id": self.correlation_id,
            "url": url,
            "text": self.text(),
        })
    }

    /// For the person who decides. Summary and checks were escaped when they were kept.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _written = writeln!(text, "{name:<14}{value}");
        };
        let who = format!(
            "{} ({})",
            escaped(&self.requester),
            escaped(&self.requester_name)
        );
        line("request", &self.id);
        line("asked by", &who);
        line(
            "tool",
            &format!("{} ({})", self.tool, escaped(&self.service)),
        );
        line("effect", self.effect.as_str());
        line("policy", &escaped(&self.rule));
        line("state", self.state.as_str());
        line("needs", &format!("{} to approve", self.required));
        line("until", &self.expires_at.to_string());
        line("arguments", &self.arguments_hash);
        let mut leaves = Vec::new();
        each_leaf(&self.arguments, String::new(), &mut leaves);
        for (pointer, value) in &leaves {
            line("", &format!("{} = {value}", escaped(pointer)));
        }
        for (index, fact) in self.summary.lines().enumerate() {
            line(if index == 0 { "would" } else { "" }, fact);
        }
        if let Some(form) = &self.form {
            line("form", &escaped(&form.to_string()));
        }
        for check in &self.checks {
            let mark = if check.ok { "check ok" } else { "check FAILED" };
            line(mark, &format!("{}: {}", check.name, check.detail));
        }
        text
    }
}

/// Every scalar and every empty container with its JSON pointer. Depth is bounded by the arguments'
/// own limit.
fn each_leaf(value: &Value, pointer: String, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                each_leaf(value, format!("{pointer}/{name}"), out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                each_leaf(value, format!("{pointer}/{index}"), out);
            }
        }
        Value::String(text) => out.push((pointer, format!("\"{}\"", escaped(text)))),
        other => out.push((pointer, other.to_string())),
    }
}

/// The text on one line, without anything that cannot be seen or changes how other characters are seen.
///
/// Such characters are written as `\u{…}`, line ends and tabs as `\n`, `\r`, `\t`. A backslash is
/// doubled only where it would read as such an escape.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let plain = match c {
            '\'' | '"' => true,
            '\\' => !text.get(at..).is_some_and(|rest| rest.starts_with("\\u{")),
            c => !BLANK.contains(&c) && c.escape_debug().len() == 1,
        };
        match c {
            c if plain => out.push(c),
            c if BLANK.contains(&c) => out.extend(c.escape_unicode()),
            c => out.extend(c.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attack: T7
    #[test]
    fn nothing_invisible_reaches_the_approver() {
        let hidden = "\u{0}\u{7}\u{8}\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\
             \u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\
             \u{202d}\u{202e}\u{2060}\u{2061}\u{2066}\u{2067}\u{2068}\u{2069}\u{206a}\u{2800}\u{3164}\
             \u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{e0001}\u{e0041}\u{e0100}\u{f0000}\u{301}\u{a0}\u{3000}";
        assert!(hidden.chars().count() > 40);
        for c in hidden.chars() {
            let shown = escaped(&format!("a{c}b"));
            assert!(
                shown.is_ascii() && !shown.chars().any(char::is_control),
                "{c:?} → {shown}"
            );
            assert!(shown.len() > 3, "{c:?} → {shown}");
        }
        assert_eq!(escaped("rm -rf \u{202e}x"), r"rm -rf \u{202e}x");
        assert_eq!(escaped("a\nb\tc\r"), r"a\nb\tc\r");
    }

    #[test]
    fn what_can_be_read_stays_as_it_is() {
        for plain in [
            "systemctl restart nginx",
            r#"a "b" 'c' \d C:\dir"#,
            "Größe 漢字 λ",
        ] {
            assert_eq!(escaped(plain), plain);
        }
        assert_eq!(
            escaped(r"\u{202e}"),
            r"\\u{202e}",
            "an escape cannot be faked"
        );
    }
}
