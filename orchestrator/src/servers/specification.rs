//! What is registered of a server, the rules its fields keep, and the client it becomes.

use super::credentials::{SecretHeaders, Secrets};
use super::oauth::{OAuth, OAuthSettings};
use super::{ServerError, ServersParts};
use crate::upstream::mcp::{Credentials, Effects, Endpoint, Isolation, McpConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::exec::Run;
use shared::tool::Effect;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const MAX_NAME: usize = 40;
const MAX_TEXT: usize = 4096;
const MAX_ENTRIES: usize = 64;
const MAX_TIMEOUT: u64 = 3600;
const MAX_RETRIES: u32 = 10;

/// A server, as settings and the REST routes write it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ServerSpecification)]
pub struct Specification {
    /// `[a-z][a-z0-9_]*`, at most 40 characters: the first word of its tools' ids.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// How it is spoken to.
    #[schema(inline)]
    pub protocol: Protocol,
    /// Its address; for every protocol but stdio.
    pub url: Option<String>,
    /// Its program; for stdio.
    pub command: Option<String>,
    /// What follows the program.
    pub args: Vec<String>,
    /// `NAME=value` or `NAME=secret:SERVER_…`; for stdio.
    pub environment: Vec<String>,
    /// Absolute; `/` when left out.
    pub working_dir: Option<String>,
    /// For people.
    pub version: Option<String>,
    /// Seconds of one call, 1 to 3600; 300 when left out.
    pub timeout_seconds: Option<u64>,
    /// How often a call that did not run is sent again, 0 to 10.
    #[serde(default = "three")]
    pub max_retries: u32,
    /// Not used by MCP servers; kept.
    pub health_check_url: Option<String>,
    /// For people.
    pub tags: Vec<String>,
    /// For people.
    pub metadata: Map<String, Value>,
    /// Header → text with a reference such as `Bearer secret:SERVER_TOKEN`.
    pub credentials: BTreeMap<String, String>,
    /// How the hub gets tokens for it; nothing where it needs none. Not together with `credentials`.
    #[schema(inline)]
    pub oauth: Option<OAuthSettings>,
    /// shared, `per_principal` or `per_session`.
    pub isolation: Shared,
    /// It may not ask clients (sampling, elicitation, roots).
    pub mute: bool,
    /// Effects by the server's own tool names; `*` is all others. Annotations count where neither is.
    pub effects: BTreeMap<String, String>,
    /// Kept with the server.
    pub namespace_id: Option<String>,
}

const fn three() -> u32 {
    3
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A child process.
    #[default]
    Stdio,
    /// Streamable HTTP, or HTTP with SSE where that is what answers.
    Http,
    /// The same over TLS.
    Https,
    /// Not spoken by this build.
    Websocket,
    /// HTTP with SSE.
    Sse,
}

impl Protocol {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
            Self::Https => "https",
            Self::Websocket => "websocket",
            Self::Sse => "sse",
        }
    }
}

/// Who shares a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shared {
    /// Everybody.
    #[default]
    #[serde(rename = "shared")]
    All,
    /// Each principal has its own.
    PerPrincipal,
    /// Each session of a client has its own.
    PerSession,
}

impl From<Shared> for Isolation {
    fn from(shared: Shared) -> Self {
        match shared {
            Shared::All => Self::Shared,
            Shared::PerPrincipal => Self::PerPrincipal,
            Shared::PerSession => Self::PerSession,
        }
    }
}

