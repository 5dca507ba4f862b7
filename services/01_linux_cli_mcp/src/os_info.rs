//! `os.linux.cli.getOsInfo`: what the host says of itself.

use crate::host::Host;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// In the order the specification of the file gives.
const RELEASE_FILES: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];
/// Program and the name of its family, in the order they are looked for.
const PACKAGE_MANAGERS: [(&str, &str); 6] = [
    ("apt-get", "apt"),
    ("dnf", "dnf"),
    ("yum", "yum"),
    ("zypper", "zypper"),
    ("apk", "apk"),
    ("pacman", "pacman"),
];

/// The tool.
pub(crate) struct GetOsInfo(pub(crate) Arc<Host>);

/// No parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoArguments {}

/// Facts about the host.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OsInfo {
    /// Release of the kernel.
    kernel: String,
    /// Such as `x86_64`.
    architecture: String,
    hostname: String,
    /// `apt`, `dnf`, `yum`, `zypper`, `apk`, `pacman` or `unknown`.
    package_manager: String,
    /// Every key of os-release under its own name: ID, `VERSION_ID`, NAME and so on.
    #[serde(flatten)]
    release: BTreeMap<String, String>,
}

#[async_trait]
impl TypedTool for GetOsInfo {
    type Arguments = NoArguments;
    type Output = OsInfo;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.cli.getOsInfo",
            Effect::Read,
            "Tell which Linux this host runs: every key of os-release (ID, VERSION_ID, NAME, …), \
             kernel, architecture, host name and package manager.",
        )
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<OsInfo, ToolError> {
        self.0.check_system()?;
        let names = rustix::system::uname();
        let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
        let mut files = RELEASE_FILES.iter();
        let release = files.find_map(|path| std::fs::read_to_string(path).ok());
        Ok(OsInfo {
            kernel: text(names.release()),
            architecture: text(names.machine()),
            hostname: text(names.nodename()),
            package_manager: self.package_manager(),
            release: parse(&release.unwrap_or_default()),
        })
    }
}

impl GetOsInfo {
    fn package_manager(&self) -> String {
        match self.0.config.system.package_manager.as_str() {
            "auto" | "" => {}
            set => return set.to_owned(),
        }
        let installed = |program: &str| self.0.executor.find(program).is_ok();
        let mut known = PACKAGE_MANAGERS.iter();
        let found = known.find(|(program, _)| installed(program));
        found.map_or("unknown", |(_, name)| name).to_owned()
    }
}

/// Reads os-release: `NAME=value`, with the quotes and escapes of a shell.
fn parse(text: &str) -> BTreeMap<String, String> {
    let entry = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (!name.is_empty() && name.chars().all(plain)).then(|| (name.to_owned(), unquoted(value)))
    };
    text.lines().map(str::trim).filter_map(entry).collect()
}

fn unquoted(value: &str) -> String {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner = quote.and_then(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let mut plain = String::with_capacity(value.len());
    let mut rest = inner.unwrap_or(value).chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' if quote != Some('\'') => plain.extend(rest.next()),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_file_is_read_as_a_shell_would() {
        let text = "# comment\nID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"A \\\"B\\\" \\$C\"\n\nX='a b'\nbad line\n";
        let release = parse(text);
        let pairs: Vec<_> = release.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            pairs,
            [
                "ID=debian",
                "PRETTY_NAME=A \"B\" $C",
                "VERSION_ID=12",
                "X=a b"
            ]
        );
    }
}
