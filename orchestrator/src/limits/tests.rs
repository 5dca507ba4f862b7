//! The scopes together, under paused time.

use super::*;
use crate::caller::testing::{caller, principal};

fn limits(change: impl FnOnce(&mut LimitsConfig)) -> Limits {
    let mut config = LimitsConfig::default();
    change(&mut config);
    Limits::new(config)
}

fn tool() -> ToolId {
    ToolId::parse("cmdb.local.listServers").unwrap()
}

/// How many of `tries` calls are admitted, and the scope that refused the last.
async fn check(
    limits: &Limits,
    caller: &Caller,
    service: &str,
    tries: u32,
) -> (u32, Option<&'static str>) {
    let mut refused = None;
    let mut admitted = 0;
    for _ in 0..tries {
        match limits.admit(caller, &tool(), service).await {
            Ok(_) => admitted += 1,
            Err(limited) => {
                assert!(limited.retry_after > Duration::ZERO);
                refused = Some(limited.scope);
            }
        }
    }
    (admitted, refused)
}

/// Acceptance: 141
#[tokio::test(start_paused = true)]
async fn a_key_over_its_limit_leaves_other_keys_alone() {
    let limits = limits(|_| {});
    let mut five = principal("key:1");
    five.rate_limit = 5;
    let (five, other) = (caller(five), caller(principal("key:2")));
    assert_eq!(
        check(&limits, &five, "12_cmdb_mcp", 6).await,
        (5, Some("api_key"))
    );
    assert_eq!(check(&limits, &other, "12_cmdb_mcp", 6).await, (6, None));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(check(&limits, &five, "12_cmdb_mcp", 1).await, (1, None));
}

#[tokio::test(start_paused = true)]
async fn every_scope_limits() {
    let mut free = principal("key:1");
    free.rate_limit = 0;
    let free = caller(free);
    let of = async |change: fn(&mut LimitsConfig), service| {
        check(&limits(change), &free, service, 400).await
    };
    assert_eq!(of(|_| {}, "12_cmdb_mcp").await, (300, Some("user")));
    assert_eq!(of(|_| {}, "16_ai_models_mcp").await, (10, Some("service")));
    let organization = |c: &mut LimitsConfig| c.organization.per_minute = 20;
    assert_eq!(
        of(organization, "12_cmdb_mcp").await,
        (20, Some("organization"))
    );
    let none = |c: &mut LimitsConfig| {
        c.user_per_minute = 0;
        c.organization = Rates::default();
    };
    assert_eq!(of(none, "12_cmdb_mcp").await, (400, None));
}

#[tokio::test(start_paused = true)]
async fn rules_limit_each_principal_and_tool() {
    let limits = limits(|_| {});
    let rule = RuleLimit {
        rule: "slow".into(),
        rates: Rates {
            burst: 1,
            ..Rates::default()
        },
    };
    let rules = [rule];
    let one = caller(principal("key:1"));
    let go = async |caller: &Caller| limits.admit_with(caller, &tool(), "s", &rules).await;
    assert!(go(&one).await.is_ok());
    assert_eq!(go(&one).await.unwrap_err().scope, "rule");
    assert!(go(&caller(principal("key:2"))).await.is_ok());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(go(&one).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_allowance_counts_down_and_tells_when_it_is_whole() {
    let limits = limits(|_| {});
    let mut five = principal("key:1");
    five.rate_limit = 5;
    let five = caller(five);
    let first = limits.admit(&five, &tool(), "s").await.unwrap();
    assert_eq!(
        (first.scope, first.limit, first.remaining),
        ("api_key", 5, 4)
    );
    tokio::time::advance(Duration::from_secs(10)).await;
    let second = limits.admit(&five, &tool(), "s").await.unwrap();
    assert_eq!((second.remaining, second.reset), (3, MINUTE));
}

#[tokio::test(start_paused = true)]
async fn addresses_and_routes_have_limits_of_their_own() {
    let limits = limits(|config| config.ip_per_minute = 2);
    let go = async |text: &str| limits.admit_ip(text.parse().unwrap()).await.is_ok();
    assert!(go("192.0.2.1").await && go("::ffff:192.0.2.1").await && !go("192.0.2.1").await);
    assert!(go("2001:db8::1").await && go("2001:db8::ffff").await && !go("2001:db8::2").await);
    assert!(go("192.0.2.2").await);
    assert!(
        limits
            .admit_endpoint("key:1", "/mcp/execute", 1)
            .await
            .is_ok()
    );
    assert!(
        limits
            .admit_endpoint("key:1", "/mcp/execute", 1)
            .await
            .is_err()
    );
    assert!(limits.admit_endpoint("key:1", "/mcp", 1).await.is_ok());
    assert!(limits.admit_endpoint("key:1", "/health", 0).await.is_ok());
}
