//! Market data of each exchange, and how their failures are told.

use crate::running::{answer, before, btc, near, with};
use serde_json::{Value, json};
use shared::error::Code;
use spoke_17_crypto_trader_mcp::SERVICE;
use tests::markets::{Markets, price};
use tests::rig::Rig;

const PRICE: &str = "crypto.market.price";
const OHLCV: &str = "crypto.market.ohlcv";

/// Acceptance: 66
#[tokio::test]
async fn each_exchange_tells_the_same_price() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    for (exchange, change, volume) in [
        ("binance", 2.5, 1000.5),
        ("kraken", 20.5, 200.5),
        ("coinbase", 20.5, 300.5),
    ] {
        let arguments = json!({"symbols": ["BTC/USDT"], "exchange": exchange});
        let prices = answer(&mut rig, PRICE, arguments).await;
        let is = &prices["prices"]["BTC/USDT"];
        assert_eq!(prices["exchange"], exchange);
        for (name, wanted) in [
            ("price", 120.5),
            ("bid", 120.0),
            ("ask", 121.0),
            ("high_24h", 125.0),
            ("low_24h", 115.0),
            ("change_24h", change),
            ("volume_24h", volume),
        ] {
            near(&is[name], wanted);
        }
    }
    let arguments = json!({"symbols": ["ETH/USDT", "BTC/USDT"]});
    let two = answer(&mut rig, PRICE, arguments).await;
    assert_eq!(two["prices"].as_object().unwrap().len(), 2);
}

/// Acceptance: 66
#[tokio::test]
async fn candles_of_every_exchange_are_whole_and_in_order() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    for (exchange, timeframe, step, limit) in [
        ("binance", "1h", 3_600_000, 100),
        ("kraken", "4h", 14_400_000, 50),
        ("coinbase", "1m", 60_000, 700),
    ] {
        let arguments = json!({"timeframe": timeframe, "limit": limit, "exchange": exchange});
        let candles = answer(&mut rig, OHLCV, btc(arguments)).await;
        let rows = candles["data"].as_array().unwrap();
        assert_eq!(rows.len(), limit, "{exchange}");
        assert_eq!(candles["count"], limit);
        let begin = |row: &Value| row[0].as_f64().unwrap();
        for pair in rows.windows(2) {
            near(&json!(begin(&pair[1]) - begin(&pair[0])), f64::from(step));
        }
        let last = rows.last().unwrap();
        let time: jiff::Timestamp = "1970-01-01T00:00:00Z".parse().unwrap();
        let millis = time.as_millisecond() + begin(last).to_string().parse::<i64>().unwrap();
        let close = price(millis, step.into());
        near(&last[4], close);
        near(&candles["latest"]["high"], close + 5.0);
        near(&candles["latest"]["low"], close - 5.0);
        near(&last[5], 10.5);
    }
}

#[tokio::test]
async fn steps_an_exchange_does_not_know_are_put_together() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    let arguments = json!({"timeframe": "4h", "limit": 10, "exchange": "coinbase"});
    let candles = answer(&mut rig, OHLCV, btc(arguments)).await;
    assert_eq!(candles["count"], 10);
    let first = &candles["data"][0];
    near(&first[5], 42.0);
    assert!(stub.seen().iter().all(|it| it.contains("granularity=3600")));
}

#[tokio::test]
async fn offers_and_trades_are_told_alike() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    for exchange in ["binance", "kraken", "coinbase"] {
        let arguments = btc(json!({"depth": 1, "exchange": exchange}));
        let book = answer(&mut rig, "crypto.market.orderbook", arguments).await;
        assert_eq!(book["bids"], json!([[120.0, 1.5]]), "{exchange}");
        assert_eq!(
            (&book["spread"], &book["mid"]),
            (&json!(1.0), &json!(120.5))
        );
    }
    for (exchange, id, side) in [
        ("binance", "3", "buy"),
        ("kraken", "42", "sell"),
        ("coinbase", "9", "sell"),
    ] {
        let arguments = btc(json!({"limit": 1, "exchange": exchange}));
        let trades = answer(&mut rig, "crypto.market.trades", arguments).await;
        assert_eq!(trades["trades"][0]["id"], id, "{exchange}");
        assert_eq!(trades["trades"][0]["side"], side, "{exchange}");
        assert_eq!(trades["count"], 1);
    }
    let large = answer(&mut rig, "crypto.monitor.whale", btc(json!({}))).await;
    assert_eq!(large["count"], 1, "{large}");
    assert_eq!(large["trades"][0]["notional_usd"], 1_500_000.0);
    assert_eq!(large["trades"][0]["side"], "sell");
}

