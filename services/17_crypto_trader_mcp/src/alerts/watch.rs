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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, DEFAULTS, VARIABLES};
    use crate::exchange::Markets;
    use crate::source::Terms;
    use crate::store::{Condition, Op, Store};
    use shared::clock::SystemClock;
    use shared::config::{Environment, Sources, load};

    fn markets(stub: &::tests::markets::Markets) -> Markets {
        let mut environment = Environment::from([("WAYGATE_MODE", "test".to_owned())]);
        for (name, value) in stub.variables() {
            environment.set(name, value);
        }
        let loaded = load(&Sources {
            defaults: DEFAULTS,
            files: &[],
            variables: VARIABLES,
            environment: &environment,
        });
        let config: Config = loaded.unwrap().config;
        let terms = Terms {
            guard: config.outbound.allow.0.clone(),
            timeout: Duration::from_secs(5),
            kept: Duration::ZERO,
        };
        Markets::prepare(&config, &terms, SystemClock::shared()).unwrap()
    }

    async fn add(store: &Store, id: &str, metric: Metric, op: Op, value: f64) {
        let alert = Alert {
            id: id.to_owned(),
            condition: Condition {
                symbol: "BTC/USDT".to_owned(),
                metric,
                op,
                value,
            },
            created_at: jiff::Timestamp::UNIX_EPOCH,
            previous: None,
            triggered_at: None,
            triggered_value: None,
        };
        assert!(store.add_alert("ann", &alert).await.unwrap());
    }

    /// The stub's price is 120.5, its change 2.5 %.
    #[tokio::test]
    async fn an_alert_comes_true_when_its_condition_does() {
        let stub = ::tests::markets::Markets::start().await;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let watched = Watched {
            markets: markets(&stub),
            store: store.clone(),
        };
        add(&store, "above", Metric::Price, Op::Gt, 120.0).await;
        add(&store, "below", Metric::Price, Op::Lt, 120.0).await;
        add(&store, "change", Metric::Change24h, Op::Lt, 3.0).await;
        add(&store, "cross", Metric::Volume24h, Op::CrossUp, 10.0).await;
        add(&store, "rsi", Metric::Rsi, Op::Lt, 101.0).await;
        stub.refuse_next(500, serde_json::json!({}));
        look(&watched).await.unwrap();
        let ids =
            |alerts: Vec<Alert>| -> Vec<String> { alerts.into_iter().map(|it| it.id).collect() };
        let waiting = ids(store.waiting().await.unwrap());
        assert_eq!(
            waiting,
            ["above", "below", "cross"],
            "the first could not be read"
        );
        look(&watched).await.unwrap();
        assert_eq!(ids(store.waiting().await.unwrap()), ["below", "cross"]);
        let all = store.alerts("ann", false).await.unwrap();
        let above = all.iter().find(|it| it.id == "above").unwrap();
        assert_eq!(above.triggered_value, Some(120.5));
        assert!(store.alerts("bob", false).await.unwrap().is_empty());
    }

    #[test]
    fn a_line_is_crossed_between_two_looks_only() {
        for (op, before, now, holds) in [
            (Op::CrossUp, None, 2.0, false),
            (Op::CrossUp, Some(1.0), 2.0, true),
            (Op::CrossUp, Some(2.0), 3.0, false),
            (Op::CrossDown, Some(2.0), 0.5, true),
            (Op::CrossDown, Some(0.5), 0.4, false),
            (Op::Gt, None, 1.0, false),
        ] {
            assert_eq!(op.holds(before, now, 1.0), holds, "{op:?} {before:?} {now}");
        }
    }
}
