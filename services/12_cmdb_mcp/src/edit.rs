//! Changing one server of the local CMDB. Every change is made to the file as it is at that moment.

use crate::lookup::ByHostname;
use crate::server::{Column, Server, key};
use crate::store::{Cmdb, Store, Touched};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `cmdb.local.createServer`.
pub(crate) struct CreateServer(pub(crate) Arc<Store>);

/// Arguments of `cmdb.local.createServer`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateArguments {
    /// The new server.
    record: Server,
}

/// Result of a change of one server.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Stored {
    /// The server as it is now.
    server: Server,
    /// Copy of the file as it was; null when there was no file, or nothing had to be written.
    backup_path: Option<String>,
}

#[async_trait]
impl TypedTool for CreateServer {
    type Arguments = CreateArguments;
    type Output = Stored;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.createServer",
            Effect::Mutate,
            "Add a server to the local CMDB. Refused when a server of this host name exists; to \
             change one use cmdb.local.updateServer. Needs approval.",
        )
    }

    async fn assess(&self, arguments: &CreateArguments, _: &Call) -> Result<Assessment, ToolError> {
        let record = tidied(&arguments.record);
        record.check("record")?;
        must_be_free(&*self.0.get().await?, &record.hostname)?;
        let mut summary = format!("Add server {:?} to the local CMDB:", record.hostname);
        for column in Column::ALL.into_iter().skip(1) {
            let text = record.get(column);
            if !text.is_empty() {
                summary.push_str(&format!("\n{}: {text:?}", column.name()));
            }
        }
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: CreateArguments, _: &Call) -> Result<Stored, ToolError> {
        let record = tidied(&arguments.record);
        record.check("record")?;
        let edit = move |cmdb: &mut Cmdb| {
            must_be_free(cmdb, &record.hostname)?;
            cmdb.inventory.put(&record.hostname, &record);
            Ok((record, Touched::Servers))
        };
        let changed = self.0.change(edit).await?;
        Ok(Stored {
            server: changed.value,
            backup_path: changed.backup_path,
        })
    }
}

/// `cmdb.local.updateServer`.
pub(crate) struct UpdateServer(pub(crate) Arc<Store>);

/// Arguments of `cmdb.local.updateServer`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateArguments {
    /// Host name of the server to change; case does not matter.
    #[schemars(length(min = 1, max = 253))]
    hostname: String,
    /// New texts by column; columns that are left out stay as they are.
    changes: Changes,
}

/// New texts; null or left out means no change.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Changes {
    /// New host name; relations follow.
    hostname: Option<String>,
    /// New IPv4 or IPv6 address.
    ip_address: Option<String>,
    /// New operating system.
    os_type: Option<String>,
    /// New version of it.
    os_version: Option<String>,
    /// New list of services.
    services: Option<String>,
    /// New path.
    path: Option<String>,
    /// New account.
    user: Option<String>,
    /// New notes.
    ssh_access_notes: Option<String>,
}

impl Changes {
    fn apply(&self, to: &Server) -> Server {
        let mut server = to.clone();
        for (column, text) in [
            (Column::Hostname, &self.hostname),
            (Column::IpAddress, &self.ip_address),
            (Column::OsType, &self.os_type),
            (Column::OsVersion, &self.os_version),
            (Column::Services, &self.services),
            (Column::Path, &self.path),
            (Column::User, &self.user),
            (Column::SshAccessNotes, &self.ssh_access_notes),
        ] {
            if let Some(text) = text {
                server.set(column, text);
            }
        }
        server
    }
}

