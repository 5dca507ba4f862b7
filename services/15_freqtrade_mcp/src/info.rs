//! `freqtrade.cli.runInfoCommand`, `freqtrade.listStrategies`: what the program tells.

use crate::cli::{Cli, Cmd, Kind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `freqtrade.cli.runInfoCommand`.
pub(crate) struct RunInfo(pub(crate) Arc<Cli>);

/// `freqtrade.listStrategies`.
pub(crate) struct ListStrategies(pub(crate) Arc<Cli>);

/// Arguments of `freqtrade.cli.runInfoCommand`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InfoArguments {
    /// The command.
    subcommand: Subcommand,
    /// Options of the command, each word by itself, such as `["--exchange", "kraken"]`; only those that
    /// ask for something are taken.
    #[serde(default)]
    #[schemars(length(max = 20))]
    options: Vec<String>,
}

/// Commands that only tell something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subcommand {
    /// Exchanges it knows.
    ListExchanges,
    /// Markets of an exchange.
    ListMarkets,
    /// Pairs of an exchange.
    ListPairs,
    /// Strategies of the user folder.
    ListStrategies,
    /// Loss functions of an optimisation.
    ListHyperoptloss,
    /// Models of `FreqAI`.
    ListFreqaimodels,
    /// Lengths of candles of an exchange.
    ListTimeframes,
    /// The configuration as it is merged, secrets left out by freqtrade.
    ShowConfig,
    /// Its version.
    #[serde(rename = "--version")]
    Version,
    /// Its commands.
    #[serde(rename = "--help")]
    Help,
}

/// Result of `freqtrade.listStrategies`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Strategies {
    /// Strategies of the user folder.
    strategies: Vec<Strategy>,
    /// How many.
    count: usize,
}

/// One strategy.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Strategy {
    /// Name of its class.
    name: String,
    /// Its file in the folder of strategies.
    file: String,
    /// `OK`, `LOAD FAILED`, `DUPLICATE NAME`.
    status: String,
}

impl Subcommand {
    const fn word(self) -> &'static str {
        match self {
            Self::ListExchanges => "list-exchanges",
            Self::ListMarkets => "list-markets",
            Self::ListPairs => "list-pairs",
            Self::ListStrategies => "list-strategies",
            Self::ListHyperoptloss => "list-hyperoptloss",
            Self::ListFreqaimodels => "list-freqaimodels",
            Self::ListTimeframes => "list-timeframes",
            Self::ShowConfig => "show-config",
            Self::Version => "--version",
            Self::Help => "--help",
        }
    }

    /// Options without a value, and with one.
    const fn options(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::ListExchanges => (&["-1", "--one-column", "-a", "--all"], &["--trading-mode"]),
            Self::ListMarkets | Self::ListPairs => (
                &[
                    "--print-list",
                    "--print-json",
                    "-1",
                    "--one-column",
                    "--print-csv",
                    "-a",
                    "--all",
                ],
                &["--exchange", "--base", "--quote", "--trading-mode"],
            ),
            Self::ListStrategies => (&["-1", "--one-column", "--recursive-strategy-search"], &[]),
            Self::ListHyperoptloss | Self::ListFreqaimodels => (&["-1", "--one-column"], &[]),
            Self::ListTimeframes => (&["-1", "--one-column"], &["--exchange", "--trading-mode"]),
            Self::ShowConfig | Self::Version | Self::Help => (&[], &[]),
        }
    }
}

#[async_trait]
impl TypedTool for RunInfo {
    type Arguments = InfoArguments;
    type Output = Cmd;

    fn spec(&self) -> Spec {
        Spec::new(
            "freqtrade.cli.runInfoCommand",
            Effect::Read,
            "Run a command of the freqtrade program that only tells something: exchanges, markets, \
             pairs, strategies, loss functions, models, timeframes, configuration, version.",
        )
        .long_running()
        .open_world()
        .live()
        .aliases(&["trading.freqtrade.cli.runInfoCommand"])
    }

    async fn run(&self, arguments: InfoArguments, call: &Call) -> Result<Cmd, ToolError> {
        let words = words(&arguments)?;
        self.0.run(&words, Kind::Info, call).await
    }
}

