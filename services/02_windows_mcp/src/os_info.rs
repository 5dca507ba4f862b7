//! `os.windows.ps.getOsInfo`: what a host says of itself.

use crate::windows::{Script, Windows};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

const SCRIPT: Script = Script(include_str!("scripts/os_info.ps1"));

/// The tool.
pub(crate) struct GetOsInfo(pub(crate) Arc<Windows>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// A host in `WINRM_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
}

/// Facts about a host.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OsInfo {
    /// As in `WINRM_HOSTS`.
    #[serde(default)]
    host: String,
    /// Such as `Microsoft Windows Server 2022 Standard`.
    caption: String,
    /// Such as `10.0.20348`.
    version: String,
    /// Such as `20348`.
    build_number: String,
    /// Such as `64-bit`.
    architecture: String,
    /// RFC 3339, UTC.
    last_boot_at: String,
    /// RFC 3339, UTC.
    install_date: String,
    /// Memory Windows can use.
    total_memory_bytes: u64,
}

#[async_trait]
impl TypedTool for GetOsInfo {
    type Arguments = Arguments;
    type Output = OsInfo;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.windows.ps.getOsInfo",
            Effect::Read,
            "Tell which Windows a host in WINRM_HOSTS runs: edition, version, build, architecture, \
             last start, time of installation, memory.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<OsInfo, ToolError> {
        let host = arguments.host.as_deref();
        let info: OsInfo = self.0.ask(host, SCRIPT, &json!({}), call).await?;
        let host = self.0.host(host)?.to_owned();
        Ok(OsInfo { host, ..info })
    }
}
