//! What is computed from candles, and what others say of the market.

use crate::running::{answer, before, btc, near};
use serde_json::{Value, json};
use shared::error::Code;
use tests::markets::Markets;

/// Acceptance: 66
#[tokio::test]
async fn indicators_are_those_of_the_candles() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    let candles = answer(&mut rig, "crypto.market.ohlcv", btc(json!({}))).await;
    let rows = candles["data"].as_array().unwrap();
    let closes: Vec<f64> = rows.iter().map(|row| row[4].as_f64().unwrap()).collect();
    let all = json!(["RSI", "MACD", "BB", "EMA", "SMA", "ATR", "ADX", "STOCH"]);
    let arguments = btc(json!({"indicators": all}));
    let values = answer(&mut rig, "crypto.ta.indicators", arguments).await;
    let is = &values["indicators"];
    let mean = |count: usize| closes[closes.len() - count..].iter().sum::<f64>() / count as f64;
    near(&is["SMA"]["sma_20"], mean(20));
    near(&is["SMA"]["sma_50"], mean(50));
    near(&is["BB"]["middle"], mean(20));
    // The stub's candles are 10 high and step by 1.
    near(&is["ATR"], 10.0);
    near(&values["latest_price"], closes[99]);
    let rsi = is["RSI"].as_f64().unwrap();
    assert!((0.0..=100.0).contains(&rsi));
    assert_eq!(is.as_object().unwrap().len(), 8);
    let arguments = btc(json!({"indicators": ["ADX", "RSI"], "period": 5}));
    let few = answer(&mut rig, "crypto.ta.indicators", arguments).await;
    assert_eq!(few["indicators"], json!({"RSI": null, "ADX": null}));
}

#[tokio::test]
async fn signals_patterns_and_figures_come_from_candles() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    for (strategy, count) in [
        ("multi", 6),
        ("trend", 3),
        ("momentum", 3),
        ("mean_reversion", 2),
    ] {
        let arguments = btc(json!({"strategy": strategy}));
        let told = answer(&mut rig, "crypto.ta.signals", arguments).await;
        assert_eq!(told["signals"].as_object().unwrap().len(), count, "{told}");
        let words = ["BUY", "SELL", "NEUTRAL"].map(Value::from);
        assert!(words.contains(&told["overall"]), "{told}");
    }
    let told = answer(&mut rig, "crypto.ta.patterns", btc(json!({}))).await;
    assert_eq!(told["count"], told["patterns"].as_array().unwrap().len());
    let arguments = json!({"symbols": ["BTC/USDT", "ETH/USDT"]});
    let told = answer(&mut rig, "crypto.analysis.correlation", arguments).await;
    near(&told["matrix"][0][1], 1.0);
    assert_eq!(told["samples"], 89);
    let told = answer(&mut rig, "crypto.analysis.volatility", btc(json!({}))).await;
    let daily = told["volatility"].as_f64().unwrap();
    assert!(daily > 0.5 && daily < 1.5, "{told}");
    near(&told["annualized"], daily * 365.0_f64.sqrt());
}

#[tokio::test]
async fn a_backtest_runs_over_the_past_it_was_given() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    let now = jiff::Timestamp::now();
    let ago = |days: i64| (now - jiff::SignedDuration::from_hours(24 * days)).to_string();
    let tool = "crypto.trade.backtest";
    let arguments = btc(json!({"start": ago(100)}));
    let told = answer(&mut rig, tool, arguments.clone()).await;
    assert!(told["trades"].as_i64().unwrap() > 10, "{told}");
    assert!(told["count"].as_i64().unwrap() <= 500);
    let klines = stub.seen();
    assert_eq!(klines.len(), 3, "2400 candles are three pages: {klines:?}");
    let mut free = arguments;
    free["fee_percent"] = json!(0);
    let free = answer(&mut rig, tool, free).await;
    assert!(free["pnl"].as_f64() > told["pnl"].as_f64());
    for (wrong, code) in [
        (json!({"start": ago(400)}), Code::InvalidInput),
        (json!({"start": ago(-1)}), Code::InvalidInput),
        (json!({"start": ago(2), "end": ago(3)}), Code::InvalidInput),
        (
            json!({"start": ago(300), "timeframe": "1m"}),
            Code::InvalidInput,
        ),
        (
            json!({"start": ago(100), "exchange": "kraken"}),
            Code::NotSupported,
        ),
    ] {
        let error = rig.call(tool, btc(wrong.clone())).await.unwrap_err();
        assert_eq!(error.code, code, "{wrong}: {error}");
    }
}

#[tokio::test]
async fn the_size_of_a_position_follows_from_its_stop() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    let tool = "crypto.trade.risk";
    let arguments = btc(json!({"side": "buy", "entry_price": 100, "stop_loss": 95,
                               "take_profit": 115, "account_balance": 10000}));
    let told = answer(&mut rig, tool, arguments).await;
    assert_eq!(
        told,
        json!({"position_size": 20.0, "risk_amount": 100.0, "reward_risk": 3.0,
               "warnings": [], "count": 0})
    );
    let arguments = btc(json!({"side": "sell", "entry_price": 100, "stop_loss": 95}));
    let error = rig.call(tool, arguments).await.unwrap_err();
    assert_eq!(error.code, Code::InvalidInput);
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn the_market_as_a_whole_is_told() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    let told = answer(&mut rig, "crypto.analysis.trends", json!({})).await;
    assert_eq!(told["top_gainers"][0]["symbol"], "SOL");
    assert_eq!(told["top_losers"].as_array().unwrap().len(), 1);
    assert_eq!(told["high_volume"][0]["symbol"], "BTC");
    assert_eq!(told["market_summary"]["btc_dominance_percent"], 58.1);
    let told = answer(&mut rig, "crypto.analysis.sentiment", btc(json!({}))).await;
    assert_eq!(told["overall_sentiment"], "extreme fear");
    assert_eq!(told["fear_greed_index"], 23);
    assert_eq!(told["market_metrics"]["coin"]["symbol"], "BTC");
}

#[tokio::test]
async fn yields_deposits_and_gas_are_told() {
    let stub = Markets::start().await;
    let mut rig = before(&stub).await;
    let arguments = json!({"chain": "ethereum"});
    let told = answer(&mut rig, "crypto.defi.yields", arguments).await;
    let pools = told["pools"].as_array().unwrap();
    let ids: Vec<&Value> = pools.iter().map(|it| &it["pool"]).collect();
    assert_eq!(ids, ["high", "low"]);
    let told = answer(&mut rig, "crypto.defi.liquidity", json!({"limit": 5})).await;
    assert_eq!(told["protocols"][0]["name"], "Lido");
    assert_eq!(told["count"], 2);
    let arguments = json!({"protocol": "aave"});
    let told = answer(&mut rig, "crypto.defi.liquidity", arguments).await;
    assert_eq!(told["count"], 1);
    let told = answer(&mut rig, "crypto.defi.gas", json!({})).await;
    let wanted = json!({"chain": "ethereum", "base_fee_gwei": 2.0, "slow": 2.1,
                        "standard": 3.0, "fast": 4.0, "block": 17});
    assert_eq!(told, wanted);
}
