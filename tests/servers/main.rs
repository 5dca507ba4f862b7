//! Third-party MCP servers, unchanged, behind a running hub: registered by REST, listed, called,
//! killed. `deploy/scripts/test-deps.sh` installs them.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod drills;
mod installed;
mod listed;
mod rig;
