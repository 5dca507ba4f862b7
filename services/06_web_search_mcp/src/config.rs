//! Settings of this spoke. The annotated reference is `config.default.toml`; keys are not here.

use serde::Deserialize;
use shared::config::{Kind, Variable};
use shared::remote::{BaseUrl, Reach, Seconds};

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("DUCKDUCKGO_API_URL", "engines.duckduckgo", Kind::Text),
    Variable::new("GOOGLE_API_URL", "engines.google", Kind::Text),
    Variable::new("GOOGLE_CSE_ID", "engines.google_cse_id", Kind::Text),
    Variable::new("BING_API_URL", "engines.bing", Kind::Text),
    Variable::new("EXA_API_URL", "engines.exa", Kind::Text),
    Variable::new("BRAVE_API_URL", "engines.brave", Kind::Text),
    Variable::new("TAVILY_API_URL", "engines.tavily", Kind::Text),
    Variable::new("SEARXNG_URL", "engines.searxng", Kind::Text),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How is searched.
    pub(crate) search: Search,
    /// Where the engines are.
    pub(crate) engines: Engines,
    /// Which addresses may be asked.
    pub(crate) outbound: Reach,
}

/// How is searched.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    /// Longest wait for one answer.
    pub(crate) timeout_seconds: Seconds<30>,
}

/// Where the engines are; `None` for one that is not used.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Engines {
    pub(crate) duckduckgo: BaseUrl,
    pub(crate) google: BaseUrl,
    /// Empty when not set.
    pub(crate) google_cse_id: String,
    pub(crate) bing: BaseUrl,
    pub(crate) exa: BaseUrl,
    pub(crate) brave: BaseUrl,
    pub(crate) tavily: BaseUrl,
    pub(crate) searxng: BaseUrl,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)]) -> Result<Config, String> {
        shared::testkit::settings(DEFAULTS, VARIABLES, environment)
    }

    /// Acceptance: 44
    #[test]
    fn duckduckgo_is_the_default_and_bing_has_no_address() {
        let config = read(&[]).unwrap();

        assert!(config.engines.duckduckgo.0.is_some());
        assert!(config.engines.bing.0.is_none());
    }

    /// Acceptance: 21
    #[test]
    fn a_bad_setting_is_named() {
        for (name, value, key) in [
            ("EXA_API_URL", "http://exa.example", "engines.exa"),
            ("SEARXNG_URL", "searx", "engines.searxng"),
            ("WAYGATE_OUTBOUND_ALLOW", "a b", "outbound.allow"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(
                error.starts_with(&format!("{key} (variable {name}): ")),
                "{error}"
            );
        }
    }
}
