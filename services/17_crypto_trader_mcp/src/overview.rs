//! The market as a whole: what rises and falls (`CoinGecko`), and how people feel (Fear & Greed).

use crate::source::Source;
use crate::symbol::Symbol;
use async_trait::async_trait;
use reqwest::RequestBuilder;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::error::Code;
use shared::secret::Secret;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Coins by market value that are compared.
const COINS: u32 = 250;

/// Who is asked.
pub(crate) struct Observers {
    /// `CoinGecko`; `None` when it has no address.
    pub(crate) coingecko: Option<Source>,
    /// Its key; works without.
    pub(crate) key: Option<Secret>,
    /// Fear & Greed; `None` when it has no address.
    pub(crate) fear_greed: Option<Source>,
}

/// `crypto.analysis.trends`.
pub(crate) struct Trends(pub(crate) Arc<Observers>);
/// `crypto.analysis.sentiment`.
pub(crate) struct Sentiment(pub(crate) Arc<Observers>);

#[derive(Debug, Clone, Deserialize)]
struct Coin {
    id: String,
    symbol: String,
    name: String,
    current_price: Option<f64>,
    market_cap: Option<f64>,
    total_volume: Option<f64>,
    price_change_percentage_24h: Option<f64>,
}

impl Coin {
    fn shown(&self) -> Value {
        json!({
            "id": self.id, "symbol": self.symbol.to_uppercase(), "name": self.name,
            "price_usd": self.current_price, "market_cap_usd": self.market_cap,
            "volume_24h_usd": self.total_volume, "change_24h": self.price_change_percentage_24h,
        })
    }
}

#[derive(Deserialize)]
struct Global {
    data: Whole,
}

#[derive(Deserialize)]
struct Whole {
    active_cryptocurrencies: Option<u64>,
    #[serde(default)]
    total_market_cap: Usd,
    #[serde(default)]
    total_volume: Usd,
    #[serde(default)]
    market_cap_percentage: Dominance,
    market_cap_change_percentage_24h_usd: Option<f64>,
}

#[derive(Default, Deserialize)]
struct Usd {
    usd: Option<f64>,
}

#[derive(Default, Deserialize)]
struct Dominance {
    btc: Option<f64>,
    eth: Option<f64>,
}

impl Whole {
    fn shown(&self) -> Value {
        json!({
            "active_cryptocurrencies": self.active_cryptocurrencies,
            "total_market_cap_usd": self.total_market_cap.usd,
            "total_volume_24h_usd": self.total_volume.usd,
            "btc_dominance_percent": self.market_cap_percentage.btc,
            "eth_dominance_percent": self.market_cap_percentage.eth,
            "market_cap_change_24h": self.market_cap_change_percentage_24h_usd,
        })
    }
}

#[derive(Deserialize)]
struct Index {
    data: Vec<Reading>,
}

#[derive(Deserialize)]
struct Reading {
    value: crate::exchange::Decimal,
    value_classification: String,
}

impl Observers {
    async fn coins<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, ToolError> {
        let source = self.coingecko.as_ref();
        let source = source.ok_or_else(|| ToolError::not_configured("COINGECKO_URL"))?;
        let request = source.remote.get(source.url(path, query));
        source.send(self.signed(request)).await
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.header("x-cg-demo-api-key", key.expose()),
            None => request,
        }
    }

    async fn markets(&self, extra: &[(&str, String)]) -> Result<Vec<Coin>, ToolError> {
        let mut query = vec![
            ("vs_currency", "usd".to_owned()),
            ("order", "market_cap_desc".to_owned()),
            ("per_page", COINS.to_string()),
            ("page", "1".to_owned()),
        ];
        query.extend_from_slice(extra);
        self.coins(&["coins", "markets"], &query).await
    }

    async fn whole(&self) -> Result<Whole, ToolError> {
        let global: Global = self.coins(&["global"], &[]).await?;
        Ok(global.data)
    }
}

