//! Looks at the alerts that wait, once a minute while the service runs.

use super::Watched;
use crate::chart::averages::last;
use crate::chart::closes;
use crate::chart::oscillators::rsi;
use crate::store::{Alert, Metric, StoreError};
use crate::symbol::{Symbol, Timeframe};
use shared::tasks::Tasks;
use shared::tool::ToolError;
use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(60);
/// Candles for an RSI that has settled.
const CANDLES: i64 = 100;

/// Starts looking; ends with the service.
pub(crate) fn watch(watched: Watched, tasks: &Tasks) {
    let stop = tasks.token();
    tasks.spawn("crypto_alerts", async move {
        let mut pace = tokio::time::interval(PAUSE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // At the start others are busy; answers that are kept make the first look cheap later.
        pace.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = pace.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                looked = look(&watched) => if let Err(error) = looked {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(event = "crypto.alerts", error, "alerts could not be looked at");
                },
            }
        }
    });
}

/// Looks at each alert once. A pair that cannot be read is left for the next time.
async fn look(watched: &Watched) -> Result<(), StoreError> {
    for alert in watched.store.waiting().await? {
        let value = match value(watched, &alert).await {
            Ok(Some(value)) => value,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(event = "crypto.alerts", alert = alert.id, %error, "no value");
                continue;
            }
        };
        let condition = &alert.condition;
        let holds = condition.op.holds(alert.previous, value, condition.value);
        let triggered = holds.then(|| watched.markets.clock().now());
        watched.store.seen(&alert.id, value, triggered).await?;
        if holds {
            let (id, symbol) = (&alert.id, &condition.symbol);
            tracing::info!(
                event = "crypto.alert",
                alert = id,
                symbol,
                value,
                "an alert came true"
            );
        }
    }
    Ok(())
}

async fn value(watched: &Watched, alert: &Alert) -> Result<Option<f64>, ToolError> {
    let symbol = Symbol::parse("symbol", &alert.condition.symbol)?;
    let markets = &watched.markets;
    if alert.condition.metric == Metric::Rsi {
        let candles = markets.last(None, &symbol, Timeframe::H1, CANDLES).await?;
        return Ok(last(&rsi(&closes(&candles), 14)));
    }
    let ticker = markets.ticker(None, &symbol).await?;
    Ok(Some(match alert.condition.metric {
        Metric::Change24h => ticker.change_24h,
        Metric::Volume24h => ticker.volume_24h,
        Metric::Price | Metric::Rsi => ticker.price,
    }))
}
