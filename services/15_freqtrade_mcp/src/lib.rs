//! Spoke 15: what freqtrade knows, computes and trades.
//!
//! The tools, in reading order: texts (`knowledge`) and files (`source`); the program, what it tells
//! (`info`) and its long work (`work`, with `words`); a running bot, what it is told without parameters (`plain`) and
//! with some (`lists`), and trades by hand (`force`) when it is ready for them (`readiness`). Beneath
//! them: the program (`cli`), the bot's REST API (`bot`), a name more for a tool (`renamed`).

mod bot;
mod cli;
mod config;
mod force;
mod info;
mod knowledge;
mod lists;
mod plain;
mod readiness;
mod renamed;
mod source;
mod words;
mod work;

use bot::{Bot, BotCheck, SetupError};
use cli::{Cli, CliCheck};
use config::Config;
use lists::Listed;
use renamed::renamed;
use shared::exec::Executor;
use shared::id::InvalidId;
use shared::spoke::{BuildError, BuildInput, HealthCheck, Parts, Service, metrics_tool};
use shared::tool::{Tool, boxed};
use source::{Checkout, SourceCheck};
use std::future::ready;
use std::sync::Arc;
use work::Work;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "15_freqtrade_mcp",
    number: 15,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["freqtrade", "trading.freqtrade"],
    canary: "freqtrade.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build: |input| Box::pin(ready(build(input))),
};

fn build(input: &BuildInput) -> Result<Parts, BuildError> {
    let config: Config = input.config()?;
    let bot = Bot::prepare(&config, input.kit.secrets.as_ref()).map_err(unprepared)?;
    let bot = Arc::new(bot);
    let executor = Executor::of(&config.cli.path, input.kit.tasks.clone())
        .map_err(|error| BuildError::setup("the means to run programs", error))?;
    let cli = Arc::new(Cli::new(executor, &config.cli.path, config.cli.user_dir));
    let checkout = Checkout::new(&config.source.path)
        .map_err(|error| BuildError::setup("the path of the checkout", error))?;
    let checkout = Arc::new(checkout);
    let mut tools = local_tools(&checkout, &cli)?;
    tools.extend(bot_tools(&bot)?);
    let meter = &input.kit.meter;
    let metrics = metrics_tool(meter, "freqtrade.getMetrics", Arc::new(Vec::new))?;
    tools.push(renamed(metrics, &["trading.freqtrade.getMetrics"]));
    let checks: Vec<Arc<dyn HealthCheck>> = vec![
        Arc::new(SourceCheck(checkout)),
        Arc::new(CliCheck(cli)),
        Arc::new(BotCheck(bot)),
    ];
    Ok(Parts { tools, checks })
}

fn local_tools(checkout: &Arc<Checkout>, cli: &Arc<Cli>) -> Result<Vec<Arc<dyn Tool>>, InvalidId> {
    Ok(vec![
        boxed(knowledge::Hyperopt)?,
        boxed(knowledge::FreqAi)?,
        boxed(source::GetFile(Arc::clone(checkout)))?,
        boxed(source::ListDirectory(Arc::clone(checkout)))?,
        boxed(info::RunInfo(Arc::clone(cli)))?,
        boxed(info::ListStrategies(Arc::clone(cli)))?,
        boxed(Work::<work::Hyperopt>::new(cli))?,
        boxed(Work::<work::Train>::new(cli))?,
        boxed(Work::<work::Download>::new(cli))?,
        boxed(Work::<work::Backtest>::new(cli))?,
    ])
}

fn bot_tools(bot: &Arc<Bot>) -> Result<Vec<Arc<dyn Tool>>, InvalidId> {
    let mut tools = plain::all(bot).map(boxed).collect::<Result<Vec<_>, _>>()?;
    tools.extend([
        boxed(Listed::<lists::Daily>::new(bot))?,
        boxed(Listed::<lists::History>::new(bot))?,
        boxed(Listed::<lists::One>::new(bot))?,
        boxed(Listed::<lists::Ban>::new(bot))?,
        boxed(Listed::<lists::Unban>::new(bot))?,
        boxed(Listed::<lists::Lock>::new(bot))?,
        boxed(Listed::<lists::Unlock>::new(bot))?,
        boxed(force::ForceEnter(Arc::clone(bot)))?,
        boxed(force::ForceExit(Arc::clone(bot)))?,
    ]);
    Ok(tools)
}

fn unprepared(error: SetupError) -> BuildError {
    match error {
        SetupError::Secret(error) => error.into(),
        error => BuildError::setup("the connection to the bot", error),
    }
}
