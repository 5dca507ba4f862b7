//! `WWW-Authenticate: Bearer …`: what a server says it wants.

/// A challenge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// Address of the metadata about the server's protection.
    pub(super) metadata: Option<String>,
    /// The scopes it wants.
    pub(super) scopes: Option<Vec<String>>,
    /// Why it refused.
    pub(super) error: Option<String>,
}

impl Challenge {
    /// Reads the parameters of a challenge; what is not understood is left out.
    pub(super) fn parse(text: &str) -> Self {
        let mut challenge = Self::default();
        let rest = text.trim_start();
        let scheme = rest.get(..7).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer ") {
            return challenge;
        }
        let mut rest = rest.get(7..).unwrap_or_default();
        while let Some((name, after)) = rest.split_once('=') {
            let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
            let (value, left) = value(after.trim_start());
            match name.as_str() {
                "resource_metadata" => challenge.metadata = Some(value),
                "scope" => {
                    let words = value.split_ascii_whitespace();
                    challenge.scopes = Some(words.map(str::to_owned).collect());
                }
                "error" => challenge.error = Some(value),
                _ => {}
            }
            rest = left;
        }
        challenge
    }
}

/// A token or quoted text, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_any_order_and_form() {
        let text = r#"Bearer error=insufficient_scope, scope="a:read b", error_description="say \"no\", twice", resource_metadata="https://a.example/.well-known/x?y=1""#;
        let challenge = Challenge::parse(text);
        assert_eq!(challenge.error.as_deref(), Some("insufficient_scope"));
        assert_eq!(challenge.scopes.unwrap(), ["a:read", "b"]);
        let metadata = challenge.metadata.unwrap();
        assert_eq!(metadata, "https://a.example/.well-known/x?y=1");
        for nothing in [
            "",
            "Basic realm=\"x\"",
            "Bearer",
            "Bearer realm",
            "bearer =\"",
        ] {
            assert_eq!(Challenge::parse(nothing), Challenge::default(), "{nothing}");
        }
    }
}