fn words(arguments: &InfoArguments) -> Result<Vec<String>, ToolError> {
    let (flags, valued) = arguments.subcommand.options();
    let mut words = vec![arguments.subcommand.word().to_owned()];
    let mut rest = arguments.options.iter();
    while let Some(option) = rest.next() {
        let refused = || {
            let word = arguments.subcommand.word();
            let known: Vec<&str> = flags.iter().chain(valued).copied().collect();
            let rule = format!("{word} takes only: {}", known.join(" "));
            ToolError::invalid("options", rule)
        };
        if flags.contains(&option.as_str()) {
            words.push(option.clone());
            continue;
        }
        let value = rest.next().filter(|value| is_value(value));
        match (valued.contains(&option.as_str()), value) {
            (true, Some(value)) => words.extend([option.clone(), value.clone()]),
            _ => return Err(refused()),
        }
    }
    Ok(words)
}

/// A word that is no option and no path.
fn is_value(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    !word.is_empty() && word.len() <= 40 && !word.starts_with('-') && word.chars().all(fits)
}

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct None {}

#[async_trait]
impl TypedTool for ListStrategies {
    type Arguments = None;
    type Output = Strategies;

    fn spec(&self) -> Spec {
        Spec::new(
            "freqtrade.listStrategies",
            Effect::Read,
            "The strategies in the user folder of freqtrade, with file and whether they load.",
        )
        .long_running()
        .live()
        .aliases(&["trading.freqtrade.listStrategies"])
    }

    async fn run(&self, _: None, call: &Call) -> Result<Strategies, ToolError> {
        let cmd = self
            .0
            .run(&["list-strategies".to_owned()], Kind::Info, call)
            .await?;
        if cmd.exit_code != 0 {
            let message = "freqtrade could not list the strategies";
            let details = serde_json::json!({"stderr": cmd.stderr});
            return Err(ToolError::new(Code::BadGateway, message).with_details(details));
        }
        let strategies = table(&cmd.stdout);
        Ok(Strategies {
            count: strategies.len(),
            strategies,
        })
    }
}

/// Rows of the table freqtrade draws: name, file, status, and more.
fn table(text: &str) -> Vec<Strategy> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim();
        let inner = line.trim_matches(['│', '┃', '|']);
        let cells = inner.split(['│', '┃', '|']);
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let lines = text.lines().filter(|line| line.contains(['│', '|']));
    let rows = lines.filter_map(|line| match cells(line).as_slice() {
        [name, file, status, ..] if !name.is_empty() && !is_head(name) => Some(Strategy {
            name: name.clone(),
            file: file.clone(),
            status: status.clone(),
        }),
        _ => None,
    });
    rows.collect()
}

fn is_head(name: &str) -> bool {
    name.eq_ignore_ascii_case("name") || name.chars().all(|c| "-+=─━┼ ".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(subcommand: Subcommand, options: &[&str]) -> InfoArguments {
        InfoArguments {
            subcommand,
            options: options.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    #[test]
    fn only_options_that_ask_are_taken() {
        let pairs = Subcommand::ListPairs;
        let good = arguments(pairs, &["--exchange", "kraken", "--quote", "USD", "-1"]);
        assert_eq!(
            words(&good).unwrap().join(" "),
            "list-pairs --exchange kraken --quote USD -1"
        );
        for bad in [
            &["--config", "/etc/x"][..],
            &["--exchange"],
            &["--exchange", "--all"],
            &["--exchange", "../x"],
            &["kraken"],
            &["--logfile=/x"],
        ] {
            assert!(words(&arguments(pairs, bad)).is_err(), "{bad:?}");
        }
        assert!(words(&arguments(Subcommand::Version, &["-1"])).is_err());
    }

    #[test]
    fn the_table_of_strategies_is_read() {
        let text = "\
            ┏━━━━━━┳━━━━━━━┓\n\
            ┃ Name ┃ Location ┃ Status ┃ Hyperoptable ┃\n\
            ┡━━━━━━╇━━━━━━━┩\n\
            │ Sample │ sample.py │ OK │ Yes │\n\
            │ Broken │ broken.py │ LOAD FAILED │ No │\n\
            └──────┴───────┘\n";
        let rows = table(text);
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!(rows[1].status, "LOAD FAILED");
    }
}
