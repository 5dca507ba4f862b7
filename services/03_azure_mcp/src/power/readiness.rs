//! What must hold before a machine is stopped, restarted or deleted. Source: `catalogue.md` 5.

use super::Target;
use crate::arm::{Arm, version};
use crate::cloud::{Azure, check};
use crate::vm::{Machine, PROTECT, Reference, key};
use serde_json::Value;
use shared::tool::{Check, ToolError};

/// It runs, nothing is being done to it, it is not protected.
pub(super) async fn running(cloud: &Azure, target: &Target<'_>) -> Result<Vec<Check>, ToolError> {
    let machine = cloud.ready()?.machine(target.group, target.name).await?;
    let state = machine.power_state();
    Ok(vec![
        check("machine_runs", state == "running", state),
        at_rest(&machine),
        unprotected(&machine),
        // No graceful action is asked for, so it does not have to answer.
        check("guest_agent", true, machine.agent()),
    ])
}

/// It is stopped, nobody has locked it, it is not protected; its disks are listed.
pub(super) async fn stopped(cloud: &Azure, target: &Target<'_>) -> Result<Vec<Check>, ToolError> {
    let arm = &cloud.ready()?.arm;
    let machine = cloud.ready()?.machine(target.group, target.name).await?;
    let state = machine.power_state();
    let locks = locks(arm, &machine.id).await?;
    let locked = match locks.is_empty() {
        true => "none".to_owned(),
        false => locks.join(", "),
    };
    Ok(vec![
        check(
            "machine_stopped",
            matches!(state, "stopped" | "deallocated"),
            state,
        ),
        at_rest(&machine),
        check("no_management_lock", locks.is_empty(), locked),
        unprotected(&machine),
        check("disks", true, fate(&machine)),
    ])
}

fn at_rest(machine: &Machine) -> Check {
    let state = machine.provisioning_state();
    check("no_operation_in_progress", !machine.is_busy(), state)
}

fn unprotected(machine: &Machine) -> Check {
    let protected = machine.is_protected();
    let detail = match protected {
        true => format!("tagged {PROTECT}=true"),
        false => format!("not tagged {PROTECT}"),
    };
    check("not_protected", !protected, detail)
}

/// The names of the locks on a resource, its group or the subscription.
async fn locks(arm: &Arm, id: &str) -> Result<Vec<String>, ToolError> {
    let url = arm.url(None, &["Microsoft.Authorization", "locks"], version::LOCKS);
    let all: Vec<Reference> = arm.list(url).await?;
    let marker = "/providers/microsoft.authorization/locks/";
    let id = format!("{}/", key(id));
    let name = |lock: Reference| {
        let lock = key(&lock.id);
        let (scope, name) = lock.rsplit_once(marker)?;
        id.starts_with(&format!("{scope}/"))
            .then(|| name.to_owned())
    };
    Ok(all.into_iter().filter_map(name).collect())
}

/// What becomes of its disks.
fn fate(machine: &Machine) -> String {
    let told = |disk: &Value| {
        let text = |name| disk.get(name).and_then(Value::as_str);
        let name = text("name").unwrap_or("unnamed");
        match text("deleteOption") {
            Some("Delete") => format!("{name}: deleted with it"),
            _ => format!("{name}: stays"),
        }
    };
    let disks: Vec<String> = machine.disks().iter().map(told).collect();
    disks.join("; ")
}
