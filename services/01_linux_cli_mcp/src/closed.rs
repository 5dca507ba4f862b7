//! The program `ssh`, held to the known hosts: options that leave nothing to files and agents of this
//! host. Connections of this spoke itself are in the crate `ssh`.

use shared::tool::ToolError;
use ssh::Hosts;

/// Options that leave nothing to files and agents of this host. Those given first win.
const CLOSED: [&str; 14] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "CheckHostIP=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ProxyCommand=none",
    "ControlMaster=no",
    "ControlPath=none",
    "ConnectTimeout=10",
    "ServerAliveInterval=15",
];

/// Puts the options behind the program.
pub(crate) fn with_closed_options(
    hosts: &Hosts,
    argv: Vec<String>,
) -> Result<Vec<String>, ToolError> {
    let known_hosts = format!("UserKnownHostsFile={}", hosts.known_hosts()?.display());
    let options = CLOSED.iter().map(|option| (*option).to_owned());
    let pairs = options.chain([known_hosts]);
    let fixed = pairs.flat_map(|option| ["-o".to_owned(), option]);
    let mut words = argv.into_iter();
    let program = words.next();
    let closed = ["-F", "/dev/null", "-T"].map(str::to_owned);
    Ok(program
        .into_iter()
        .chain(closed)
        .chain(fixed)
        .chain(words)
        .collect())
}
