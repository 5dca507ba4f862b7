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

/// Where a machine of a cloud asks who it is: the well-known link-local address over http, or what a
/// [`BaseUrl`] may be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MetadataUrl(pub Url);

impl MetadataUrl {
    /// The address all clouds have agreed on.
    pub const WELL_KNOWN: &str = "169.254.169.254";

    /// A guard for this address: the well-known one may be asked, which is refused otherwise.
    #[must_use]
    pub fn guard(&self, others: &Outbound) -> Outbound {
        let well_known = || Outbound::allowing(&[Self::WELL_KNOWN]).unwrap_or_default();
        match self.0.host_str() == Some(Self::WELL_KNOWN) {
            true => well_known(),
            false => others.clone(),
        }
    }
}

impl TryFrom<String> for MetadataUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match Url::parse(text.trim()) {
            Ok(url) if url.scheme() == "http" && url.host_str() == Some(Self::WELL_KNOWN) => {
                Ok(Self(url))
            }
            _ => BaseUrl::try_from(text)?
                .0
                .map(Self)
                .ok_or("expected an address such as http://169.254.169.254"),
        }
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
