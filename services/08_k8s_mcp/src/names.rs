//! The names callers give, held against Kubernetes' rules before they become part of an address.

use shared::tool::ToolError;

/// An object: parts of a host name.
pub(crate) fn object<'a>(field: &str, name: &'a str) -> Result<&'a str, ToolError> {
    let part = |part: &str| label_like(part) && part.len() <= 253;
    judged(field, name, name.len() <= 253 && name.split('.').all(part))
}

/// A namespace or a container: one part of a host name.
pub(crate) fn label<'a>(field: &str, name: &'a str) -> Result<&'a str, ToolError> {
    judged(field, name, name.len() <= 63 && label_like(name))
}

fn label_like(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.bytes().all(plain) && !name.starts_with('-') && !name.ends_with('-')
}

fn judged<'a>(field: &str, name: &'a str, fits: bool) -> Result<&'a str, ToolError> {
    match fits {
        true => Ok(name),
        false => Err(ToolError::invalid(
            field,
            "is no name Kubernetes allows here",
        )),
    }
}