impl Specification {
    /// Checks everything that can be checked without asking anybody.
    ///
    /// # Errors
    /// [`ServerError::Invalid`] names the field.
    pub fn check(&self) -> Result<(), ServerError> {
        let head = self
            .name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase());
        let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !head || self.name.len() > MAX_NAME || !self.name.bytes().all(rest) {
            let rule = "must match ^[a-z][a-z0-9_]{0,39}$";
            return Err(invalid("name", rule));
        }
        match (self.protocol, &self.url, &self.command) {
            (Protocol::Websocket, ..) => {
                return Err(invalid(
                    "protocol",
                    "websocket is not offered by this build",
                ));
            }
            (Protocol::Stdio, None, Some(_)) => {}
            (Protocol::Stdio, ..) => {
                return Err(invalid("command", "stdio needs a command and no url"));
            }
            (_, Some(_), None) => {
                self.address()?;
            }
            _ => return Err(invalid("url", "this protocol needs a url and no command")),
        }
        let timeout = self.timeout_seconds.unwrap_or(1);
        if !(1..=MAX_TIMEOUT).contains(&timeout) {
            return Err(invalid("timeout_seconds", "must be 1 to 3600"));
        }
        if self.max_retries > MAX_RETRIES {
            return Err(invalid("max_retries", "must be 0 to 10"));
        }
        self.check_sizes()?;
        self.effects()?;
        self.check_oauth()?;
        Secrets::check(&self.credentials, &self.environment)
    }

    fn check_sizes(&self) -> Result<(), ServerError> {
        let texts = [
            &self.description,
            &self.url,
            &self.command,
            &self.working_dir,
        ];
        let long = texts
            .into_iter()
            .flatten()
            .any(|text| text.len() > MAX_TEXT);
        let many = [
            self.args.len(),
            self.environment.len(),
            self.tags.len(),
            self.metadata.len(),
            self.credentials.len(),
        ];
        if long || many.into_iter().any(|count| count > MAX_ENTRIES) {
            return Err(invalid("name", "the registration is too large"));
        }
        Ok(())
    }

    fn address(&self) -> Result<Url, ServerError> {
        let url = Url::parse(self.url.as_deref().unwrap_or_default()).ok();
        let url = url.filter(|url| {
            let plain = matches!(self.protocol, Protocol::Http | Protocol::Sse);
            let scheme = url.scheme() == "https" || (plain && url.scheme() == "http");
            scheme && url.username().is_empty() && url.password().is_none()
        });
        url.ok_or_else(|| {
            invalid(
                "url",
                "must be an http or https address that fits the protocol, without credentials",
            )
        })
    }

    fn effects(&self) -> Result<Effects, ServerError> {
        let mut effects = Effects::default();
        for (tool, word) in &self.effects {
            let effect = Effect::parse(word).ok_or_else(|| {
                invalid("effects", "must be read, mutate_own, mutate or critical")
            })?;
            match tool.as_str() {
                "*" => effects.otherwise = Some(effect),
                _ => drop(effects.by_tool.insert(tool.clone(), effect)),
            }
        }
        Ok(effects)
    }

    /// The client of this server. Programs of `trusted` specifications need not be on the list.
    pub(super) fn client(
        &self,
        parts: &ServersParts,
        trusted: bool,
    ) -> Result<(McpConfig, Option<Arc<OAuth>>), ServerError> {
        self.check()?;
        let (endpoint, oauth) = match self.protocol {
            Protocol::Stdio => (self.program(parts, trusted)?, None),
            _ => self.remote(parts)?,
        };
        let config = McpConfig {
            name: self.name.as_str().into(),
            endpoint,
            isolation: self.isolation.into(),
            interactive: !self.mute,
            effects: self.effects()?,
            timeout: Duration::from_secs(self.timeout_seconds.unwrap_or(300)),
            starts_per_minute: parts.config.starts_per_minute,
        };
        Ok((config, oauth))
    }

    fn program(&self, parts: &ServersParts, trusted: bool) -> Result<Endpoint, ServerError> {
        let command = self.command.clone().unwrap_or_default();
        if !trusted && !parts.config.programs.contains(&command) {
            return Err(ServerError::Program);
        }
        let missing = || invalid("command", "programs cannot be started here");
        let executor = parts.executor.clone().ok_or_else(missing)?;
        let mut run = Run::new(command, self.args.clone());
        run.directory = self.working_dir.as_ref().map(PathBuf::from);
        run.environment = Secrets(&*parts.secrets).environment(&self.environment)?;
        Ok(Endpoint::Stdio { run, executor })
    }

    fn remote(&self, parts: &ServersParts) -> Result<(Endpoint, Option<Arc<OAuth>>), ServerError> {
        let url = self.address()?;
        parts.outbound.check(&url).map_err(ServerError::Address)?;
        let timeout = Duration::from_secs(self.timeout_seconds.unwrap_or(300));
        let client = parts
            .outbound
            .client(timeout)
            .map_err(ServerError::Client)?;
        let oauth = self
            .oauth
            .clone()
            .map(|settings| OAuth::new(&self.name, url.clone(), settings, parts.oauth_ground()));
        let oauth = oauth.transpose().map_err(ServerError::Client)?;
        let credentials: Arc<dyn Credentials> = match &oauth {
            Some(oauth) => Arc::clone(oauth) as Arc<dyn Credentials>,
            None => {
                let headers = self.credentials.clone();
                Arc::new(SecretHeaders::new(headers, Arc::clone(&parts.secrets)))
            }
        };
        let endpoint = match self.protocol {
            Protocol::Sse => Endpoint::Sse {
                url,
                client,
                credentials,
            },
            _ => Endpoint::Http {
                url,
                client,
                credentials,
            },
        };
        Ok((endpoint, oauth))
    }
}

pub(super) fn invalid(field: &'static str, rule: &str) -> ServerError {
    ServerError::Invalid {
        field,
        rule: rule.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<(), String> {
        let specification: Specification = serde_json::from_str(json).unwrap();
        specification.check().map_err(|error| error.to_string())
    }

    /// Acceptance: 259
    #[test]
    fn the_protocol_has_to_fit_url_and_command() {
        assert!(check(r#"{"name":"a","protocol":"stdio","command":"node"}"#).is_ok());
        assert!(check(r#"{"name":"a","protocol":"http","url":"http://x/mcp"}"#).is_ok());
        for (json, field) in [
            (
                r#"{"name":"A","protocol":"stdio","command":"node"}"#,
                "name",
            ),
            (
                r#"{"name":"a","protocol":"stdio","url":"http://x"}"#,
                "command",
            ),
            (r#"{"name":"a","protocol":"http","command":"node"}"#, "url"),
            (r#"{"name":"a","protocol":"https","url":"http://x"}"#, "url"),
            (
                r#"{"name":"a","protocol":"http","url":"http://u:p@x"}"#,
                "url",
            ),
            (r#"{"name":"a","protocol":"http","url":"file:///x"}"#, "url"),
            (
                r#"{"name":"a","protocol":"websocket","url":"ws://x"}"#,
                "protocol",
            ),
            (
                r#"{"name":"a","command":"x","timeout_seconds":0}"#,
                "timeout_seconds",
            ),
            (
                r#"{"name":"a","command":"x","max_retries":11}"#,
                "max_retries",
            ),
            (
                r#"{"name":"a","command":"x","effects":{"t":"harmless"}}"#,
                "effects",
            ),
            (
                r#"{"name":"a","command":"x","environment":["A=secret:SECRET_KEY"]}"#,
                "environment",
            ),
            (
                r#"{"name":"a","protocol":"http","url":"http://x","credentials":{"X-Key":"abc"}}"#,
                "credentials",
            ),
        ] {
            let refused = check(json).unwrap_err();
            assert!(
                refused.starts_with(&format!("{field}: ")),
                "{json}: {refused}"
            );
        }
    }
}
