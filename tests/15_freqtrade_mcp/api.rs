//! Each tool that asks the bot.

use crate::stub::{PASSWORD, Stub, USER};
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::Effect;
use spoke_15_freqtrade_mcp::SERVICE;
use tests::rig::{Rig, now};

async fn before(stub: &Stub) -> Rig {
    Rig::start(
        &SERVICE,
        &[
            ("FREQTRADE_API_URL", &stub.url()),
            ("FREQTRADE_USERNAME", USER),
            ("FREQTRADE_PASSWORD", PASSWORD),
            ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1"),
        ],
    )
    .await
}

/// Acceptance: 60
#[tokio::test]
async fn what_the_bot_tells_comes_back_as_it_is() {
    let stub = Stub::start().await;
    let mut bot = before(&stub).await;
    for (tool, arguments, path) in [
        ("getStatus", json!({}), "status"),
        ("getTradeCount", json!({}), "count"),
        ("getBotHealth", json!({}), "health"),
        ("getVersion", json!({}), "version"),
        ("showConfig", json!({}), "show_config"),
        ("getBalance", json!({}), "balance"),
        ("getProfitSummary", json!({}), "profit"),
        ("getDailyStats", json!({"days": 3}), "daily?timescale=3"),
        ("getPerformance", json!({}), "performance"),
        (
            "getTradesHistory",
            json!({"limit": 2, "offset": 4}),
            "trades?limit=2&offset=4",
        ),
        ("getTrade", json!({"trade_id": 7}), "trade/7"),
        ("getWhitelist", json!({}), "whitelist"),
        ("getBlacklist", json!({}), "blacklist"),
        ("getLocks", json!({}), "locks"),
    ] {
        let told = bot
            .call(&format!("freqtrade.api.{tool}"), arguments)
            .await
            .unwrap();
        assert!(
            told["bot"].is_object() || told["bot"].is_array(),
            "{tool}: {told}"
        );
        assert_eq!(stub.state.lock().told.last().unwrap().1, path, "{tool}");
    }
}

/// Acceptance: 60
#[tokio::test]
async fn what_the_bot_is_told_is_sent_once_somebody_agreed() {
    let stub = Stub::start().await;
    let mut bot = before(&stub).await;
    let until = "2030-01-02T03:04:05Z";
    let wanted = [
        ("stopBot", json!({}), "POST", "stop", Value::Null),
        ("pauseBot", json!({}), "POST", "pause", Value::Null),
        ("stopBuy", json!({}), "POST", "stopbuy", Value::Null),
        (
            "reloadConfig",
            json!({}),
            "POST",
            "reload_config",
            Value::Null,
        ),
        (
            "addToBlacklist",
            json!({"pair": "A/B"}),
            "POST",
            "blacklist",
            json!({"blacklist": ["A/B"]}),
        ),
        (
            "deleteFromBlacklist",
            json!({"pairs": ["DOGE/USDT", "A/B"]}),
            "DELETE",
            "blacklist?pairs_to_delete=DOGE%2FUSDT&pairs_to_delete=A%2FB",
            Value::Null,
        ),
        (
            "addLock",
            json!({"pair": "A/B", "until": until, "reason": "r"}),
            "POST",
            "locks",
            json!([{"pair": "A/B", "until": until, "side": "*", "reason": "r"}]),
        ),
        (
            "deleteLock",
            json!({"lock_id": 3}),
            "DELETE",
            "locks/3",
            Value::Null,
        ),
    ];
    for (tool, arguments, method, path, body) in wanted {
        let tool = format!("freqtrade.api.{tool}");
        let held = bot.call(&tool, arguments.clone()).await.unwrap_err();
        assert_eq!(held.code, Code::ApprovalRequired, "{tool}");
        let before = stub.done().len();
        bot.approved(&tool, arguments, Effect::Mutate)
            .await
            .unwrap();
        let done = stub.done();
        assert_eq!(done.len(), before + 1, "{tool}: once");
        let last = done.last().unwrap();
        assert_eq!(
            (last.0.as_str(), last.1.as_str(), &last.2),
            (method, path, &body),
            "{tool}"
        );
    }
}

/// Acceptance: 344
#[tokio::test]
async fn trades_by_hand_are_sent_and_their_approval_shows_whether_money_is_real() {
    let enter = json!({"pair": "BTC/USDT", "stake_amount": 20.5, "rate": 3.0, "enter_tag": "me"});
    let stub = Stub::start().await;
    let mut bot = before(&stub).await;
    let summary = bot.summary("freqtrade.api.forceEnter", enter.clone()).await;
    assert!(summary.contains("dry run: no real money"), "{summary}");
    let forced = bot
        .approved("freqtrade.api.forceEnter", enter.clone(), Effect::Critical)
        .await
        .unwrap();
    assert_eq!(
        (&forced["bot"]["trade_id"], &forced["dry_run"]),
        (&json!(8), &json!(true))
    );
    let sent = json!({"pair": "BTC/USDT", "side": "long", "price": 3.0, "stakeamount": 20.5, "entry_tag": "me"});
    assert_eq!(stub.done().last().unwrap().2, sent);
    let exit = json!({"trade_id": 7, "order_type": "market", "exit_reason": "enough"});
    bot.approved("freqtrade.api.forceExit", exit, Effect::Critical)
        .await
        .unwrap();
    assert_eq!(
        stub.done().last().unwrap().2,
        json!({"tradeid": "7", "ordertype": "market"})
    );
    bot.approved("freqtrade.api.startBot", json!({}), Effect::Critical)
        .await
        .unwrap();
}

