//! Long work of the program: optimisation, training, data, backtests.

use crate::cli::{Cli, Cmd, Kind};
use crate::lists::check_pair;
use crate::words::{exchange, extra, name, option, spaces, timeframe, timerange};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::command::quoted;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// One of them, for the arguments it takes.
pub(crate) struct Work<A> {
    cli: Arc<Cli>,
    arguments: std::marker::PhantomData<fn() -> A>,
}

impl<A> Work<A> {
    /// A tool of this program.
    pub(crate) fn new(cli: &Arc<Cli>) -> Self {
        Self {
            cli: Arc::clone(cli),
            arguments: std::marker::PhantomData,
        }
    }
}

/// What makes a tool of its arguments.
pub(crate) trait Order:
    serde::de::DeserializeOwned + JsonSchema + Send + Sync + 'static
{
    /// What the tool gives back.
    type Result: Serialize + JsonSchema + Send + From<Cmd>;

    /// Name and description.
    fn spec() -> Spec;

    /// The words of the command.
    ///
    /// # Errors
    /// For what the schema cannot say.
    fn words(&self) -> Result<Vec<String>, ToolError>;
}

#[async_trait]
impl<A: Order> TypedTool for Work<A> {
    type Arguments = A;
    type Output = A::Result;

    fn spec(&self) -> Spec {
        A::spec().long_running().open_world()
    }

    async fn assess(&self, arguments: &A, _: &Call) -> Result<Assessment, ToolError> {
        let summary = format!("Run freqtrade {}", quoted(&arguments.words()?));
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: A, call: &Call) -> Result<A::Result, ToolError> {
        let words = arguments.words()?;
        Ok(self.cli.run(&words, Kind::Work, call).await?.into())
    }
}

/// Arguments of `freqtrade.cli.runHyperopt`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hyperopt {
    /// Class of the strategy.
    #[schemars(length(min = 1, max = 100))]
    strategy: String,
    /// How many tries.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 100_000))]
    epochs: u32,
    /// What is searched: all, buy, sell, roi, stoploss, trailing, protection, trades, default.
    #[serde(default)]
    #[schemars(length(max = 10))]
    spaces: Option<Vec<String>>,
    /// Class of the loss function, from list-hyperoptloss.
    #[serde(default)]
    hyperopt_loss: Option<String>,
    /// Such as `20240101-20240630`; either side may be left out.
    #[serde(default)]
    timerange: Option<String>,
    /// A try with fewer trades does not count.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    min_trades: u32,
    /// Processes; -1 for as many as there are processors.
    #[serde(default = "every")]
    #[schemars(range(min = -1, max = 256))]
    job_workers: i32,
    /// Beginning of chance, so that a run can be repeated.
    #[serde(default)]
    #[schemars(range(min = 0))]
    random_state: Option<u32>,
    /// Further options, such as `["--timeframe", "1h"]`; only a few are taken.
    #[serde(default)]
    #[schemars(length(max = 20))]
    extra_args: Vec<String>,
}

/// Arguments of `freqtrade.cli.freqaiTrain`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Train {
    /// Class of the strategy.
    #[schemars(length(min = 1, max = 100))]
    strategy: String,
    /// Class of the model, from list-freqaimodels.
    #[serde(default)]
    freqaimodel: Option<String>,
    /// Such as `20240101-20240630`; either side may be left out.
    #[serde(default)]
    timerange: Option<String>,
    /// Further options, such as `["--timeframe", "1h"]`; only a few are taken.
    #[serde(default)]
    #[schemars(length(max = 20))]
    extra_args: Vec<String>,
}

/// Arguments of `freqtrade.downloadData`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Download {
    /// Pairs such as `BTC/USDT`, at most 200.
    #[schemars(length(min = 1, max = 200))]
    pairs: Vec<String>,
    /// How many days back.
    #[serde(default = "month")]
    #[schemars(range(min = 1, max = 5000))]
    days: u32,
    /// Length of a candle.
    #[serde(default = "five_minutes")]
    timeframe: String,
    /// The exchange; left out: that of the configuration.
    #[serde(default)]
    exchange: Option<String>,
}

/// Arguments of `freqtrade.backtest`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backtest {
    /// Class of the strategy.
    #[schemars(length(min = 1, max = 100))]
    strategy: String,
    /// Such as `20240101-20240630`; either side may be left out.
    #[serde(default)]
    timerange: Option<String>,
    /// The exchange; must be that of the configuration, which freqtrade checks.
    #[serde(default)]
    exchange: Option<String>,
}

/// Result of an optimisation.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Optimised {
    /// What the program did.
    #[serde(flatten)]
    cmd: Cmd,
    /// The best try, as the program printed it; null without one.
    best: Option<Value>,
}

/// Result of a backtest.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tested {
    /// What the program did.
    #[serde(flatten)]
    cmd: Cmd,
    /// Names and values of its summary; null without one.
    summary: Option<Value>,
}

const fn hundred() -> u32 {
    100
}

const fn one() -> u32 {
    1
}

const fn every() -> i32 {
    -1
}

const fn month() -> u32 {
    30
}

fn five_minutes() -> String {
    "5m".to_owned()
}

impl From<Cmd> for Optimised {
    fn from(cmd: Cmd) -> Self {
        // The last line of JSON: `--print-json` makes it of the best try.
        let lines = cmd.stdout.lines().rev();
        let mut objects = lines.filter_map(|line| serde_json::from_str::<Value>(line.trim()).ok());
        let best = objects.find(Value::is_object);
        Self { cmd, best }
    }
}

impl From<Cmd> for Tested {
    fn from(cmd: Cmd) -> Self {
        let summary = summary(&cmd.stdout);
        Self { cmd, summary }
    }
}