/// Arguments of `trends`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrendArguments {
    /// Coins in each list, 1 to 100.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 100))]
    limit: usize,
}

const fn ten() -> usize {
    10
}

/// Result of `trends`; coins with name, price, change and volume.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Moves {
    /// Of the 250 largest coins, those that rose most within a day.
    top_gainers: Vec<Value>,
    /// Those that fell most.
    top_losers: Vec<Value>,
    /// Those that were traded most.
    high_volume: Vec<Value>,
    /// Value and volume of all coins, shares of bitcoin and ether.
    market_summary: Value,
}

#[async_trait]
impl TypedTool for Trends {
    type Arguments = TrendArguments;
    type Output = Moves;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.analysis.trends",
            Effect::Read,
            "Tell which of the 250 largest coins rose, fell and were traded most within a day.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: TrendArguments, _: &Call) -> Result<Moves, ToolError> {
        let coins = self.0.markets(&[]).await?;
        let summary = self.0.whole().await?;
        let most = |figure: fn(&Coin) -> Option<f64>| {
            let mut known: Vec<(f64, &Coin)> = coins
                .iter()
                .filter_map(|it| Some((figure(it)?, it)))
                .collect();
            known.sort_by(|a, b| b.0.total_cmp(&a.0));
            let coins = known.into_iter().take(arguments.limit);
            coins.map(|(_, coin)| coin.shown()).collect()
        };
        Ok(Moves {
            top_gainers: most(|it| it.price_change_percentage_24h.filter(|it| *it > 0.0)),
            top_losers: most(|it| {
                it.price_change_percentage_24h
                    .filter(|it| *it < 0.0)
                    .map(|it| -it)
            }),
            high_volume: most(|it| it.total_volume),
            market_summary: summary.shown(),
        })
    }
}

/// Arguments of `sentiment`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SentimentArguments {
    /// A pair such as BTC/USDT whose first asset is looked at, too; leave out for the market only.
    #[serde(default)]
    #[schemars(length(min = 3, max = 25))]
    symbol: Option<String>,
}

/// Result of `sentiment`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Feeling {
    /// Such as `extreme fear`, `neutral` or `greed`.
    overall_sentiment: String,
    /// 0 (fear) to 100 (greed).
    fear_greed_index: u8,
    /// Value and volume of all coins; with a symbol, those of the coin as `coin`.
    market_metrics: Value,
}

#[async_trait]
impl TypedTool for Sentiment {
    type Arguments = SentimentArguments;
    type Output = Feeling;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.analysis.sentiment",
            Effect::Read,
            "Read the Fear & Greed index of today, with figures of the market and of one coin if wanted.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: SentimentArguments, _: &Call) -> Result<Feeling, ToolError> {
        let symbol = arguments.symbol.as_deref();
        let symbol = symbol.map(|it| Symbol::parse("symbol", it)).transpose()?;
        let source = self.0.fear_greed.as_ref();
        let source = source.ok_or_else(|| ToolError::not_configured("FNG_URL"))?;
        let index: Index = source
            .get(&["fng", ""], &[("limit", "1".to_owned())])
            .await?;
        let reading = index.data.into_iter().next();
        let reading = reading.ok_or_else(|| source.remote.nonsense())?;
        let value = (0..=100_u8).find(|it| f64::from(*it) >= reading.value.0);
        let mut metrics = self.0.whole().await?.shown();
        if let Some(symbol) = symbol {
            let wanted = [("symbols", symbol.base.to_lowercase())];
            let coins = self.0.markets(&wanted).await?;
            let coin = coins.first().ok_or_else(|| {
                ToolError::refused(Code::NotFound, "CoinGecko does not know this coin")
            })?;
            if let Some(metrics) = metrics.as_object_mut() {
                metrics.insert("coin".to_owned(), coin.shown());
            }
        }
        Ok(Feeling {
            overall_sentiment: reading.value_classification.to_lowercase(),
            fear_greed_index: value.ok_or_else(|| source.remote.nonsense())?,
            market_metrics: metrics,
        })
    }
}
