//! The names under which hosts that accept no dots see a tool. Source: `mcp.md` 6.

use crate::id::ToolId;
use aws_lc_rs::digest::{SHA256, digest};

/// Longest wire alias, in bytes.
pub const MAX_ALIAS: usize = 50;
const KEPT: usize = 43;
const HASH_DIGITS: usize = 6;

/// The wire alias of a tool: dots become underscores; what is longer than [`MAX_ALIAS`] is cut to 43
/// characters, `_` and 6 hex digits of the id's SHA-256.
///
/// ```
/// use shared::{id::ToolId, tool::wire_alias};
/// let id = ToolId::parse("os.linux.runCommand")?;
/// assert_eq!(wire_alias(&id), "os_linux_runCommand");
/// # Ok::<_, shared::id::InvalidId>(())
/// ```
#[must_use]
pub fn wire_alias(id: &ToolId) -> String {
    let alias = id.as_str().replace('.', "_");
    if alias.len() <= MAX_ALIAS {
        alias
    } else {
        distinct_alias(id)
    }
}

/// The alias for a tool whose [`wire_alias`] another tool already has: always with the hash.
#[must_use]
pub fn distinct_alias(id: &ToolId) -> String {
    let mut alias = id.as_str().replace('.', "_");
    alias.truncate(KEPT);
    alias.push('_');
    let hash = hex::encode(digest(&SHA256, id.as_str().as_bytes()));
    alias.extend(hash.chars().take(HASH_DIGITS));
    alias
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = |end: &str| ToolId::parse(&format!("os.{}.{end}", "x".repeat(60))).unwrap();
        let (a, b) = (wire_alias(&long("a")), wire_alias(&long("b")));
        assert_eq!(a.len(), MAX_ALIAS);
        assert_ne!(a, b);
        assert_eq!(a.get(..KEPT), b.get(..KEPT));
        let fits = ToolId::parse(&format!("a.{}", "b".repeat(48))).unwrap();
        assert_eq!(wire_alias(&fits), format!("a_{}", "b".repeat(48)));
    }

    #[test]
    fn two_ids_with_one_alias_can_be_told_apart() {
        let (a, b) = (
            ToolId::parse("a.b_c.d").unwrap(),
            ToolId::parse("a.b.c.d").unwrap(),
        );
        assert_eq!(wire_alias(&a), wire_alias(&b));
        assert_ne!(distinct_alias(&a), distinct_alias(&b));
    }
}
