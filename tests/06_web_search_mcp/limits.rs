//! How often may be searched through a hub.

use crate::contract::CONTRACT;
use serde_json::json;
use tests::contract::door::Way;
use tests::contract::installation::Installation;

/// Acceptance: 85
#[tokio::test(flavor = "multi_thread")]
async fn the_sixty_first_call_of_a_minute_is_told_to_wait() {
    let all = Installation::open(&CONTRACT).await;
    let door = all.door(Way::Modern).await;
    let mut taken = 0;
    // A minute may end in between, so a few calls more.
    let refused = loop {
        let answer = door.call("web.search.listEngines", &json!({})).await;
        if answer.result.is_null() {
            break answer.body.to_string();
        }
        taken += 1;
        assert!(taken < 125, "nobody counts: {}", answer.body);
    };
    assert!(taken >= 60, "{taken} calls were taken: {refused}");
    assert!(refused.contains("RATE_LIMITED"), "{refused}");
    assert!(refused.contains("retry_after_ms"), "{refused}");
}
