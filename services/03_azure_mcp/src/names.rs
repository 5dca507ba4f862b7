//! The names callers give, held against Azure's rules before they become part of an address.

use shared::tool::ToolError;

/// A resource group.
pub(crate) fn group(name: &str) -> Result<&str, ToolError> {
    let plain = |c: char| c.is_alphanumeric() || "-_.()".contains(c);
    let fits = (1..=90).contains(&name.chars().count()) && !name.ends_with('.');
    judged("resourceGroup", name, fits && name.chars().all(plain))
}

/// A resource group that may be left out.
pub(crate) fn maybe_group(name: Option<&str>) -> Result<Option<&str>, ToolError> {
    name.map(group).transpose()
}

/// A virtual machine, a server or a database.
pub(crate) fn resource<'a>(field: &str, name: &'a str) -> Result<&'a str, ToolError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let ends = name.starts_with('.') || name.ends_with('.');
    let fits = (1..=128).contains(&name.len()) && !ends;
    judged(field, name, fits && name.chars().all(plain))
}

/// A storage account.
pub(crate) fn account(name: &str) -> Result<&str, ToolError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = (3..=24).contains(&name.len()) && name.chars().all(plain);
    judged("accountName", name, fits)
}

/// A container of blobs.
pub(crate) fn container(name: &str) -> Result<&str, ToolError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = name.starts_with('-') || name.ends_with('-') || name.contains("--");
    let usual = (3..=63).contains(&name.len()) && name.chars().all(plain) && !ends;
    judged(
        "containerName",
        name,
        usual || matches!(name, "$root" | "$web" | "$logs"),
    )
}

/// A blob. Parts that an address would swallow are refused.
pub(crate) fn blob<'a>(field: &str, name: &'a str) -> Result<&'a str, ToolError> {
    let control = name.chars().any(char::is_control);
    let fits = (1..=1024).contains(&name.chars().count()) && !name.starts_with('/');
    let swallowed = |part| matches!(part, "." | "..");
    judged(
        field,
        name,
        fits && !control && !name.split(['/', '\\']).any(swallowed),
    )
}

fn judged<'a>(field: &str, name: &'a str, fits: bool) -> Result<&'a str, ToolError> {
    match fits {
        true => Ok(name),
        false => Err(ToolError::invalid(field, "is no name Azure allows here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for good in ["rg-1", "RG_(a).b"] {
            assert!(group(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b", "..", "a.", "a?b", "a b"] {
            assert!(group(bad).is_err(), "{bad}");
            assert!(resource("vmName", bad).is_err(), "{bad}");
        }
        assert!(account("acme01").is_ok() && container("$web").is_ok());
        for bad in ["ab", "Acme", "acme.evil", "acme@evil", "a/../b"] {
            assert!(account(bad).is_err(), "{bad}");
            assert!(container(&format!("{bad}/")).is_err(), "{bad}");
        }
        for good in ["a/b c.txt", "ä?#%.json"] {
            assert!(blob("blobName", good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/../b", "..", "a\\..\\b", "a\nb"] {
            assert!(blob("blobName", bad).is_err(), "{bad}");
        }
    }
}
