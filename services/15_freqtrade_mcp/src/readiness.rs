//! Whether the bot is ready for what spends money, and what an approver reads of it.

use crate::bot::{Asked, Bot};
use crate::force::{Enter, Exit, Side};
use serde_json::Value;
use shared::error::Code;
use shared::tool::{Assessment, Check, Effect, ToolError};

/// Of the start.
pub(crate) async fn of_start(bot: &Bot) -> Result<Assessment, ToolError> {
    let (config, checks) = basics(bot).await?;
    Ok(assessment("Start the bot".to_owned(), &config, checks))
}

/// Of a trade that is opened by hand.
pub(crate) async fn of_enter(bot: &Bot, enter: &Enter) -> Result<Assessment, ToolError> {
    let side = match enter.side {
        Side::Long => "long",
        Side::Short => "short",
    };
    let stake = enter
        .stake_amount
        .map_or("the usual stake".to_owned(), |it| it.to_string());
    let rate = enter
        .rate
        .map_or("the market".to_owned(), |it| it.to_string());
    let summary = format!(
        "Open a {side} trade of {} with {stake} at {rate}",
        enter.pair
    );
    let (config, mut checks) = basics(bot).await?;
    if checks.iter().all(|check| check.ok) {
        checks.extend(of_pair(bot, &config, enter).await);
    }
    Ok(assessment(summary, &config, checks))
}

/// Of a trade that is closed by hand.
pub(crate) async fn of_exit(bot: &Bot, exit: &Exit) -> Result<Assessment, ToolError> {
    let amount = exit.amount.map_or("all".to_owned(), |it| it.to_string());
    let reason = exit.exit_reason.as_deref().unwrap_or("no reason given");
    let summary = format!("Close trade {}, {amount} of it ({reason})", exit.trade_id);
    let (config, mut checks) = basics(bot).await?;
    if checks.iter().all(|check| check.ok) {
        let status = bot.get(Asked::of("status")).await;
        checks.push(seen("trade", status, |trades| {
            let open = entries(trades).any(|trade| trade["trade_id"] == exit.trade_id);
            let word = if open { "is open" } else { "is not open" };
            (open, format!("trade {} {word}", exit.trade_id))
        }));
    }
    Ok(assessment(summary, &config, checks))
}

/// Whether money is played with only; `true` when the bot says so.
pub(crate) async fn is_dry(bot: &Bot) -> Result<bool, ToolError> {
    let config = bot.get(Asked::of("show_config")).await?;
    let dry = config.get("dry_run").and_then(Value::as_bool);
    dry.ok_or_else(|| {
        ToolError::refused(
            Code::BadGateway,
            "the bot does not say whether it is a dry run",
        )
    })
}

/// The bot answers, and its configuration says whether it is a dry run.
async fn basics(bot: &Bot) -> Result<(Value, Vec<Check>), ToolError> {
    match bot.get(Asked::of("show_config")).await {
        Ok(config) => {
            let dry = config.get("dry_run").and_then(Value::as_bool);
            let detail = match dry {
                None => "the bot does not say whether it is a dry run".to_owned(),
                Some(dry) => format!("dry_run is {dry}"),
            };
            let checks = vec![
                check("bot", true, "it answers".to_owned()),
                check("configuration", dry.is_some(), detail),
            ];
            Ok((config, checks))
        }
        Err(error) if error.code == Code::NotConfigured => Err(error),
        Err(error) => Ok((Value::Null, vec![check("bot", false, error.message)])),
    }
}

async fn of_pair(bot: &Bot, config: &Value, enter: &Enter) -> Vec<Check> {
    let pair = enter.pair.as_str();
    let state = config["state"].as_str().unwrap_or("unknown");
    let names = |list: &Value, key: &str| entries(&list[key]).any(|it| it == pair);
    let (white, black, locks, count, balance) = tokio::join!(
        bot.get(Asked::of("whitelist")),
        bot.get(Asked::of("blacklist")),
        bot.get(Asked::of("locks")),
        bot.get(Asked::of("count")),
        bot.get(Asked::of("balance")),
    );
    vec![
        check("running", state == "running", format!("the bot is {state}")),
        seen("whitelist", white, |list| {
            let on = names(list, "whitelist");
            (
                on,
                format!("{pair} is {}on it", if on { "" } else { "not " }),
            )
        }),
        seen("blacklist", black, |list| {
            let on = names(list, "blacklist_expanded") || names(list, "blacklist");
            (
                !on,
                format!("{pair} is {}on it", if on { "" } else { "not " }),
            )
        }),
        seen("locks", locks, |list| {
            let locked = entries(&list["locks"]).any(|lock| {
                (lock["pair"] == pair || lock["pair"] == "*") && lock["active"] != false
            });
            (
                !locked,
                format!("{pair} is {}locked", if locked { "" } else { "not " }),
            )
        }),
        seen("open trades", count, |count| {
            let current = count["current"].as_f64().unwrap_or(f64::INFINITY);
            let most = count["max"].as_f64().unwrap_or(0.0);
            let room = most < 0.0 || current < most;
            (room, format!("{current} of {most} are open"))
        }),
        seen("stake", balance, |balance| stake(balance, config, enter)),
    ]
}

/// Whether there is money for it.
fn stake(balance: &Value, config: &Value, enter: &Enter) -> (bool, String) {
    let currency = config["stake_currency"].as_str().unwrap_or_default();
    let free = entries(&balance["currencies"])
        .find(|it| it["currency"] == currency)
        .and_then(|it| it["free"].as_f64())
        .unwrap_or(0.0);
    let usual = config["stake_amount"].as_f64().or_else(|| {
        let text = config["stake_amount"].as_str()?;
        text.parse().ok()
    });
    let wanted = enter.stake_amount.or(usual);
    let enough = wanted.map_or(free > 0.0, |wanted| free >= wanted);
    (enough, format!("{free} {currency} are free"))
}

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn seen(
    name: &str,
    answer: Result<Value, ToolError>,
    look: impl FnOnce(&Value) -> (bool, String),
) -> Check {
    match answer {
        Ok(value) => {
            let (ok, detail) = look(&value);
            check(name, ok, detail)
        }
        Err(error) => check(name, false, error.message),
    }
}

fn check(name: &str, ok: bool, detail: String) -> Check {
    Check {
        name: name.to_owned(),
        ok,
        detail,
    }
}

fn assessment(summary: String, config: &Value, checks: Vec<Check>) -> Assessment {
    let dry = match config.get("dry_run").and_then(Value::as_bool) {
        Some(true) => "dry run: no real money",
        Some(false) => "NOT a dry run: real money",
        None => "unknown whether this is a dry run",
    };
    Assessment {
        effect: Effect::Critical,
        summary: format!("{summary}\n{dry}"),
        checks,
    }
}