#[tokio::test]
async fn refusals_are_told_in_our_codes() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    for (exchange, code, words) in [
        ("binance", Code::InvalidInput, "Invalid symbol."),
        ("kraken", Code::NotFound, "does not trade this pair"),
        ("coinbase", Code::NotFound, "NotFound"),
    ] {
        let arguments = json!({"symbols": ["NIX/USDT"], "exchange": exchange});
        let error = rig.call(PRICE, arguments).await.unwrap_err();
        assert_eq!(error.code, code, "{exchange}: {error}");
        assert!(error.message.contains(words), "{error}");
    }
    for (status, body, code, retryable) in [
        (429, json!({"msg": "slow hunter2"}), Code::RateLimited, true),
        (
            500,
            json!({"msg": "hunter2"}),
            Code::ServiceUnavailable,
            true,
        ),
        (200, json!([1, 2]), Code::BadGateway, false),
        (302, json!({}), Code::BadGateway, false),
    ] {
        stub.refuse_next(status, body);
        let error = rig.call(PRICE, json!({"symbols": ["BTC/USDT"]})).await;
        let error = error.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, retryable), "{error}");
        assert!(!error.message.contains("hunter2"), "{error}");
    }
    stub.refuse_next(503, json!({}));
    rig.call(OHLCV, btc(json!({}))).await.unwrap_err();
    let (_, health) = rig.probe("/health").await;
    assert_eq!(health["status"], "degraded", "{health}");
    let told = answer(&mut rig, "crypto.health", json!({})).await;
    assert_eq!(told["exchanges"]["binance"], false, "{told}");
    assert_eq!(told["features"]["live_orders"], false);
}

#[tokio::test]
async fn an_exchange_without_address_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[urls]\nbinance = \"\"\n";
    let rig = Rig::attempt(&SERVICE, folder, &[], settings).await;
    let mut rig = rig.unwrap();
    let error = rig.call(OHLCV, btc(json!({}))).await.unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
    assert!(error.message.contains("EXCHANGE_URL_BINANCE"), "{error}");
    let error = rig.call("crypto.defi.gas", json!({})).await.unwrap_err();
    assert!(error.message.contains("ETH_RPC_URL"), "{error}");
    let (_, health) = rig.probe("/health").await;
    assert!(
        health.to_string().contains("EXCHANGE_URL_BINANCE"),
        "{health}"
    );
}

#[tokio::test]
async fn answers_are_used_again_for_a_while() {
    let stub = Markets::start().await;
    let mut rig = with(&stub, &[("CACHE_TTL", "60")]).await;
    for _ in 0..3 {
        answer(&mut rig, PRICE, json!({"symbols": ["BTC/USDT"]})).await;
    }
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn symbols_lead_nowhere_else() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    for symbol in [
        "BTC/USDT&x=1",
        "../../x",
        "btc/usdt",
        "BTC-USDT",
        "BTC/\u{0}T",
    ] {
        for (tool, arguments) in [
            (PRICE, json!({"symbols": [symbol]})),
            (OHLCV, json!({"symbol": symbol})),
            ("crypto.market.orderbook", json!({"symbol": symbol})),
            ("crypto.ta.signals", json!({"symbol": symbol})),
        ] {
            let error = rig.call(tool, arguments).await.unwrap_err();
            assert_eq!((error.code, error.did_not_run), (Code::InvalidInput, true));
        }
    }
    assert!(stub.seen().is_empty());
}
