//! Spoke 10: macOS hosts over SSH: commands, files, applications, scripts.
//!
//! Reading order: what the tools share (`mac`), commands and scripts (`command`, `script`), the host
//! and its applications (`os_info`, `apps`), files (`read_file`, `write_file`, `list_directory`, with
//! `files` and `sftp` beneath them). How a host is reached is in the crate `ssh`, which commands may be
//! run in `shared::command`. Nothing runs on the host of this spoke.

mod apps;
mod command;
mod config;
mod files;
mod health;
mod list_directory;
mod mac;
mod os_info;
mod read_file;
mod script;
mod sftp;
mod write_file;

use mac::Mac;
use shared::spoke::{BuildError, BuildInput, Parts, Service, metrics_tool};
use shared::tool::boxed;
use std::future::ready;
use std::sync::Arc;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "10_macos_mcp",
    number: 10,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["os.macos"],
    canary: "os.macos.cli.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build: |input| Box::pin(ready(build(input))),
};

fn build(input: &BuildInput) -> Result<Parts, BuildError> {
    let mac = Arc::new(Mac::build(input)?);
    let own = || Arc::clone(&mac);
    let tools = vec![
        boxed(command::RunCommand(own()))?,
        boxed(read_file::ReadFile(own()))?,
        boxed(list_directory::ListDirectory(own()))?,
        boxed(write_file::WriteFile(own()))?,
        boxed(os_info::GetOsInfo(own()))?,
        boxed(apps::ListApps(own()))?,
        boxed(apps::OpenApp(own()))?,
        boxed(script::RunAppleScript(own()))?,
        boxed(script::RunJxaScript(own()))?,
        metrics_tool(
            &input.kit.meter,
            "os.macos.cli.getMetrics",
            Arc::new(Vec::new),
        )?,
    ];
    let checks = vec![Arc::new(health::Ssh(mac)) as _];
    Ok(Parts { tools, checks })
}
