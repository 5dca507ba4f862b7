//! Spoke 01: Linux commands, files, SSH, nginx, Ceph, the mail queue, SFTP users.
//!
//! Reading order: what the tools share (`host`), commands here and elsewhere (`command`, `remote`,
//! with `sessions` and `closed` beneath them), files (`read_file`, `write_file`,
//! `list_directory`), the host itself (`os_info`, `reboot`), and what runs on it (`nginx`, `ceph`,
//! `mail`, `sftp`). What may be run, read and written is decided in `shared::command` and
//! `shared::files`, other hosts are reached by the crate `ssh`; nothing here starts a shell.

mod ceph;
mod closed;
mod command;
mod config;
mod health;
mod host;
mod list_directory;
mod mail;
mod nginx;
mod os_info;
mod read_file;
mod reboot;
mod remote;
mod sessions;
mod sftp;
mod write_file;

use futures::FutureExt;
use futures::future::BoxFuture;
use host::Host;
use shared::id::InvalidId;
use shared::spoke::{BuildError, BuildInput, Parts, Service, metrics_tool};
use shared::tool::{Tool, boxed};
use std::sync::Arc;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "01_linux_cli_mcp",
    number: 1,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["os.linux", "linux"],
    canary: "os.linux.cli.getOsInfo",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build,
};

fn build(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    async move {
        let host = Arc::new(Host::build(input)?);
        let mut tools = tools(&host)?;
        let extra = Arc::new(Vec::new);
        tools.push(metrics_tool(
            &input.kit.meter,
            "os.linux.cli.getMetrics",
            extra,
        )?);
        Ok(Parts {
            tools,
            checks: vec![
                Arc::new(health::System(Arc::clone(&host))),
                Arc::new(health::Ssh(host)),
            ],
        })
    }
    .boxed()
}

/// Every tool of this spoke but the one for metrics.
fn tools(host: &Arc<Host>) -> Result<Vec<Arc<dyn Tool>>, InvalidId> {
    let host = || Arc::clone(host);
    Ok(vec![
        boxed(command::RunCommand(host()))?,
        boxed(os_info::GetOsInfo(host()))?,
        boxed(read_file::ReadFile(host()))?,
        boxed(write_file::WriteFile(host()))?,
        boxed(list_directory::ListDirectory(host()))?,
        boxed(reboot::RebootSystem(host()))?,
        boxed(remote::SshExecuteCommand(host()))?,
        boxed(nginx::CheckConfig(host()))?,
        boxed(nginx::ReloadConfig(host()))?,
        boxed(nginx::UpdateSiteConfig(host()))?,
        boxed(nginx::GetAccessLogTail(host()))?,
        boxed(ceph::GetStatus(host()))?,
        boxed(ceph::GetOsdTree(host()))?,
        boxed(mail::CheckQueue(host()))?,
        boxed(sftp::ListUsers(host()))?,
    ])
}
