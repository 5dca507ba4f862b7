//! The spoke held against its table of the catalogue.

use serde_json::json;
use shared::error::Code;
use shared::testkit::HubCall;
use shared::tool::Effect;
use spoke_12_cmdb_mcp::SERVICE;
use tests::contract::Contract;
use tests::contract::counted::Spoke;
use tests::contract::place::Place;

const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish,
};

const SHEET: &str = "hostname,ip_address,os_type,os_version,services,path,user,ssh_access_notes\n\
                     web1,192.0.2.1,linux,13,nginx,,,\n\
                     db1,192.0.2.2,linux,13,postgresql,,,\n";

/// A CMDB of two servers.
fn furnish(place: &Place) -> Vec<(&'static str, String)> {
    place.write("files/cmdb.csv", SHEET.as_bytes());
    let sheet = place.path("files/cmdb.csv").display().to_string();
    vec![("LOCAL_CMDB_PATH", sheet)]
}

tests::contract_tests!(CONTRACT);

/// The counter of the contract counts: otherwise nothing it holds back would prove anything.
#[tokio::test]
async fn a_change_that_is_approved_is_counted() {
    let spoke = Spoke::start(&CONTRACT).await;
    let tool = "cmdb.local.createServer";
    let mut hub = spoke.hub_client().await;
    let arguments = json!({"record": {"hostname": "new1", "ip_address": "192.0.2.9"}});
    let call = HubCall::new(tool, &arguments).key("once");
    let approved = hub.approve(call, Effect::Mutate);
    let reached = hub.call(&approved).await.unwrap_err();
    assert_eq!(reached.code, Code::InternalError, "{reached}");
    assert_eq!(spoke.runs.of_tool(tool), 1);
    spoke.running.stop().await;
}
