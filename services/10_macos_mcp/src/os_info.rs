//! `os.macos.cli.getOsInfo`: what a Mac says of itself.

use crate::mac::{Mac, output};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// The tool.
pub(crate) struct GetOsInfo(pub(crate) Arc<Mac>);

/// Which Mac.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneHost {
    /// A Mac in `SSH_HOSTS`, spelled as there. Default: the only one.
    pub(crate) host: Option<String>,
}

/// Facts about a Mac.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct OsInfo {
    /// As in `SSH_HOSTS`.
    host: String,
    /// Such as `macOS`.
    product_name: String,
    /// Such as `14.5`.
    product_version: String,
    /// Such as `23F79`.
    build_version: String,
    /// `arm64` or `x86_64`.
    architecture: String,
    /// What it calls itself.
    hostname: String,
}

#[async_trait]
impl TypedTool for GetOsInfo {
    type Arguments = OneHost;
    type Output = OsInfo;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.macos.cli.getOsInfo",
            Effect::Read,
            "Tell which macOS a Mac in SSH_HOSTS runs: product, version, build, architecture and host \
             name.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, arguments: OneHost, call: &Call) -> Result<OsInfo, ToolError> {
        let mac = &self.0;
        let pinned = mac.target(arguments.host.as_deref())?;
        let (versions, names) = tokio::join!(
            mac.ask(pinned.clone(), ["sw_vers"], call),
            mac.ask(pinned.clone(), ["uname", "-mn"], call),
        );
        let versions = output("sw_vers", &versions?)?;
        let names = output("uname", &names?)?;
        info(&pinned.target.host, &versions, &names).ok_or_else(|| {
            let message = "sw_vers or uname answered something else than was expected";
            ToolError::new(Code::BadGateway, message)
        })
    }
}

/// Reads `sw_vers` (`ProductName: macOS` and so on) and `uname -mn` (name, then machine).
fn info(host: &str, versions: &str, names: &str) -> Option<OsInfo> {
    let value = |key: &str| {
        let mut lines = versions.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(name, _)| name.trim() == key)?;
        Some(value.trim().to_owned())
    };
    let (hostname, architecture) = names.trim().split_once(' ')?;
    Some(OsInfo {
        host: host.to_owned(),
        product_name: value("ProductName")?,
        product_version: value("ProductVersion")?,
        build_version: value("BuildVersion")?,
        architecture: architecture.to_owned(),
        hostname: hostname.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_names_are_read_as_they_are_printed() {
        let versions = "ProductName:\t\tmacOS\nProductVersion:\t\t14.5\nBuildVersion:\t\t23F79\n";
        let found = info("mini", versions, "mini.local arm64\n").unwrap();
        let OsInfo {
            product_name,
            product_version,
            build_version,
            architecture,
            hostname,
            ..
        } = found;
        assert_eq!(
            [
                product_name,
                product_version,
                build_version,
                architecture,
                hostname
            ],
            ["macOS", "14.5", "23F79", "arm64", "mini.local"]
        );
        assert_eq!(info("mini", "nonsense", "a b"), None);
        assert_eq!(info("mini", versions, ""), None);
    }
}
