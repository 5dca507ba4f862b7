//! Spoke 04 from outside: the real harness on a free port before a stub that is held against Google's
//! discovery documents, and an emulator of Cloud Storage.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod contract;
mod databases;
mod instances;
mod objects;
mod trouble;

use spoke_04_google_cloud_mcp::SERVICE;
use tests::google::Google;
use tests::rig::Rig;

async fn with(settings: &[(&'static str, String)]) -> Rig {
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Rig::start(&SERVICE, &settings).await
}

async fn before(stub: &Google) -> Rig {
    with(&stub.settings()).await
}
