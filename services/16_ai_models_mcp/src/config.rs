//! Settings of this spoke. The annotated reference is `config.default.toml`; keys are not here.

use serde::Deserialize;
use shared::config::{Bounded, Kind, Variable};
use shared::remote::{BaseUrl, Reach, Seconds};

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("GEMINI_API_URL", "gemini.url", Kind::Text),
    Variable::new("AI_GEMINI_MODEL", "gemini.model", Kind::Text),
    Variable::new("ANTHROPIC_API_URL", "anthropic.url", Kind::Text),
    Variable::new("AI_ANTHROPIC_MODEL", "anthropic.model", Kind::Text),
    Variable::new("AI_PRICES_PATH", "prices.path", Kind::Text),
    Variable::new(
        "AI_CALLS_PER_MINUTE",
        "limits.calls_per_minute",
        Kind::Integer,
    ),
    Variable::new(
        "AI_CONTEXT_MAX_TOKENS",
        "limits.context_max_tokens",
        Kind::Integer,
    ),
    Variable::new("AI_BUDGET_USD", "limits.budget_usd_per_day", Kind::Number),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Google's models.
    pub(crate) gemini: Provider,
    /// Anthropic's models.
    pub(crate) anthropic: Provider,
    /// What they cost.
    pub(crate) prices: Prices,
    /// How much.
    pub(crate) limits: Limits,
    /// Which addresses may be asked.
    pub(crate) outbound: Reach,
}

/// One provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    /// Address of the API.
    pub(crate) url: BaseUrl,
    /// Model when a call names none.
    pub(crate) model: Model,
}

/// What models cost.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    /// The file; empty: none.
    pub(crate) path: String,
}

/// Bounds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Calls a principal may make in a minute.
    pub(crate) calls_per_minute: Bounded<1, 10_000>,
    /// Tokens of a conversation that are sent along.
    pub(crate) context_max_tokens: Bounded<100, 10_000_000>,
    /// Dollars a principal may spend in 24 hours.
    pub(crate) budget_usd_per_day: Budget,
    /// Longest wait for one answer.
    pub(crate) timeout_seconds: Seconds<290>,
}

/// Name of a model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Model(String);

impl Model {
    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Model {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':');
        let begins = text
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric);
        match begins && text.len() <= 100 && text.bytes().all(plain) {
            true => Ok(Self(text)),
            false => Err("is no name of a model"),
        }
    }
}

/// Dollars; `None`: no limit.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Budget(pub(crate) Option<f64>);

impl TryFrom<f64> for Budget {
    type Error = &'static str;

    fn try_from(dollars: f64) -> Result<Self, Self::Error> {
        match dollars {
            0.0 => Ok(Self(None)),
            _ if dollars.is_finite() && dollars > 0.0 => Ok(Self(Some(dollars))),
            _ => Err("expected US dollars, or 0 for no limit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)]) -> Result<Config, String> {
        shared::testkit::settings(DEFAULTS, VARIABLES, environment)
    }

    #[test]
    fn the_defaults_are_those_of_the_catalogue() {
        let config = read(&[]).unwrap();
        assert_eq!(config.gemini.model.as_str(), "gemini-flash-latest");
        assert_eq!(config.anthropic.model.as_str(), "claude-haiku-4-5");
        assert_eq!(config.limits.calls_per_minute.get(), 10);
        assert_eq!(config.limits.context_max_tokens.get(), 100_000);
        assert_eq!(config.limits.budget_usd_per_day.0, None);
    }

    /// Acceptance: 21
    #[test]
    fn a_bad_setting_is_named() {
        for (name, value, key) in [
            ("GEMINI_API_URL", "http://example.org", "gemini.url"),
            ("AI_GEMINI_MODEL", "../x", "gemini.model"),
            ("AI_CALLS_PER_MINUTE", "0", "limits.calls_per_minute"),
            ("AI_BUDGET_USD", "-1", "limits.budget_usd_per_day"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(
                error.starts_with(&format!("{key} (variable {name}): ")),
                "{error}"
            );
        }
    }
}
