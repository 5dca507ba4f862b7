//! The spoke before the stubs.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests; clippy does not see them as tests"
)]

use serde_json::{Value, json};
use spoke_17_crypto_trader_mcp::SERVICE;
use tempfile::TempDir;
use tests::markets::Markets;
use tests::rig::Rig;

pub(crate) async fn before(stub: &Markets) -> Rig {
    with(stub, &[]).await
}

/// With further variables; later ones win.
pub(crate) async fn with(stub: &Markets, more: &[(&'static str, &str)]) -> Rig {
    within(tempfile::tempdir().unwrap(), stub, more).await
}

/// In a folder that was used before.
pub(crate) async fn within(folder: TempDir, stub: &Markets, more: &[(&'static str, &str)]) -> Rig {
    let own = stub.variables();
    let mut variables: Vec<(&str, &str)> = own.iter().map(|(k, v)| (*k, v.as_str())).collect();
    variables.extend_from_slice(more);
    Rig::attempt(&SERVICE, folder, &variables, "")
        .await
        .unwrap()
}

/// The answer of a tool that must answer.
pub(crate) async fn answer(rig: &mut Rig, tool: &str, arguments: Value) -> Value {
    let answer = rig.call(tool, arguments.clone()).await;
    answer.unwrap_or_else(|error| panic!("{tool} {arguments}: {error}"))
}

pub(crate) fn near(is: &Value, wanted: f64) {
    let number = is.as_f64().unwrap_or(f64::NAN);
    assert!((number - wanted).abs() < 1e-6, "{is} is not {wanted}");
}

/// BTC/USDT and more arguments.
pub(crate) fn btc(mut more: Value) -> Value {
    more["symbol"] = json!("BTC/USDT");
    more
}