/// Acceptance: 344
#[tokio::test]
async fn trades_by_hand_are_not_sent_when_the_bot_is_not_ready_for_them() {
    let stub = Stub::start().await;
    let mut bot = before(&stub).await;
    let enter = with("BTC/USDT");
    let sent = stub.done().len();
    for (tool, arguments, check) in [
        ("forceEnter", with("ETH/USDT"), "whitelist"),
        ("forceEnter", with("DOGE/USDT"), "blacklist"),
        ("forceEnter", with("XRP/USDT"), "locks"),
        (
            "forceEnter",
            json!({"pair": "BTC/USDT", "stake_amount": 81}),
            "stake",
        ),
        ("forceExit", json!({"trade_id": 8}), "trade"),
    ] {
        let tool = format!("freqtrade.api.{tool}");
        refused(&mut bot, &tool, arguments, check).await;
    }
    stub.instead("count", 200, json!({"current": 3, "max": 3}));
    refused(
        &mut bot,
        "freqtrade.api.forceEnter",
        enter.clone(),
        "open trades",
    )
    .await;
    stub.instead(
        "show_config",
        200,
        json!({"dry_run": false, "state": "stopped"}),
    );
    let summary = bot.summary("freqtrade.api.startBot", json!({})).await;
    assert!(summary.contains("NOT a dry run"), "{summary}");
    refused(&mut bot, "freqtrade.api.forceEnter", enter, "running").await;
    stub.instead("show_config", 200, json!({"state": "running"}));
    refused(
        &mut bot,
        "freqtrade.api.startBot",
        json!({}),
        "configuration",
    )
    .await;
    stub.instead(
        "show_config",
        503,
        json!({"detail": "Bot is not in the correct state."}),
    );
    refused(&mut bot, "freqtrade.api.startBot", json!({}), "bot").await;
    assert_eq!(stub.done().len(), sent, "nothing was sent");
}

fn with(pair: &str) -> Value {
    json!({"pair": pair})
}

/// A check fails, is named, and the approved call is not sent.
async fn refused(bot: &mut Rig, tool: &str, arguments: Value, check: &str) {
    let assessment = bot.hub.assess(&now(tool, &arguments)).await.unwrap();
    let failed = assessment.checks.iter().find(|it| !it.ok);
    assert_eq!(
        failed.map(|it| it.name.as_str()),
        Some(check),
        "{tool} {arguments}"
    );
    let error = bot
        .approved(tool, arguments, Effect::Critical)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotReady, "{tool}: {error}");
}

#[tokio::test]
async fn a_token_that_ran_out_is_renewed_and_a_wrong_password_is_said() {
    let stub = Stub::start().await;
    let mut bot = before(&stub).await;
    bot.call("freqtrade.api.getVersion", json!({}))
        .await
        .unwrap();
    stub.state.lock().token = 2;
    bot.call("freqtrade.api.getVersion", json!({}))
        .await
        .unwrap();
    let mut wrong = Rig::start(
        &SERVICE,
        &[
            ("FREQTRADE_API_URL", &stub.url()),
            ("FREQTRADE_USERNAME", USER),
            ("FREQTRADE_PASSWORD", "another-0123456789"),
            ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1"),
        ],
    )
    .await;
    let error = wrong
        .call("freqtrade.api.getVersion", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::BadGateway, "{error}");
    assert!(
        error.message.contains("FREQTRADE_PASSWORD_SECRET_PATH"),
        "{error}"
    );
    assert!(!error.to_string().contains("another-0123456789"), "{error}");
    let (_, health) = wrong.probe("/health").await;
    assert_eq!(health["status"], "degraded", "{health}");
}

#[tokio::test]
async fn trouble_of_the_bot_has_a_code_and_its_words() {
    let stub = Stub::start().await;
    let mut bot = before(&stub).await;
    for (status, body, code) in [
        (429, json!({}), Code::RateLimited),
        (500, json!({}), Code::ServiceUnavailable),
        (404, json!({"detail": "Trade not found."}), Code::NotFound),
        (
            502,
            json!({"error": "Error querying /api/v1/trade/7: odd"}),
            Code::ServiceUnavailable,
        ),
    ] {
        stub.instead("trade/7", status, body.clone());
        let error = bot
            .call("freqtrade.api.getTrade", json!({"trade_id": 7}))
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{status}: {error}");
        let said = body
            .as_object()
            .unwrap()
            .values()
            .next()
            .and_then(Value::as_str);
        assert!(error.message.contains(said.unwrap_or("the bot")), "{error}");
    }
}

#[tokio::test]
async fn without_a_bot_its_tools_say_what_to_set() {
    let mut bare = Rig::start(&SERVICE, &[]).await;
    for tool in ["freqtrade.api.getStatus", "freqtrade.api.startBot"] {
        let error = bare.call(tool, json!({})).await.unwrap_err();
        assert_eq!(error.code, Code::NotConfigured, "{tool}: {error}");
        assert!(
            error.message.contains("FREQTRADE_API_URL"),
            "{tool}: {error}"
        );
    }
    let (status, health) = bare.probe("/health").await;
    assert_eq!((status, &health["status"]), (200, &json!("degraded")));
    assert!(
        health.to_string().contains("FREQTRADE_SOURCE_PATH"),
        "{health}"
    );
}
