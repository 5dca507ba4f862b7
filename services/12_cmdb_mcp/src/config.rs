//! Settings of this spoke. The annotated reference is `config.default.toml`; secrets are not here.

use serde::Deserialize;
use shared::config::{Bounded, Kind, Variable};
use shared::remote::{BaseUrl, Reach, Seconds};
use url::Url;

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("LOCAL_CMDB_PATH", "local.path", Kind::Text),
    Variable::new("SERVICENOW_INSTANCE", "servicenow.instance", Kind::Text),
    Variable::new("SERVICENOW_URL", "servicenow.url", Kind::Text),
    Variable::new("SERVICENOW_USER", "servicenow.user", Kind::Text),
    Variable::new("SERVICENOW_AUTH", "servicenow.auth", Kind::Text),
    Variable::new("SERVICENOW_CLIENT_ID", "servicenow.client_id", Kind::Text),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The CSV file.
    pub(crate) local: Local,
    /// The remote system.
    pub(crate) servicenow: ServiceNow,
    /// Which addresses may be asked.
    pub(crate) outbound: Reach,
}

/// The local CMDB.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Local {
    /// Where the file is; relative to the working directory.
    pub(crate) path: String,
    /// Largest file, in bytes.
    pub(crate) max_file_bytes: u64,
}

/// How `ServiceNow` is reached. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceNow {
    /// Name of the instance.
    pub(crate) instance: Instance,
    /// Address that wins over the instance.
    pub(crate) url: BaseUrl,
    /// Account.
    pub(crate) user: String,
    /// How the account is proved.
    pub(crate) auth: Auth,
    /// OAuth client.
    pub(crate) client_id: String,
    /// Longest wait for one answer.
    pub(crate) timeout_seconds: Seconds<120>,
    /// Records asked for at a time.
    pub(crate) page_size: Bounded<1, 1000>,
    /// Table of `cmdb.queryAssets`.
    pub(crate) asset_table: String,
}

impl ServiceNow {
    /// Where the API is; `None` when neither setting says so.
    #[must_use]
    pub(crate) fn base(&self) -> Option<&Url> {
        self.url.0.as_ref().or(self.instance.0.as_ref())
    }
}

/// How the account is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    /// User and password with each request.
    Basic,
    /// A token that is fetched first.
    Oauth,
}

/// The name of an instance, as the address it stands for; `None` when not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Instance(Option<Url>);

impl TryFrom<String> for Instance {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const RULE: &str = "expected the name of an instance, such as acme";
        let name = text.trim().to_ascii_lowercase();
        let name = name.strip_suffix(".service-now.com").unwrap_or(&name);
        if name.is_empty() {
            return Ok(Self(None));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !name.chars().all(plain) {
            return Err(RULE);
        }
        let url = Url::parse(&format!("https://{name}.service-now.com/"));
        url.map(|url| Self(Some(url))).or(Err(RULE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)]) -> Result<Config, String> {
        shared::testkit::settings(DEFAULTS, VARIABLES, environment)
    }

    #[test]
    fn the_defaults_leave_servicenow_out() {
        let config = read(&[]).unwrap();
        assert_eq!(config.local.path, "data/cmdb.csv");
        assert_eq!(config.servicenow.base(), None);
        assert_eq!(config.servicenow.auth, Auth::Basic);
    }

    #[test]
    fn an_address_wins_over_an_instance() {
        let base = |environment: &[(&str, &str)]| {
            let config = read(environment).unwrap();
            config.servicenow.base().map(ToString::to_string)
        };
        let acme = Some("https://acme.service-now.com/".to_owned());
        assert_eq!(base(&[("SERVICENOW_INSTANCE", "acme")]), acme);
        assert_eq!(
            base(&[("SERVICENOW_INSTANCE", "Acme.service-now.com")]),
            acme
        );
        let both = [
            ("SERVICENOW_INSTANCE", "acme"),
            ("SERVICENOW_URL", "http://127.0.0.1:1"),
        ];
        assert_eq!(base(&both), Some("http://127.0.0.1:1/".to_owned()));
    }

    /// Acceptance: 21
    #[test]
    fn a_bad_setting_is_named() {
        for (name, value, key) in [
            ("SERVICENOW_URL", "http://acme.example", "servicenow.url"),
            (
                "SERVICENOW_URL",
                "https://u:p@acme.example",
                "servicenow.url",
            ),
            ("SERVICENOW_INSTANCE", "a/b", "servicenow.instance"),
            ("SERVICENOW_AUTH", "digest", "servicenow.auth"),
            (
                "WAYGATE_OUTBOUND_ALLOW",
                "10.0.0.0/8, a b",
                "outbound.allow",
            ),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(
                error.starts_with(&format!("{key} (variable {name}): ")),
                "{error}"
            );
        }
    }
}