/// The rows of two cells under the heading of the summary.
fn summary(text: &str) -> Option<Value> {
    let (_, table) = text.split_once("SUMMARY METRICS")?;
    let lines = table.lines().filter(|line| line.contains(['│', '|']));
    let rows = lines.filter_map(|line| {
        let line = line.trim().trim_matches(['│', '┃', '|']);
        let (name, value) = line.split_once(['│', '┃', '|'])?;
        let (name, value) = (name.trim(), value.trim());
        let fits = !name.is_empty() && !value.is_empty() && !value.contains(['│', '|']);
        fits.then(|| (name.to_owned(), Value::from(value)))
    });
    let rows: serde_json::Map<_, _> = rows.take(200).collect();
    (!rows.is_empty()).then_some(Value::Object(rows))
}

impl Order for Hyperopt {
    type Result = Optimised;

    fn spec() -> Spec {
        Spec::new(
            "freqtrade.cli.runHyperopt",
            Effect::Mutate,
            "Search better values for the parameters of a freqtrade strategy on past data, at most five \
             minutes. Read freqtrade.knowledge.hyperoptBestPractices first.",
        )
        .aliases(&["trading.freqtrade.cli.runHyperopt"])
    }

    fn words(&self) -> Result<Vec<String>, ToolError> {
        let mut words = vec!["hyperopt".to_owned(), "--print-json".to_owned()];
        option(
            &mut words,
            "--strategy",
            Some(name("strategy", &self.strategy)?),
        );
        option(&mut words, "--epochs", Some(self.epochs.to_string()));
        option(
            &mut words,
            "--min-trades",
            Some(self.min_trades.to_string()),
        );
        if self.job_workers == 0 {
            return Err(ToolError::invalid("job_workers", "is -1 or at least 1"));
        }
        // One word: a negative number by itself would be taken for an option.
        words.push(format!("--job-workers={}", self.job_workers));
        option(
            &mut words,
            "--random-state",
            self.random_state.map(|it| it.to_string()),
        );
        let loss = self.hyperopt_loss.as_deref();
        let loss = loss.map(|loss| name("hyperopt_loss", loss)).transpose()?;
        option(&mut words, "--hyperopt-loss", loss);
        option(
            &mut words,
            "--timerange",
            timerange(self.timerange.as_deref())?,
        );
        words.extend(extra(&self.extra_args)?);
        words.extend(spaces(self.spaces.as_deref().unwrap_or_default())?);
        Ok(words)
    }
}

impl Order for Train {
    type Result = Cmd;

    fn spec() -> Spec {
        Spec::new(
            "freqtrade.cli.freqaiTrain",
            Effect::Mutate,
            "Train the FreqAI models of a freqtrade strategy over past data, by a backtest of at most \
             five minutes. Read freqtrade.knowledge.freqAiOverview first.",
        )
        .aliases(&["trading.freqtrade.cli.freqaiTrain"])
    }

    fn words(&self) -> Result<Vec<String>, ToolError> {
        let mut words = vec!["backtesting".to_owned()];
        option(
            &mut words,
            "--strategy",
            Some(name("strategy", &self.strategy)?),
        );
        let model = self.freqaimodel.as_deref();
        let model = model.map(|model| name("freqaimodel", model)).transpose()?;
        option(&mut words, "--freqaimodel", model);
        option(
            &mut words,
            "--timerange",
            timerange(self.timerange.as_deref())?,
        );
        words.extend(extra(&self.extra_args)?);
        Ok(words)
    }
}

impl Order for Download {
    type Result = Cmd;

    fn spec() -> Spec {
        Spec::new(
            "freqtrade.downloadData",
            Effect::Mutate,
            "Download past candles of pairs into the user folder of freqtrade, for backtests and \
             optimisations; what is there is kept and completed.",
        )
        .idempotent()
        .aliases(&["trading.freqtrade.downloadData"])
    }

    fn words(&self) -> Result<Vec<String>, ToolError> {
        let mut words = vec!["download-data".to_owned()];
        option(&mut words, "--days", Some(self.days.to_string()));
        option(
            &mut words,
            "--timeframes",
            Some(timeframe(&self.timeframe)?),
        );
        option(
            &mut words,
            "--exchange",
            exchange(self.exchange.as_deref())?,
        );
        words.push("--pairs".to_owned());
        for pair in &self.pairs {
            check_pair(pair)?;
            words.push(pair.clone());
        }
        Ok(words)
    }
}

impl Order for Backtest {
    type Result = Tested;

    fn spec() -> Spec {
        Spec::new(
            "freqtrade.backtest",
            Effect::Mutate,
            "Test a freqtrade strategy on past data, at most five minutes; gives the report and its \
             summary. The data must be there: freqtrade.downloadData.",
        )
        .idempotent()
        .aliases(&["trading.freqtrade.backtest"])
    }

    fn words(&self) -> Result<Vec<String>, ToolError> {
        let mut words = vec!["backtesting".to_owned()];
        option(
            &mut words,
            "--strategy",
            Some(name("strategy", &self.strategy)?),
        );
        option(
            &mut words,
            "--timerange",
            timerange(self.timerange.as_deref())?,
        );
        // There is no option for the exchange: its data is in the folder of its name.
        if let Some(exchange) = exchange(self.exchange.as_deref())? {
            option(&mut words, "--datadir", Some(format!("data/{exchange}")));
        }
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read_from_the_report() {
        let text = "x\n SUMMARY METRICS\n┏━━┓\n┃ Metric ┃ Value ┃\n│ Max open trades │ 3 │\n│ Absolute profit │ 1.5 USDT │\n";
        let summary = summary(text).unwrap();
        assert_eq!(summary["Absolute profit"], "1.5 USDT");
        assert!(super::summary("nothing").is_none());
    }
}
