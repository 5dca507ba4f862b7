//! The names callers give, held against Google's rules before they become part of an address.

use shared::tool::ToolError;

/// An instance, a zone, a network, a type: lower-case letters, digits and hyphens.
pub(crate) fn resource<'a>(field: &str, name: &'a str) -> Result<&'a str, ToolError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (1..=98).contains(&name.len()) && name.starts_with(|c: char| c.is_ascii_lowercase());
    judged(field, name, fits && name.chars().all(plain))
}

/// A bucket.
pub(crate) fn bucket(name: &str) -> Result<&str, ToolError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let fits = (3..=222).contains(&name.len()) && !name.starts_with('.') && !name.contains("..");
    judged("bucketName", name, fits && name.chars().all(plain))
}

/// An object. It is one part of an address, in which only these two would be swallowed.
pub(crate) fn object<'a>(field: &str, name: &'a str) -> Result<&'a str, ToolError> {
    let control = name.chars().any(char::is_control);
    let fits = (1..=1024).contains(&name.len()) && !matches!(name, "." | "..");
    judged(field, name, fits && !control)
}

/// A generation of an object.
pub(crate) fn generation(text: &str) -> Result<&str, ToolError> {
    let fits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    judged("generation", text, fits)
}

fn judged<'a>(field: &str, name: &'a str, fits: bool) -> Result<&'a str, ToolError> {
    match fits {
        true => Ok(name),
        false => Err(ToolError::invalid(field, "is no name Google allows here")),
    }
}
