//! Settings of this spoke. The annotated reference is `config.default.toml`; secrets are not here.

use serde::Deserialize;
use shared::config::{Kind, Variable};
use shared::remote::{BaseUrl, Reach, Seconds, join};
use url::Url;

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("N8N_API_URL", "n8n.url", Kind::Text),
    Variable::new("N8N_WEBHOOK_URL", "n8n.webhook_url", Kind::Text),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The instance.
    pub(crate) n8n: N8n,
    /// Which addresses may be asked.
    pub(crate) outbound: Reach,
}

/// How the instance is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct N8n {
    url: BaseUrl,
    webhook_url: BaseUrl,
    /// Longest wait for one answer of the API.
    pub(crate) timeout_seconds: Seconds<120>,
}

impl N8n {
    /// Root of the public API; `None` when it is not set.
    pub(crate) fn api(&self) -> Option<Url> {
        let url = self.url.0.as_ref()?;
        Some(join(&root_of(url), ["api", "v1"]))
    }

    /// What the paths of webhooks hang from; `None` when nothing is set.
    pub(crate) fn webhooks(&self) -> Option<Url> {
        let own = self.webhook_url.0.clone();
        own.or_else(|| self.url.0.as_ref().map(root_of))
    }
}

/// An address of the API without `/api/v1`.
fn root_of(url: &Url) -> Url {
    let mut root = url.clone();
    let path = url.path().trim_end_matches('/');
    root.set_path(path.strip_suffix("/api/v1").unwrap_or(path));
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, webhooks: &str) -> (Option<String>, Option<String>) {
        let n8n = N8n {
            url: BaseUrl::try_from(url.to_owned()).unwrap(),
            webhook_url: BaseUrl::try_from(webhooks.to_owned()).unwrap(),
            timeout_seconds: Seconds::try_from(1).unwrap(),
        };
        let text = |url: Option<Url>| url.map(|url| url.to_string());
        (text(n8n.api()), text(n8n.webhooks()))
    }

    #[test]
    fn the_api_and_the_webhooks_hang_from_one_address() {
        let api = Some("https://n8n.example/base/api/v1".to_owned());
        let root = Some("https://n8n.example/base".to_owned());
        for url in [
            "https://n8n.example/base",
            "https://n8n.example/base/",
            "https://n8n.example/base/api/v1",
            "https://n8n.example/base/api/v1/",
        ] {
            assert_eq!(of(url, ""), (api.clone(), root.clone()), "{url}");
        }
        let hooks = Some("https://hooks.example/".to_owned());
        assert_eq!(
            of("https://n8n.example/base", "https://hooks.example"),
            (api, hooks)
        );
        assert_eq!(of("", ""), (None, None));
    }
}
