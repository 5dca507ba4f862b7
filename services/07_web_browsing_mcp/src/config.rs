//! Settings of this spoke. The annotated reference is `config.default.toml`; there are no secrets.

use serde::Deserialize;
use shared::config::{Bounded, Kind, Variable};
use shared::remote::{Allow, Reach};
use url::Url;

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("BROWSER_TYPE", "browser.type", Kind::Text),
    Variable::new("BROWSER_PATH", "browser.path", Kind::Text),
    Variable::new("BROWSER_URL", "browser.url", Kind::Text),
    Variable::new("SELENIUM_GRID_URL", "browser.grid", Kind::Text),
    Variable::new("BROWSER_SANDBOX", "browser.sandbox", Kind::Text),
    Variable::new("BROWSER_PROXY_HOST", "browser.proxy_host", Kind::Text),
    Variable::new("BROWSE_ALLOW", "guard.allow", Kind::List),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The browser.
    pub(crate) browser: Browser,
    /// Who may have how many pages.
    pub(crate) contexts: Contexts,
    /// What pages may reach.
    pub(crate) guard: Guard,
    /// Where a browser of others may be.
    pub(crate) outbound: Reach,
}

/// The browser.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Browser {
    /// Only one word so far; kept so that a wrong one is named.
    #[serde(rename = "type")]
    pub(crate) _kind: BrowserKind,
    /// Program; empty when it is to be looked for.
    pub(crate) path: String,
    /// `DevTools` of a running browser.
    pub(crate) url: Address,
    /// A `WebDriver` server.
    pub(crate) grid: Address,
    /// Chromium's own sandbox.
    pub(crate) sandbox: Sandbox,
    /// How a browser elsewhere reaches the guard; empty when it is here.
    pub(crate) proxy_host: String,
    /// Width of the window.
    pub(crate) width: Pixels,
    /// Height of the window.
    pub(crate) height: Pixels,
    /// Longest wait for its start.
    pub(crate) start_seconds: Bounded<1, 120>,
}

/// The kinds of browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BrowserKind {
    Chromium,
}

/// Whether Chromium walls its renderers off by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sandbox {
    On,
    Off,
    Auto,
}

/// Who may have how many pages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// Open at once.
    pub(crate) most: Bounded<1, 100>,
    /// Open at once for one caller.
    pub(crate) most_of_one_caller: Bounded<1, 100>,
    /// Life without use.
    pub(crate) idle_seconds: Bounded<10, 86400>,
}

/// What pages may reach.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Guard {
    /// Beyond public addresses.
    pub(crate) allow: Allow,
    /// Connections at once.
    pub(crate) connections: Bounded<1, 1000>,
}

/// An address inside the deployment, so clear text is allowed; `None` when not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Address(pub(crate) Option<Url>);

impl TryFrom<String> for Address {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.trim().is_empty() {
            return Ok(Self(None));
        }
        match Url::parse(text.trim()) {
            Ok(url) if matches!(url.scheme(), "http" | "https" | "ws") && url.has_host() => {
                Ok(Self(Some(url)))
            }
            _ => Err("expected an address such as http://browser:9222"),
        }
    }
}

/// A side of the window.
pub(crate) type Pixels = Bounded<200, 4000>;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn read(environment: &[(&str, &str)]) -> Result<Config, String> {
        shared::testkit::settings(DEFAULTS, VARIABLES, environment)
    }

    #[test]
    fn the_defaults_are_those_of_the_catalogue() {
        let config = read(&[]).unwrap();
        assert_eq!(config.contexts.most.get(), 20);
        assert_eq!(
            config.contexts.idle_seconds.seconds(),
            Duration::from_secs(900)
        );
        assert_eq!(config.browser.sandbox, Sandbox::Auto);
        assert!(config.browser.url.0.is_none() && config.browser.grid.0.is_none());
    }

    /// Acceptance: 21
    #[test]
    fn a_bad_setting_is_named() {
        for (name, value, key) in [
            ("BROWSER_TYPE", "netscape", "browser.type"),
            ("BROWSER_URL", "localhost:9222", "browser.url"),
            ("SELENIUM_GRID_URL", "file:///x", "browser.grid"),
            ("BROWSER_SANDBOX", "maybe", "browser.sandbox"),
            ("BROWSE_ALLOW", "10.0.0.0/8, a b", "guard.allow"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(
                error.starts_with(&format!("{key} (variable {name}): ")),
                "{error}"
            );
        }
    }
}
