//! What the bot tells by number, and its lists of pairs: trades, days, the blacklist, locks.

use crate::bot::{Asked, Bot};
use crate::plain::Told;
use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// One of them, for the arguments it takes.
pub(crate) struct Listed<A> {
    bot: Arc<Bot>,
    arguments: std::marker::PhantomData<fn() -> A>,
}

impl<A> Listed<A> {
    /// A tool of this bot.
    pub(crate) fn new(bot: &Arc<Bot>) -> Self {
        Self {
            bot: Arc::clone(bot),
            arguments: std::marker::PhantomData,
        }
    }
}

/// What makes a tool of its arguments.
pub(crate) trait Question:
    serde::de::DeserializeOwned + JsonSchema + Send + Sync + 'static
{
    /// Name, effect, description.
    fn spec() -> Spec;

    /// What is asked of the bot, and for an approver what it does.
    ///
    /// # Errors
    /// For what the schema cannot say.
    fn asked(&self) -> Result<(Method, Asked, String), ToolError>;
}

#[async_trait]
impl<A: Question> TypedTool for Listed<A> {
    type Arguments = A;
    type Output = Told;

    fn spec(&self) -> Spec {
        A::spec().open_world()
    }

    async fn assess(&self, arguments: &A, _: &Call) -> Result<Assessment, ToolError> {
        let (_, _, summary) = arguments.asked()?;
        Ok(Assessment::of(A::spec().effect, summary))
    }

    async fn run(&self, arguments: A, _: &Call) -> Result<Told, ToolError> {
        let (method, asked, _) = arguments.asked()?;
        let bot = self.bot.ask(method, asked).await?;
        Ok(Told { bot })
    }
}

/// Arguments of `freqtrade.api.getDailyStats`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Daily {
    /// How many days back.
    #[serde(default = "week")]
    #[schemars(range(min = 1, max = 1000))]
    days: u32,
}

/// Arguments of `freqtrade.api.getTradesHistory`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct History {
    /// Most trades of the answer.
    #[serde(default = "page")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// Trades that are left out at the beginning.
    #[serde(default)]
    #[schemars(range(min = 0))]
    offset: u32,
}

/// Arguments of `freqtrade.api.getTrade`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct One {
    /// Number of the trade.
    #[schemars(range(min = 1))]
    trade_id: u64,
}

/// Arguments of `freqtrade.api.addToBlacklist`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ban {
    /// The pair, such as `BTC/USDT`, or a pattern such as `BTC/.*`.
    #[schemars(length(min = 1, max = 60))]
    pair: String,
}

/// Arguments of `freqtrade.api.deleteFromBlacklist`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unban {
    /// Pairs as they are on the list, at most 100.
    #[schemars(length(min = 1, max = 100))]
    pairs: Vec<String>,
}

/// Arguments of `freqtrade.api.addLock`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    /// The pair, such as `BTC/USDT`, or `*` for all.
    #[schemars(length(min = 1, max = 60))]
    pair: String,
    /// Until when, RFC 3339.
    #[schemars(with = "String", extend("format" = "date-time"))]
    until: Timestamp,
    /// Which way.
    #[serde(default)]
    side: LockSide,
    /// Why.
    #[serde(default)]
    #[schemars(length(max = 200))]
    reason: Option<String>,
}

/// Which trades a lock holds back.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
pub(crate) enum LockSide {
    /// Those that gain when the price rises.
    #[serde(rename = "long")]
    Long,
    /// Those that gain when the price falls.
    #[serde(rename = "short")]
    Short,
    /// All.
    #[default]
    #[serde(rename = "*")]
    Both,
}

/// Arguments of `freqtrade.api.deleteLock`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unlock {
    /// Number of the lock, from getLocks.
    #[schemars(range(min = 1))]
    lock_id: u64,
}

const fn week() -> u32 {
    7
}

const fn page() -> u32 {
    50
}

impl Question for Daily {
    fn spec() -> Spec {
        let text = "What the freqtrade bot won and lost on each of the last days.";
        Spec::new("freqtrade.api.getDailyStats", Effect::Read, text)
            .live()
            .aliases(&["trading.freqtrade.api.getDailyStats"])
    }

    fn asked(&self) -> Result<(Method, Asked, String), ToolError> {
        let asked = Asked::of("daily").with("timescale", self.days);
        Ok((Method::GET, asked, "days".to_owned()))
    }
}

