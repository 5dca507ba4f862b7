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
fn check(
    limits: &Limits,
    caller: &Caller,
    service: &str,
    tries: u32,
) -> (u32, Option<&'static str>) {
    let mut refused = None;
    let admitted = (0..tries)
        .filter(|_| match limits.admit(caller, &tool(), service) {
            Ok(_) => true,
            Err(limited) => {
                assert!(limited.retry_after > Duration::ZERO);
                refused = Some(limited.scope);
                false
            }
        })
        .count();
    (u32::try_from(admitted).unwrap(), refused)
}

/// Acceptance: 141
#[tokio::test(start_paused = true)]
async fn a_key_over_its_limit_leaves_other_keys_alone() {
    let limits = limits(|_| {});
    let mut five = principal("key:1");
    five.rate_limit = 5;
    let (five, other) = (caller(five), caller(principal("key:2")));
    assert_eq!(
        check(&limits, &five, "12_cmdb_mcp", 6),
        (5, Some("api_key"))
    );
    assert_eq!(check(&limits, &other, "12_cmdb_mcp", 6), (6, None));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(check(&limits, &five, "12_cmdb_mcp", 1), (1, None));
}

#[tokio::test(start_paused = true)]
async fn every_scope_limits() {
    let mut free = principal("key:1");
    free.rate_limit = 0;
    let free = caller(free);
    let of = |change: fn(&mut LimitsConfig), service| check(&limits(change), &free, service, 400);
    assert_eq!(of(|_| {}, "12_cmdb_mcp"), (300, Some("user")));
    assert_eq!(of(|_| {}, "16_ai_models_mcp"), (10, Some("service")));
    let organization = |c: &mut LimitsConfig| c.organization.per_minute = 20;
    assert_eq!(of(organization, "12_cmdb_mcp"), (20, Some("organization")));
    let none = |c: &mut LimitsConfig| {
        c.user_per_minute = 0;
        c.organization = Rates::default();
    };
    assert_eq!(of(none, "12_cmdb_mcp"), (400, None));
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
    let go = |caller: &Caller| limits.admit_with(caller, &tool(), "s", &rules);
    assert!(go(&one).is_ok());
    assert_eq!(go(&one).unwrap_err().scope, "rule");
    assert!(go(&caller(principal("key:2"))).is_ok());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(go(&one).is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_allowance_counts_down_and_tells_when_it_is_whole() {
    let limits = limits(|_| {});
    let mut five = principal("key:1");
    five.rate_limit = 5;
    let five = caller(five);
    let first = limits.admit(&five, &tool(), "s").unwrap();
    assert_eq!(
        (first.scope, first.limit, first.remaining),
        ("api_key", 5, 4)
    );
    tokio::time::advance(Duration::from_secs(10)).await;
    let second = limits.admit(&five, &tool(), "s").unwrap();
    assert_eq!((second.remaining, second.reset), (3, MINUTE));
}

#[tokio::test(start_paused = true)]
async fn addresses_and_routes_have_limits_of_their_own() {
    let limits = limits(|config| config.ip_per_minute = 2);
    let go = |text: &str| limits.admit_ip(text.parse().unwrap()).is_ok();
    assert!(go("192.0.2.1") && go("::ffff:192.0.2.1") && !go("192.0.2.1"));
    assert!(go("2001:db8::1") && go("2001:db8::ffff") && !go("2001:db8::2"));
    assert!(go("192.0.2.2"));
    assert!(limits.admit_endpoint("key:1", "/mcp/execute", 1).is_ok());
    assert!(limits.admit_endpoint("key:1", "/mcp/execute", 1).is_err());
    assert!(limits.admit_endpoint("key:1", "/mcp", 1).is_ok());
    assert!(limits.admit_endpoint("key:1", "/health", 0).is_ok());
}
