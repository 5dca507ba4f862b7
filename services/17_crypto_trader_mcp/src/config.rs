//! Settings of this spoke. The annotated reference is `config.default.toml`; keys are not here.

use crate::exchange::Name;
use serde::Deserialize;
use shared::config::{Kind, Variable};
use shared::remote::{Allow, BaseUrl, Seconds};
use std::time::Duration;
use url::Url;

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("DEFAULT_EXCHANGE", "market.default_exchange", Kind::Text),
    Variable::new("CACHE_TTL", "market.cache_ttl_seconds", Kind::Integer),
    Variable::new(
        "MAX_HISTORICAL_DAYS",
        "market.max_historical_days",
        Kind::Integer,
    ),
    Variable::new("EXCHANGE_URL_BINANCE", "urls.binance", Kind::Text),
    Variable::new("EXCHANGE_URL_KRAKEN", "urls.kraken", Kind::Text),
    Variable::new("EXCHANGE_URL_COINBASE", "urls.coinbase", Kind::Text),
    Variable::new("COINGECKO_URL", "urls.coingecko", Kind::Text),
    Variable::new("FNG_URL", "urls.fear_greed", Kind::Text),
    Variable::new("LLAMA_URL", "urls.llama", Kind::Text),
    Variable::new("ETH_RPC_URL", "urls.ethereum", Kind::Text),
    Variable::new("ENABLE_PAPER_TRADING", "paper.enabled", Kind::Boolean),
    Variable::new(
        "REQUIRE_TRADE_APPROVAL",
        "paper.require_approval",
        Kind::Boolean,
    ),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How markets are asked.
    pub(crate) market: Market,
    /// Where everybody is.
    pub(crate) urls: Urls,
    /// The paper account.
    pub(crate) paper: Paper,
    /// Which addresses may be asked.
    pub(crate) outbound: Outbound,
}

/// How markets are asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Market {
    /// Exchange of a call that names none.
    pub(crate) default_exchange: Name,
    /// How long answers are used again.
    pub(crate) cache_ttl_seconds: CacheTtl,
    /// How far a backtest looks back.
    pub(crate) max_historical_days: Days,
    /// Longest wait for one answer.
    pub(crate) timeout_seconds: Seconds<30>,
}

/// Where everybody is; `None` for who is not used.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Urls {
    pub(crate) binance: BaseUrl,
    pub(crate) kraken: BaseUrl,
    pub(crate) coinbase: BaseUrl,
    pub(crate) coingecko: BaseUrl,
    pub(crate) fear_greed: BaseUrl,
    pub(crate) llama: BaseUrl,
    pub(crate) ethereum: BaseUrl,
}

impl Urls {
    /// Where yields are asked: a host of its own at the public service.
    pub(crate) fn yields(&self) -> Option<Url> {
        let mut url = self.llama.0.clone()?;
        if url.host_str() == Some("api.llama.fi") {
            // A name is a host of https.
            url.set_host(Some("yields.llama.fi")).ok()?;
        }
        Some(url)
    }
}

/// The paper account.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paper {
    /// Whether trades may be simulated.
    pub(crate) enabled: bool,
    /// Whether they need an approval.
    pub(crate) require_approval: bool,
}

/// Which addresses may be asked although they are not public.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outbound {
    /// Host names, addresses, ranges.
    pub(crate) allow: Allow,
}

/// 0 to an hour.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) struct CacheTtl(pub(crate) Duration);

impl TryFrom<u64> for CacheTtl {
    type Error = &'static str;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        match seconds {
            0..=3600 => Ok(Self(Duration::from_secs(seconds))),
            _ => Err("expected 0 to 3600 seconds"),
        }
    }
}

/// 1 to 3650 days.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
pub(crate) struct Days(pub(crate) i64);

impl TryFrom<i64> for Days {
    type Error = &'static str;

    fn try_from(days: i64) -> Result<Self, Self::Error> {
        match days {
            1..=3650 => Ok(Self(days)),
            _ => Err("expected 1 to 3650 days"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::config::{Environment, Sources, load};

    fn read(environment: &[(&str, &str)]) -> Result<Config, String> {
        let loaded = load(&Sources {
            defaults: DEFAULTS,
            files: &[],
            variables: VARIABLES,
            environment: &environment.iter().copied().collect::<Environment>(),
        });
        loaded
            .map(|loaded| loaded.config)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_catalogue() {
        let config = read(&[]).unwrap();
        assert_eq!(config.market.default_exchange, Name::Binance);
        assert_eq!(config.market.cache_ttl_seconds.0, Duration::from_secs(60));
        assert_eq!(config.market.max_historical_days.0, 365);
        assert!(config.paper.enabled && config.paper.require_approval);
        let yields = config.urls.yields().unwrap();
        assert_eq!(yields.as_str(), "https://yields.llama.fi/");
        let own = read(&[("LLAMA_URL", "http://127.0.0.1:9/x")]).unwrap();
        assert_eq!(own.urls.yields(), own.urls.llama.0);
    }

    /// Acceptance: 21
    #[test]
    fn a_bad_setting_is_named() {
        for (name, value, key) in [
            ("DEFAULT_EXCHANGE", "bitmex", "market.default_exchange"),
            ("CACHE_TTL", "4000", "market.cache_ttl_seconds"),
            ("MAX_HISTORICAL_DAYS", "0", "market.max_historical_days"),
            (
                "EXCHANGE_URL_KRAKEN",
                "http://kraken.example",
                "urls.kraken",
            ),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(
                error.starts_with(&format!("{key} (variable {name}): ")),
                "{error}"
            );
        }
    }
}
