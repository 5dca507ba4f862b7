//! Spoke 17: crypto markets: data, analysis, and trades on paper. Real orders do not exist.
//!
//! The tools, in reading order: market data (`market`, `monitor`), what is read from it (`technical`,
//! `study`, with the arithmetic in `chart`), the market as a whole (`overview`, `defi`), before a trade
//! (`plan`), on paper (`paper`, `portfolio`), alerts, figures (`state`). Beneath them: the exchanges
//! (`exchange`), what is traded (`symbol`), who is asked (`source`), the store.

mod alerts;
mod chart;
mod config;
mod defi;
mod exchange;
mod market;
mod monitor;
mod overview;
mod paper;
mod plan;
mod portfolio;
mod source;
mod state;
mod store;
mod study;
mod symbol;
mod technical;

use alerts::Watched;
use config::Config;
use defi::Chains;
use exchange::Markets;
use futures::future::BoxFuture;
use overview::Observers;
use portfolio::Books;
use shared::id::InvalidId;
use shared::remote::BaseUrl;
use shared::spoke::{BuildError, BuildInput, HealthCheck, Parts, Service, metrics_tool};
use shared::tool::{Tool, boxed};
use source::{Source, Terms};
use state::{ExchangeCheck, HealthTool, StoreCheck};
use std::sync::Arc;
use store::Store;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "17_crypto_trader_mcp",
    number: 17,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["crypto"],
    canary: "crypto.health",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build,
};

/// Everything the tools work on.
struct World {
    markets: Markets,
    store: Store,
    observers: Arc<Observers>,
    chains: Arc<Chains>,
}

fn build(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    Box::pin(async move {
        let config: Config = input.config()?;
        let world = world(&config, input).await?;
        let checks: Vec<Arc<dyn HealthCheck>> = vec![
            Arc::new(ExchangeCheck(world.markets.clone())),
            Arc::new(StoreCheck(world.store.clone())),
        ];
        let mut tools = data_tools(&world)?;
        tools.extend(trade_tools(&world, &config)?);
        let metrics = Arc::new(Vec::new);
        tools.push(metrics_tool(
            &input.kit.meter,
            "crypto.getMetrics",
            metrics,
        )?);
        let watched = Watched {
            markets: world.markets,
            store: world.store,
        };
        alerts::watch(watched, &input.kit.tasks);
        Ok(Parts { tools, checks })
    })
}

async fn world(config: &Config, input: &BuildInput) -> Result<World, BuildError> {
    let terms = Terms {
        guard: config.outbound.allow.0.clone(),
        timeout: config.market.timeout_seconds.duration(),
        kept: config.market.cache_ttl_seconds.0,
    };
    let client = |error| BuildError::setup("the HTTP client", error);
    let source = |system, setting, url: Option<url::Url>| {
        let made = url.map(|url| Source::new(system, setting, url, &terms));
        made.transpose().map_err(client)
    };
    let set = |url: &BaseUrl| url.0.clone();
    let urls = &config.urls;
    let observers = Observers {
        coingecko: source("CoinGecko", "COINGECKO_URL", set(&urls.coingecko))?,
        key: input.kit.secrets.get("COINGECKO_API_KEY")?,
        fear_greed: source("the Fear & Greed index", "FNG_URL", set(&urls.fear_greed))?,
    };
    let chains = Chains {
        yields: source("DefiLlama", "LLAMA_URL", urls.yields())?,
        llama: source("DefiLlama", "LLAMA_URL", set(&urls.llama))?,
        ethereum: source("the node of Ethereum", "ETH_RPC_URL", set(&urls.ethereum))?,
    };
    let clock = Arc::clone(&input.kit.clock);
    let store = Store::open(&input.kit.data_dir).await;
    Ok(World {
        markets: Markets::prepare(config, &terms, clock).map_err(client)?,
        store: store.map_err(|error| BuildError::setup("the store", error))?,
        observers: Arc::new(observers),
        chains: Arc::new(chains),
    })
}

fn data_tools(world: &World) -> Result<Vec<Arc<dyn Tool>>, InvalidId> {
    let markets = || world.markets.clone();
    let observers = || Arc::clone(&world.observers);
    let chains = || Arc::clone(&world.chains);
    Ok(vec![
        boxed(market::Price(markets()))?,
        boxed(market::Ohlcv(markets()))?,
        boxed(market::OrderBook(markets()))?,
        boxed(market::Trades(markets()))?,
        boxed(technical::Indicators(markets()))?,
        boxed(technical::Signals(markets()))?,
        boxed(technical::Patterns(markets()))?,
        boxed(overview::Trends(observers()))?,
        boxed(overview::Sentiment(observers()))?,
        boxed(study::Correlation(markets()))?,
        boxed(study::Volatility(markets()))?,
        boxed(defi::Yields(chains()))?,
        boxed(defi::Liquidity(chains()))?,
        boxed(defi::Gas(chains()))?,
        boxed(monitor::Whale(markets()))?,
    ])
}

fn trade_tools(world: &World, config: &Config) -> Result<Vec<Arc<dyn Tool>>, InvalidId> {
    let (markets, store) = (|| world.markets.clone(), || world.store.clone());
    let books = || Books {
        markets: markets(),
        store: store(),
    };
    let watched = || Watched {
        markets: markets(),
        store: store(),
    };
    Ok(vec![
        boxed(paper::Simulate {
            markets: markets(),
            store: store(),
            paper: config.paper,
        })?,
        boxed(plan::Backtest {
            markets: markets(),
            days: config.market.max_historical_days.0,
        })?,
        boxed(plan::Risk)?,
        boxed(portfolio::Balance(books()))?,
        boxed(portfolio::Performance(books()))?,
        boxed(portfolio::Allocation(books()))?,
        boxed(portfolio::History(books()))?,
        boxed(alerts::Create(watched()))?,
        boxed(alerts::List(watched()))?,
        boxed(alerts::Delete(watched()))?,
        boxed(HealthTool {
            markets: markets(),
            store: store(),
            observers: Arc::clone(&world.observers),
            chains: Arc::clone(&world.chains),
            paper: config.paper.enabled,
        })?,
    ])
}
