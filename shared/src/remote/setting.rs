//! Settings every client of another system has.

use crate::outbound::{BadEntry, Outbound};
use serde::Deserialize;
use std::time::Duration;
use url::{Host, Url};

/// A base address; `None` when the setting is empty. Credentials do not travel in clear: http is for
/// loopback only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseUrl(pub Option<Url>);

impl TryFrom<String> for BaseUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self(None));
        }
        let Ok(url) = Url::parse(text) else {
            return Err("expected an address such as https://host.example");
        };
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err("expected https, or http on a loopback address");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("user and password have settings of their own");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("expected an address without query");
        }
        Ok(Self(Some(url)))
    }
}

/// Which addresses may be asked although they are not public, as the guard they make.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Allow(pub Outbound);

impl TryFrom<Vec<String>> for Allow {
    type Error = BadEntry;

    fn try_from(entries: Vec<String>) -> Result<Self, BadEntry> {
        Outbound::allowing(&entries).map(Self)
    }
}

/// The section `[outbound]`: which addresses may be asked although they are not public.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// Host names, addresses, ranges.
    pub allow: Allow,
}

/// A wait of 1 to `MAX` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct Seconds<const MAX: u64>(u64);

impl<const MAX: u64> Seconds<MAX> {
    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl<const MAX: u64> TryFrom<u64> for Seconds<MAX> {
    type Error = String;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        match seconds {
            0 => Err(format!("expected 1 to {MAX} seconds")),
            _ if seconds > MAX => Err(format!("expected 1 to {MAX} seconds")),
            _ => Ok(Self(seconds)),
        }
    }
}
