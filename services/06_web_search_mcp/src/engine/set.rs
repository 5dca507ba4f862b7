//! The engines there are: which can be asked, and what is missing for the others.

use super::bing::Bing;
use super::brave::Brave;
use super::duckduckgo::DuckDuckGo;
use super::exa::Exa;
use super::google::Google;
use super::searxng::SearXng;
use super::tavily::Tavily;
use super::{Engine, Name};
use crate::config::Config;
use shared::remote::Remote;
use shared::secret::{Secret, SecretError, SecretProvider};
use shared::tool::ToolError;
use std::collections::BTreeMap;

/// Why the engines cannot be prepared; a missing setting is no error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// A key is set but cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// TLS does not work on this host.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

/// An engine, or the setting that is missing to ask it.
pub(crate) enum State {
    Ready(Box<dyn Engine>),
    Missing {
        /// The setting to make first.
        setting: &'static str,
        /// Whether somebody has begun to make settings.
        begun: bool,
    },
}

/// All engines.
pub(crate) struct Engines(BTreeMap<Name, State>);

impl Engines {
    /// Prepares them; asks nobody yet.
    pub(crate) fn prepare(
        config: &Config,
        secrets: &dyn SecretProvider,
    ) -> Result<Self, SetupError> {
        let setup = Setup { config, secrets };
        let states = Name::ALL.map(|name| Ok((name, setup.engine(name)?)));
        let states: Result<_, SetupError> = states.into_iter().collect();
        Ok(Self(states?))
    }

    /// The engine of this name.
    ///
    /// # Errors
    /// `NOT_CONFIGURED` names the setting that is missing.
    pub(crate) fn ready(&self, name: Name) -> Result<&dyn Engine, ToolError> {
        match self.0.get(&name) {
            Some(State::Ready(engine)) => Ok(engine.as_ref()),
            Some(State::Missing { setting, .. }) => Err(ToolError::not_configured(setting)),
            None => Err(ToolError::invalid("engine", "is not one of the engines")),
        }
    }

    /// Every engine and how it is, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Name, &State)> {
        self.0.iter().map(|(name, state)| (*name, state))
    }
}

struct Setup<'a> {
    config: &'a Config,
    secrets: &'a dyn SecretProvider,
}

impl Setup<'_> {
    fn engine(&self, name: Name) -> Result<State, SetupError> {
        match name {
            Name::DuckDuckGo => self.duckduckgo(),
            Name::Google => self.google(),
            Name::Bing => self.bing(),
            Name::Exa => self.exa(),
            Name::Brave => self.brave(),
            Name::Tavily => self.tavily(),
            Name::SearXng => self.searxng(),
        }
    }

    fn remote(&self, system: &'static str, settings: &'static str) -> Result<Remote, SetupError> {
        let guard = self.config.outbound.allow.0.clone();
        let timeout = self.config.search.timeout_seconds.duration();
        Ok(Remote::new(system, settings, guard, timeout)?)
    }

    fn duckduckgo(&self) -> Result<State, SetupError> {
        let Some(url) = self.config.engines.duckduckgo.0.clone() else {
            return Ok(missing("DUCKDUCKGO_API_URL"));
        };
        let remote = self.remote("DuckDuckGo", "DUCKDUCKGO_API_URL")?;
        Ok(ready(DuckDuckGo { remote, url }))
    }

    fn google(&self) -> Result<State, SetupError> {
        let engines = &self.config.engines;
        let key = self.secrets.get("GOOGLE_API_KEY")?;
        let cx = engines.google_cse_id.clone();
        let begun = key.is_some() || !cx.is_empty();
        let unfinished = |setting| State::Missing { setting, begun };
        let (Some(key), false, Some(url)) = (key, cx.is_empty(), engines.google.0.clone()) else {
            let has_key = self.secrets.get("GOOGLE_API_KEY")?.is_some();
            return Ok(unfinished(
                match (has_key, engines.google_cse_id.is_empty()) {
                    (false, _) => "GOOGLE_API_KEY_SECRET_PATH",
                    (true, true) => "GOOGLE_CSE_ID",
                    (true, false) => "GOOGLE_API_URL",
                },
            ));
        };
        let remote = self.remote("Google", "GOOGLE_API_KEY_SECRET_PATH and GOOGLE_CSE_ID")?;
        Ok(ready(Google {
            remote,
            url,
            key,
            cx,
        }))
    }

    fn bing(&self) -> Result<State, SetupError> {
        let key = self.secrets.get("BING_API_KEY")?;
        let begun = key.is_some() || self.config.engines.bing.0.is_some();
        let unfinished = |setting| Ok(State::Missing { setting, begun });
        let Some(url) = self.config.engines.bing.0.clone() else {
            return unfinished("BING_API_URL (the public service ended)");
        };
        let Some(key) = key else {
            return unfinished("BING_API_KEY_SECRET_PATH");
        };
        let remote = self.remote("Bing", "BING_API_KEY_SECRET_PATH")?;
        Ok(ready(Bing { remote, url, key }))
    }

    fn exa(&self) -> Result<State, SetupError> {
        let engines = &self.config.engines;
        let (Some(key), Some(url)) = (self.key("EXA_API_KEY")?, engines.exa.0.clone()) else {
            return Ok(missing("EXA_API_KEY_SECRET_PATH"));
        };
        let remote = self.remote("Exa", "EXA_API_KEY_SECRET_PATH")?;
        Ok(ready(Exa { remote, url, key }))
    }

    fn brave(&self) -> Result<State, SetupError> {
        let engines = &self.config.engines;
        let (Some(key), Some(url)) = (self.key("BRAVE_API_KEY")?, engines.brave.0.clone()) else {
            return Ok(missing("BRAVE_API_KEY_SECRET_PATH"));
        };
        let remote = self.remote("Brave", "BRAVE_API_KEY_SECRET_PATH")?;
        Ok(ready(Brave { remote, url, key }))
    }

    fn tavily(&self) -> Result<State, SetupError> {
        let engines = &self.config.engines;
        let (Some(key), Some(url)) = (self.key("TAVILY_API_KEY")?, engines.tavily.0.clone()) else {
            return Ok(missing("TAVILY_API_KEY_SECRET_PATH"));
        };
        let remote = self.remote("Tavily", "TAVILY_API_KEY_SECRET_PATH")?;
        Ok(ready(Tavily { remote, url, key }))
    }

    fn searxng(&self) -> Result<State, SetupError> {
        let Some(base) = self.config.engines.searxng.0.clone() else {
            return Ok(missing("SEARXNG_URL"));
        };
        let remote = self.remote("SearXNG", "SEARXNG_URL")?;
        Ok(ready(SearXng { remote, base }))
    }

    fn key(&self, name: &str) -> Result<Option<Secret>, SetupError> {
        Ok(self.secrets.get(name)?)
    }
}

fn ready(engine: impl Engine + 'static) -> State {
    State::Ready(Box::new(engine))
}

const fn missing(setting: &'static str) -> State {
    State::Missing {
        setting,
        begun: false,
    }
}
