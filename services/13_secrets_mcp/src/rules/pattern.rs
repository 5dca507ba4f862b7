//! Patterns of names: `*` is any text without `/`, `**` any text; everything else is itself.

/// Longest pattern, in bytes.
const MAX_BYTES: usize = 512;
/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Without `/`.
    Some,
    All,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("has a pattern that is empty");
        }
        if text.len() > MAX_BYTES {
            return Err("has a pattern that is too long");
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, left) = part(rest);
            parts.push(part);
            rest = left;
        }
        Ok(Self(parts))
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        // `reached[i]`: the parts so far can end before byte `i`. One pass per part, whatever the stars.
        let mut reached = vec![false; name.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        for part in &self.0 {
            reached = match part {
                Part::Text(text) => after_text(&reached, name, text),
                Part::Some => after_star(&reached, name, |byte| byte != b'/'),
                Part::All => after_star(&reached, name, |_| true),
            };
        }
        reached.last() == Some(&true)
    }
}

/// The first part of a pattern that is not empty, and what is left.
fn part(text: &str) -> (Part, &str) {
    if let Some(left) = text.strip_prefix("**") {
        return (Part::All, left);
    }
    if let Some(left) = text.strip_prefix('*') {
        return (Part::Some, left);
    }
    let (piece, left) = text.split_at(text.find('*').unwrap_or(text.len()));
    (Part::Text(piece.to_owned()), left)
}

fn after_text(reached: &[bool], name: &str, text: &str) -> Vec<bool> {
    let starts = |end: usize| {
        let start = end.checked_sub(text.len())?;
        let here = name.as_bytes().get(start..end)? == text.as_bytes();
        Some(here && *reached.get(start)?)
    };
    (0..reached.len())
        .map(|end| starts(end) == Some(true))
        .collect()
}

fn after_star(reached: &[bool], name: &str, takes: impl Fn(u8) -> bool) -> Vec<bool> {
    let mut going = false;
    let before = std::iter::once(None).chain(name.bytes().map(Some));
    let pairs = reached.iter().zip(before);
    pairs
        .map(|(here, byte)| {
            going = *here || (going && byte.is_some_and(&takes));
            going
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_stops_at_a_slash_and_two_do_not() {
        for (pattern, name, fits) in [
            ("env-DB", "env-DB", true),
            ("env-DB", "env-DB2", false),
            ("env-*", "env-DB", true),
            ("vault-secret/*#value", "vault-secret/a#value", true),
            ("vault-secret/*", "vault-secret/a/b#value", false),
            ("vault-secret/**", "vault-secret/a/b#value", true),
            ("**#password", "keepass-Web/Mail#password", true),
            ("**#password", "keepass-Web/Mail#notes", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(name),
                fits,
                "{pattern} {name}"
            );
        }
        let stars = Pattern::parse(&"**a".repeat(100)).unwrap();
        assert!(!stars.matches(&"b".repeat(1000)), "and quickly");
    }
}
