//! Third-party MCP servers, unchanged, behind a running hub: registered by REST, listed, called,
//! killed. `deploy/scripts/test-deps.sh` installs them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and start programs of others"
)]

mod drills;
mod installed;
mod listed;
mod rig;
