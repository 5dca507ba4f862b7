//! Settings of this spoke. The annotated reference is `config.default.toml`; the password is not here.

use serde::Deserialize;
use shared::config::{Kind, Variable};
use shared::exec::Program;
use shared::remote::{BaseUrl, Reach, Seconds};
use std::path::PathBuf;

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("FREQTRADE_SOURCE_PATH", "source.path", Kind::Text),
    Variable::new("FREQTRADE_PATH", "cli.path", Kind::Text),
    Variable::new("FREQTRADE_USER_DIR", "cli.user_dir", Kind::Text),
    Variable::new("FREQTRADE_API_URL", "api.url", Kind::Text),
    Variable::new("FREQTRADE_USERNAME", "api.username", Kind::Text),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The source.
    pub(crate) source: Source,
    /// The program.
    pub(crate) cli: Cli,
    /// The bot.
    pub(crate) api: Api,
    /// Which addresses may be asked.
    pub(crate) outbound: Reach,
}

/// The source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// Top of the checkout; empty when there is none.
    pub(crate) path: PathBuf,
}

/// The program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cli {
    /// Where it is.
    pub(crate) path: Program,
    /// Its user folder; empty when it is not set.
    pub(crate) user_dir: PathBuf,
}

/// The bot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Api {
    /// Where it answers.
    pub(crate) url: BaseUrl,
    /// Who asks.
    pub(crate) username: String,
    /// Longest wait for one answer.
    pub(crate) timeout_seconds: Seconds<25>,
}
