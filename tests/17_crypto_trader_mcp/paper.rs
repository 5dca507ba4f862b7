//! Trades on paper and alerts.

use crate::running::{answer, before, btc, near, with, within};
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::{Effect, ToolError};
use tests::markets::Markets;
use tests::rig::Rig;

const TRADE: &str = "crypto.trade.simulate";
/// Where the spoke keeps its account.
const DATA: &str = "data/17_crypto_trader_mcp";

async fn traded(rig: &mut Rig, arguments: Value) -> Result<Value, ToolError> {
    rig.approved(TRADE, btc(arguments), Effect::Mutate).await
}

#[tokio::test]
async fn a_purchase_and_a_sale_are_booked_and_survive_a_restart() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    let bought = traded(&mut rig, json!({"side": "buy", "amount": 10})).await;
    let bought = bought.unwrap();
    near(&bought["trade"]["price"], 121.0);
    near(&bought["trade"]["fee"], 1.21);
    near(
        &bought["portfolio"]["balances"]["USDT"],
        10_000.0 - 1210.0 - 1.21,
    );
    let sold = traded(&mut rig, json!({"side": "sell", "amount": 4, "price": 200})).await;
    sold.unwrap();
    let old = rig.path(DATA);
    rig.running.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join(DATA);
    std::fs::create_dir_all(&data).unwrap();
    for entry in std::fs::read_dir(&old).unwrap().flatten() {
        std::fs::copy(entry.path(), data.join(entry.file_name())).unwrap();
    }
    let mut rig = within(folder, &stub, &[]).await;
    let told = answer(&mut rig, "crypto.portfolio.balance", json!({})).await;
    let money = 10_000.0 - 1211.21 + 800.0 - 0.8;
    near(&told["balances"]["USDT"], money);
    near(&told["balances"]["BTC"], 6.0);
    near(&told["positions"][0]["average_price"], 121.121);
    near(&told["total_value_usdt"], money + 6.0 * 120.5);
    assert_eq!(told["trades_count"], 2);
    let profit = 800.0 - 0.8 - 4.0 * 121.121;
    let told = answer(
        &mut rig,
        "crypto.portfolio.performance",
        json!({"period": "day"}),
    )
    .await;
    near(&told["pnl_usdt"], profit);
    near(&told["pnl_percent"], profit / 100.0);
    assert_eq!((&told["winners"], &told["losers"]), (&json!(1), &json!(0)));
    let told = answer(&mut rig, "crypto.portfolio.allocation", json!({})).await;
    assert_eq!(told["allocation"][0]["asset"], "USDT");
    let first = answer(&mut rig, "crypto.portfolio.history", json!({"limit": 1})).await;
    assert_eq!(first["trades"][0]["side"], "sell");
    let arguments = json!({"limit": 1, "cursor": first["next_cursor"]});
    let second = answer(&mut rig, "crypto.portfolio.history", arguments).await;
    assert_eq!(second["trades"][0]["side"], "buy");
    assert_eq!(second["next_cursor"], Value::Null);
}

#[tokio::test]
async fn the_account_never_owes_and_pays_with_usdt_only() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    for (arguments, code) in [
        (json!({"side": "buy", "amount": 1000}), Code::Conflict),
        (json!({"side": "sell", "amount": 1}), Code::Conflict),
    ] {
        let error = traded(&mut rig, arguments).await.unwrap_err();
        assert_eq!((error.code, error.did_not_run), (code, true));
    }
    let arguments = json!({"symbol": "ETH/BTC", "side": "buy", "amount": 1});
    let error = rig.approved(TRADE, arguments, Effect::Mutate).await;
    assert_eq!(error.unwrap_err().code, Code::InvalidInput);
    let error = rig.call("crypto.portfolio.balance", json!({"exchange": "kraken"}));
    assert_eq!(error.await.unwrap_err().code, Code::NotSupported);
    let told = answer(&mut rig, "crypto.portfolio.balance", json!({})).await;
    assert_eq!(told["balances"], json!({"USDT": 10000.0}));
}

#[tokio::test]
async fn approval_is_a_setting_and_so_is_paper_trading() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    let arguments = btc(json!({"side": "buy", "amount": 1}));
    let error = rig.call(TRADE, arguments.clone()).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired);
    let summary = rig.summary(TRADE, arguments.clone()).await;
    assert!(summary.contains("buy 1 BTC/USDT"), "{summary}");
    let mut free = with(&stub, &[("REQUIRE_TRADE_APPROVAL", "false")]).await;
    let call = tests::rig::now(TRADE, &arguments).key("paper-1");
    let told = free.hub.call(&call).await.unwrap();
    assert_eq!(told["trade"]["side"], "buy");
    let again = free.hub.call(&call).await.unwrap();
    assert_eq!(again["trade"]["id"], told["trade"]["id"], "sent once");
    let mut off = with(&stub, &[("ENABLE_PAPER_TRADING", "false")]).await;
    let error = off.approved(TRADE, arguments, Effect::Mutate).await;
    let error = error.unwrap_err();
    assert!(error.message.contains("ENABLE_PAPER_TRADING"), "{error}");
}

#[tokio::test]
async fn alerts_are_kept_listed_and_removed() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    let condition = json!({"symbol": "BTC/USDT", "metric": "price", "op": "gt", "value": 100.0});
    let arguments = json!({"condition": condition});
    let call = tests::rig::now("crypto.alerts.create", &arguments).key("alert-1");
    let made = rig.hub.call(&call).await.unwrap();
    assert_eq!(made["alert"]["condition"], condition);
    assert_eq!(made["alert"]["active"], true);
    let listed = answer(&mut rig, "crypto.alerts.list", json!({})).await;
    assert_eq!(listed["alerts"][0]["id"], made["alert"]["id"]);
    for deleted in [true, false] {
        let arguments = json!({"alert_id": made["alert"]["id"]});
        let key = format!("delete-{deleted}");
        let call = tests::rig::now("crypto.alerts.delete", &arguments).key(&key);
        assert_eq!(rig.hub.call(&call).await.unwrap()["deleted"], deleted);
    }
    let listed = answer(
        &mut rig,
        "crypto.alerts.list",
        json!({"active_only": false}),
    )
    .await;
    assert_eq!(listed["count"], 0);
}
