//! The guard on requests that leave for other systems.
//!
//! Loopback, private, link-local and other special addresses are refused unless allowed by name or
//! range (`WAYGATE_OUTBOUND_ALLOW`). A name is resolved once, its addresses are checked, and the
//! connection goes to those addresses only, so a name that changes its answer gains nothing.
//! Redirects are not followed and no proxy is used. What is asked for is not looked at here.
//! Source: `catalogue.md` 3.

mod address;

use crate::error::Code;
use crate::tool::ToolError;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// Name of the setting that allows addresses.
pub const ALLOW_VARIABLE: &str = "WAYGATE_OUTBOUND_ALLOW";

/// Decides which hosts may be asked. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Outbound(Arc<Allowed>);

#[derive(Debug, Default)]
struct Allowed {
    names: BTreeSet<String>,
    ranges: Vec<IpNet>,
}

/// An entry of the list that is neither a host name nor a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a host name nor an address range")]
pub struct BadEntry(String);

/// An address, or a kind of URL, that is not to be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not an absolute `http` or `https` URL.
    #[error("only http and https URLs with a host can be asked")]
    Scheme,
    /// The host is, or resolves to nothing but, special addresses.
    #[error("the address of {0} is not public and {ALLOW_VARIABLE} does not allow it")]
    Address(String),
}

impl Outbound {
    /// Public addresses, and what these entries add: host names, addresses, ranges such as
    /// `10.0.0.0/8`.
    ///
    /// # Errors
    /// [`BadEntry`] names the first entry that is none of these.
    pub fn allowing<S: AsRef<str>>(entries: &[S]) -> Result<Self, BadEntry> {
        let mut allowed = Allowed::default();
        for entry in entries {
            let entry = entry.as_ref().trim();
            if let Ok(range) = entry.parse::<IpNet>() {
                allowed.ranges.push(range);
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                allowed.ranges.push(address.into());
            } else if let Ok(Host::Domain(name)) = Host::parse(entry) {
                allowed.names.insert(name);
            } else {
                return Err(BadEntry(entry.to_owned()));
            }
        }
        Ok(Self(Arc::new(allowed)))
    }

    /// Checks a URL as far as that goes without resolving its name.
    ///
    /// # Errors
    /// [`Refused`] when it is not to be asked.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused::Scheme);
        }
        let address: IpAddr = match url.host() {
            None => return Err(Refused::Scheme),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
        };
        match self.permits("", address) {
            true => Ok(()),
            false => Err(Refused::Address(address.to_string())),
        }
    }

    /// A client that connects to permitted addresses only. [`Outbound::check`] each URL first: an
    /// address written into a URL is never resolved.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn client(&self, timeout: Duration) -> reqwest::Result<reqwest::Client> {
        self.builder(timeout).build()
    }

    /// The same before it is built, for certificates of a spoke's own.
    pub fn builder(&self, timeout: Duration) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .dns_resolver(Arc::new(self.clone()))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .timeout(timeout)
            .pool_max_idle_per_host(8)
            .user_agent(concat!("waygate/", env!("CARGO_PKG_VERSION")))
    }

    fn permits(&self, name: &str, address: IpAddr) -> bool {
        address::is_public(address)
            || self.0.names.contains(name)
            || self.0.ranges.iter().any(|range| range.contains(&address))
    }
}

impl Resolve for Outbound {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.').to_ascii_lowercase();
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let permitted: Vec<SocketAddr> = found
                .filter(|socket| guard.permits(&host, socket.ip()))
                .collect();
            if permitted.is_empty() {
                return Err(Refused::Address(host).into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// What the caller of a tool is told when `system` (a name for people) could not be asked. Nothing
/// of the URL or of the answer is repeated.
#[must_use]
pub fn failure(system: &str, error: &reqwest::Error) -> ToolError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return refusal(refused);
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        let message = format!("{system} did not answer in time");
        return ToolError::new(Code::Timeout, message).retryable();
    }
    if error.is_connect() {
        let message = format!("{system} cannot be reached");
        return ToolError::refused(Code::ProxyError, message).retryable();
    }
    let message = format!("the exchange with {system} broke off");
    ToolError::new(Code::ProxyError, message).retryable()
}

/// What the caller of a tool is told when the guard says no.
#[must_use]
pub fn refusal(refused: &Refused) -> ToolError {
    ToolError::refused(Code::AddressRefused, refused.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    /// Acceptance: 303
    #[test]
    fn special_addresses_are_refused_unless_allowed() {
        let nothing = Outbound::default();
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://169.254.169.254/latest",
            "https://10.1.2.3/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://0.0.0.0/",
        ] {
            assert!(
                matches!(nothing.check(&url(text)), Err(Refused::Address(_))),
                "{text}"
            );
        }
        for text in ["file:///etc/passwd", "gopher://example.org/", "data:,x"] {
            assert_eq!(nothing.check(&url(text)), Err(Refused::Scheme), "{text}");
        }
        let some = Outbound::allowing(&["127.0.0.1", "10.0.0.0/8", "intranet.example"]).unwrap();
        for text in [
            "http://127.0.0.1:1/",
            "http://10.9.9.9/",
            "https://93.184.215.14/",
        ] {
            assert_eq!(some.check(&url(text)), Ok(()), "{text}");
        }
        assert!(some.check(&url("http://192.168.0.1/")).is_err());
        assert_eq!(
            Outbound::allowing(&["a b"]).unwrap_err().to_string(),
            "`a b` is neither a host name nor an address range"
        );
    }

    /// Acceptance: 303
    #[tokio::test]
    async fn a_name_that_leads_to_a_special_address_is_refused() {
        let ask = async |guard: Outbound| {
            let client = guard.client(Duration::from_secs(5)).unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let error = client.get(format!("http://localhost:{port}/")).send().await;
            failure("the stub", &error.unwrap_err())
        };
        let refused = ask(Outbound::default()).await;
        assert_eq!(refused.code, Code::AddressRefused);
        assert!(refused.did_not_run);
        let reached = ask(Outbound::allowing(&["localhost"]).unwrap()).await;
        assert_eq!(reached.code, Code::ProxyError);
        assert_eq!(reached.message, "the stub cannot be reached");
    }
}
