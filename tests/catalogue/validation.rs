//! Arguments that do not fit are refused at every door of a spoke, and the body does not begin.

use crate::counted::{SPOKES, Spoke};
use crate::described::Described;
use crate::door::{Door, Way, is_inside};
use crate::wrong;
use serde_json::Value;
use shared::error::Code;
use shared::testkit::{HubCall, HubClient};
use tests::catalogue::Table;

/// Acceptance: 101
#[tokio::test]
async fn no_body_begins_with_arguments_that_do_not_fit() {
    for service in SPOKES {
        let spoke = Spoke::start(service).await;
        let table = Table::of(service.number);
        let mut hub = spoke.hub_client().await;
        let doors = [Way::Modern, Way::Legacy].map(|way| Door::of_spoke(&spoke, way));
        let doors = futures::future::join_all(doors).await;
        for tool in Described::by(&spoke).await {
            let good = spoke.place.fill(table.sample(&tool.id));
            refused(&mut hub, &doors, &tool, &good).await;
        }
        assert_eq!(spoke.runs.all(), 0, "a body began: {:?}", spoke.runs);
        spoke.running.stop().await;
    }
}

async fn refused(hub: &mut HubClient, doors: &[Door], tool: &Described, good: &Value) {
    for wrong in wrong::all(tool, good) {
        let what = format!("{}: {} {}", tool.id, wrong.field, wrong.fault);
        let refused = hub
            .call(&HubCall::new(&tool.id, &wrong.arguments))
            .await
            .unwrap_err();
        let details = refused.details.clone().unwrap_or_default();
        let named = details["field"].as_str().unwrap_or_default();
        assert_eq!(refused.code, Code::InvalidInput, "{what}: {refused}");
        assert!(refused.did_not_run, "{what}");
        assert!(
            named == wrong.field || is_inside(named, &wrong.field),
            "{what}: {refused}"
        );
        for door in doors {
            let answer = door.call(&tool.id, &wrong.arguments).await;
            assert!(answer.names(&wrong.field), "{what}: {}", answer.body);
        }
    }
}
