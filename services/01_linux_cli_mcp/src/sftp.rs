//! `os.linux.sftp.listUsers`: who may transfer files.

use crate::host::Host;
use crate::os_info::NoArguments;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use shared::error::Code;
use shared::exec::Run;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// The tool.
pub(crate) struct ListUsers(pub(crate) Arc<Host>);

/// Members of the group, in the order of names.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Users {
    group: String,
    users: Vec<User>,
    /// Number of users.
    count: usize,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
struct User {
    name: String,
    uid: u32,
    home: String,
    shell: String,
}

#[async_trait]
impl TypedTool for ListUsers {
    type Arguments = NoArguments;
    type Output = Users;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.sftp.listUsers",
            Effect::Read,
            "List the users of the SFTP group (SFTP_GROUP) of this host with home and shell.",
        )
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Users, ToolError> {
        let group = self.0.config.sftp.group.clone();
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if group.is_empty() || group.starts_with('-') || !group.chars().all(plain) {
            return Err(ToolError::not_configured("SFTP_GROUP"));
        }
        let found = self
            .0
            .run(Run::new("getent", ["group", group.as_str()]))
            .await?;
        // 2: no such key.
        if found.exit_code() == 2 {
            let message = format!("there is no group {group}; SFTP_GROUP names it");
            return Err(ToolError::refused(Code::NotFound, message));
        }
        let passwd = self.0.output(Run::new("getent", ["passwd"])).await?;
        let users = members(&found.stdout.text(), &passwd);
        Ok(Users {
            group,
            count: users.len(),
            users,
        })
    }
}

/// Users of a group, by its list of members or by their own group.
fn members(group: &str, passwd: &str) -> Vec<User> {
    let line = group.lines().next().unwrap_or_default();
    let mut fields = line.split(':').skip(2);
    let gid = fields.next().unwrap_or_default();
    let names: Vec<_> = fields.next().unwrap_or_default().split(',').collect();
    let user = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, uid, own_gid, _, home, shell] = fields.as_slice() else {
            return None;
        };
        let belongs = (!gid.is_empty() && *own_gid == gid) || names.contains(name);
        belongs.then_some(())?;
        Some(User {
            name: (*name).to_owned(),
            uid: uid.parse().ok()?,
            home: (*home).to_owned(),
            shell: (*shell).to_owned(),
        })
    };
    let mut users: Vec<_> = passwd.lines().filter_map(user).collect();
    users.sort_unstable();
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_list_and_by_own_group() {
        let passwd = "root:x:0:0::/root:/bin/sh\nzoe:x:7:50::/h/zoe:/bin/false\nann:x:8:8::/h/ann:/bin/sh\nbad\n";
        let names = |group| {
            let users = members(group, passwd);
            users.into_iter().map(|user| user.name).collect::<Vec<_>>()
        };
        assert_eq!(names("sftpusers:x:50:ann\n"), ["ann", "zoe"]);
        assert_eq!(names("sftpusers:x:99:\n"), [""; 0]);
        assert_eq!(names(""), [""; 0]);
    }
}