#[async_trait]
impl TypedTool for UpdateServer {
    type Arguments = UpdateArguments;
    type Output = Stored;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.updateServer",
            Effect::Mutate,
            "Change columns of a server in the local CMDB; the others stay as they are. Needs \
             approval.",
        )
        .idempotent()
    }

    async fn assess(&self, arguments: &UpdateArguments, _: &Call) -> Result<Assessment, ToolError> {
        let (old, new) = planned(&*self.0.get().await?, arguments)?;
        let mut summary = format!("Change server {:?} of the local CMDB:", old.hostname);
        for column in Column::ALL {
            let (from, to) = (old.get(column), new.get(column));
            if from != to {
                summary.push_str(&format!("\n{}: {from:?} becomes {to:?}", column.name()));
            }
        }
        if old == new {
            summary.push_str("\nnothing: it is like this already");
        }
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: UpdateArguments, _: &Call) -> Result<Stored, ToolError> {
        let edit = move |cmdb: &mut Cmdb| {
            let (old, new) = planned(cmdb, &arguments)?;
            if old == new {
                return Ok((new, Touched::Nothing));
            }
            cmdb.inventory.put(&old.hostname, &new);
            let renamed = match old.hostname == new.hostname {
                true => 0,
                false => cmdb.relations.rename(&old.hostname, &new.hostname),
            };
            let touched = if renamed > 0 {
                Touched::Both
            } else {
                Touched::Servers
            };
            Ok((new, touched))
        };
        let changed = self.0.change(edit).await?;
        Ok(Stored {
            server: changed.value,
            backup_path: changed.backup_path,
        })
    }
}

/// `cmdb.local.deleteServer`.
pub(crate) struct DeleteServer(pub(crate) Arc<Store>);

/// Result of `cmdb.local.deleteServer`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// Whether there was such a server.
    deleted: bool,
    /// Copy of the file as it was; null when nothing was written.
    backup_path: Option<String>,
    /// Relations that went with the server.
    relations_removed: usize,
}

#[async_trait]
impl TypedTool for DeleteServer {
    type Arguments = ByHostname;
    type Output = Deleted;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.deleteServer",
            Effect::Mutate,
            "Remove a server and its relations from the local CMDB. The server itself is not \
             touched. Needs approval.",
        )
        .idempotent()
        .destructive()
    }

    async fn assess(&self, arguments: &ByHostname, _: &Call) -> Result<Assessment, ToolError> {
        let cmdb = self.0.get().await?;
        let summary = match cmdb.inventory.find(&arguments.hostname) {
            None => format!(
                "Remove server {:?}: not in the local CMDB",
                arguments.hostname
            ),
            Some(server) => {
                let relations = cmdb.relations.iter();
                let relations = relations.filter(|r| r.involves(&server.hostname)).count();
                format!(
                    "Remove server {:?} ({}) from the local CMDB\nrelations that go with it: {relations}",
                    server.hostname, server.ip_address
                )
            }
        };
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: ByHostname, _: &Call) -> Result<Deleted, ToolError> {
        let edit = move |cmdb: &mut Cmdb| {
            if !cmdb.inventory.remove(&arguments.hostname) {
                return Ok(((false, 0), Touched::Nothing));
            }
            let relations = cmdb.relations.remove_all_of(&arguments.hostname);
            let touched = if relations > 0 {
                Touched::Both
            } else {
                Touched::Servers
            };
            Ok(((true, relations), touched))
        };
        let changed = self.0.change(edit).await?;
        let (deleted, relations_removed) = changed.value;
        Ok(Deleted {
            deleted,
            backup_path: changed.backup_path,
            relations_removed,
        })
    }
}

fn tidied(record: &Server) -> Server {
    let mut tidy = Server::default();
    for column in Column::ALL {
        tidy.set(column, record.get(column));
    }
    tidy
}

fn must_be_free(cmdb: &Cmdb, hostname: &str) -> Result<(), ToolError> {
    match cmdb.inventory.find(hostname) {
        None => Ok(()),
        Some(known) => {
            let message = format!("a server called {} exists", known.hostname);
            Err(ToolError::refused(Code::AlreadyExists, message))
        }
    }
}

/// The server as it is and as it would be.
fn planned(cmdb: &Cmdb, arguments: &UpdateArguments) -> Result<(Server, Server), ToolError> {
    // A rename that is sent again finds its work done.
    let renamed = || {
        let name = arguments.changes.hostname.as_deref()?;
        let server = cmdb.inventory.find(name)?;
        (arguments.changes.apply(server) == *server).then_some(server)
    };
    let Some(old) = cmdb.inventory.find(&arguments.hostname).or_else(renamed) else {
        let message =
            "there is no such server in the local CMDB; to add it use cmdb.local.createServer";
        return Err(ToolError::refused(Code::NotFound, message));
    };
    let new = arguments.changes.apply(old);
    new.check("changes")?;
    if key(&old.hostname) != key(&new.hostname) {
        must_be_free(cmdb, &new.hostname)?;
    }
    Ok((old.clone(), new))
}

#[cfg(test)]
mod tests;
