//! JSON laid out in lines, every byte outside of white space as it was: numbers, keys and their order.

/// Spaces of one level; deeper levels than this many are not indented further.
const DEEPEST: usize = 32;

/// `json` with one member or element a line. What is no JSON comes back in some form, without panic.
#[must_use]
pub fn laid_out(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + json.len() / 4);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut rest = json.chars().peekable();
    while let Some(c) = rest.next() {
        if quoted {
            text.push(c);
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            ' ' | '\n' | '\r' | '\t' => {}
            '{' | '[' => {
                text.push(c);
                while rest.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                    continue;
                }
                depth += 1;
                line(&mut text, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => {
                quoted = c == '"';
                text.push(c);
            }
        }
    }
    text
}

fn line(text: &mut String, depth: usize) {
    text.push('\n');
    for _ in 0..depth.min(DEEPEST) {
        text.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_and_lines_come() {
        let json = r#"{"b":[1.0,{"x\"{":"a,\\"}, 12345678901234567890],"a":{},"c":[ ]}"#;
        let made = laid_out(json);
        assert_eq!(
            made,
            "{\n  \"b\": [\n    1.0,\n    {\n      \"x\\\"{\": \"a,\\\\\"\n    },\n    12345678901234567890\n  ],\n  \"a\": {},\n  \"c\": []\n}"
        );
        let (one, other): (serde_json::Value, serde_json::Value) = (
            serde_json::from_str(json).unwrap(),
            serde_json::from_str(&made).unwrap(),
        );
        assert_eq!(one, other);
    }
}
