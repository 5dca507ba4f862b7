//! Spoke 02: Windows hosts over `WinRM`: `PowerShell`, files, processes, services.
//!
//! Reading order: what the tools share (`windows`), commands and scripts (`run`, judged by `grammar`),
//! the host (`os_info`), files (`read`, `write_file`, with `places`), `process`, `service`. Beneath
//! them WS-Management (`wsman`) and the proof of a password (`ntlm`). Scripts are in `scripts`.

mod config;
mod grammar;
mod health;
mod ntlm;
mod os_info;
mod places;
mod process;
mod read;
mod run;
mod service;
mod windows;
mod write_file;
mod wsman;

use shared::spoke::{BuildError, BuildInput, Parts, Service, metrics_tool};
use shared::tool::boxed;
use std::future::ready;
use std::sync::Arc;
use windows::Windows;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "02_windows_mcp",
    number: 2,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["os.windows"],
    canary: "os.windows.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build: |input| Box::pin(ready(build(input))),
};

fn build(input: &BuildInput) -> Result<Parts, BuildError> {
    let windows = Arc::new(Windows::build(input)?);
    let own = || Arc::clone(&windows);
    let tools = vec![
        boxed(run::RunCommand(own()))?,
        boxed(run::RunScript(own()))?,
        boxed(os_info::GetOsInfo(own()))?,
        boxed(read::ReadFile(own()))?,
        boxed(read::ListDirectory(own()))?,
        boxed(read::TestPath(own()))?,
        boxed(write_file::WriteFile(own()))?,
        boxed(process::GetProcess(own()))?,
        boxed(process::StopProcess(own()))?,
        boxed(service::GetService(own()))?,
        boxed(service::StartService(own()))?,
        boxed(service::StopService(own()))?,
        boxed(service::RestartService(own()))?,
        metrics_tool(
            &input.kit.meter,
            "os.windows.getMetrics",
            Arc::new(Vec::new),
        )?,
    ];
    let checks = vec![Arc::new(health::Winrm(windows)) as _];
    Ok(Parts { tools, checks })
}