impl Question for History {
    fn spec() -> Spec {
        let text = "Closed trades of the freqtrade bot, by number, page by page.";
        Spec::new("freqtrade.api.getTradesHistory", Effect::Read, text)
            .live()
            .aliases(&["trading.freqtrade.api.getTradesHistory"])
    }

    fn asked(&self) -> Result<(Method, Asked, String), ToolError> {
        let asked = Asked::of("trades")
            .with("limit", self.limit)
            .with("offset", self.offset);
        Ok((Method::GET, asked, "trades".to_owned()))
    }
}

impl Question for One {
    fn spec() -> Spec {
        let text = "One trade of the freqtrade bot, open or closed, with its orders.";
        Spec::new("freqtrade.api.getTrade", Effect::Read, text)
            .live()
            .aliases(&["trading.freqtrade.api.getTrade"])
    }

    fn asked(&self) -> Result<(Method, Asked, String), ToolError> {
        Ok((
            Method::GET,
            Asked::of("trade").part(self.trade_id),
            "a trade".to_owned(),
        ))
    }
}

impl Question for Ban {
    fn spec() -> Spec {
        let text = "Put a pair on the blacklist of the freqtrade bot: it is not traded any more.";
        Spec::new("freqtrade.api.addToBlacklist", Effect::Mutate, text)
            .idempotent()
            .aliases(&["trading.freqtrade.api.addToBlacklist"])
    }

    fn asked(&self) -> Result<(Method, Asked, String), ToolError> {
        check_pair(&self.pair)?;
        let asked = Asked::of("blacklist").sending(json!({"blacklist": [self.pair]}));
        Ok((
            Method::POST,
            asked,
            format!("Put {} on the blacklist", self.pair),
        ))
    }
}

impl Question for Unban {
    fn spec() -> Spec {
        let text = "Take pairs off the blacklist of the freqtrade bot: they may be traded again.";
        Spec::new("freqtrade.api.deleteFromBlacklist", Effect::Mutate, text)
            .idempotent()
            .destructive()
            .aliases(&["trading.freqtrade.api.deleteFromBlacklist"])
    }

    fn asked(&self) -> Result<(Method, Asked, String), ToolError> {
        let mut asked = Asked::of("blacklist");
        for pair in &self.pairs {
            check_pair(pair)?;
            asked = asked.with("pairs_to_delete", pair);
        }
        let summary = format!("Take {} off the blacklist", self.pairs.join(", "));
        Ok((Method::DELETE, asked, summary))
    }
}

impl Question for Lock {
    fn spec() -> Spec {
        let text = "Lock a pair in the freqtrade bot: no trade of it is opened until then.";
        Spec::new("freqtrade.api.addLock", Effect::Mutate, text)
            .aliases(&["trading.freqtrade.api.addLock"])
    }

    fn asked(&self) -> Result<(Method, Asked, String), ToolError> {
        check_pair(&self.pair)?;
        let lock = json!({
            "pair": self.pair, "until": self.until.to_string(), "side": self.side,
            "reason": self.reason,
        });
        let summary = format!("Lock {} until {}", self.pair, self.until);
        Ok((
            Method::POST,
            Asked::of("locks").sending(json!([lock])),
            summary,
        ))
    }
}

impl Question for Unlock {
    fn spec() -> Spec {
        let text = "Remove a lock of the freqtrade bot: its pair may be traded again.";
        Spec::new("freqtrade.api.deleteLock", Effect::Mutate, text)
            .idempotent()
            .destructive()
            .aliases(&["trading.freqtrade.api.deleteLock"])
    }

    fn asked(&self) -> Result<(Method, Asked, String), ToolError> {
        let asked = Asked::of("locks").part(self.lock_id);
        Ok((
            Method::DELETE,
            asked,
            format!("Remove the lock {}", self.lock_id),
        ))
    }
}

/// Something that can be a pair, or a pattern of some.
///
/// # Errors
/// When it holds spaces, control characters, or nothing.
pub(crate) fn check_pair(pair: &str) -> Result<(), ToolError> {
    let fits = |c: char| c.is_ascii_graphic() && !"\"'`\\<>".contains(c);
    match !pair.is_empty() && pair.len() <= 60 && !pair.starts_with('-') && pair.chars().all(fits) {
        true => Ok(()),
        false => Err(ToolError::invalid("pair", "is not a pair such as BTC/USDT")),
    }
}
