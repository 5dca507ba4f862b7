//! Spoke 03 from outside: the real harness on a free port before a strict stub of Azure and before
//! Azurite.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod blobs;
mod contract;
mod machines;
mod servers;

use spoke_03_azure_mcp::SERVICE;
use tests::azure::Azure;
use tests::rig::Rig;

async fn with(settings: &[(&'static str, String)]) -> Rig {
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Rig::start(&SERVICE, &settings).await
}

async fn before(stub: &Azure) -> Rig {
    with(&stub.settings("http://127.0.0.1:1/{account}")).await
}
