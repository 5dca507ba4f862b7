//! `Host` and `Origin`: a browser page of somebody else's must not reach the hub, not through DNS
//! rebinding and not directly.

use super::refusal::Refusal;
use super::settings::HttpSettings;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use shared::error::Code;

/// Checks both headers.
///
/// # Errors
/// 403 for a host or an origin that is not allowed, 400 for a header that stands twice or is missing.
pub fn check(uri: &Uri, headers: &HeaderMap, settings: &HttpSettings) -> Result<(), Refusal> {
    let host = host(uri, headers)?;
    if !host_allowed(&host, settings) {
        return Err(Refusal::new(
            Code::Forbidden,
            "this Host is not served here",
        ));
    }
    match single(headers, &ORIGIN)? {
        None => Ok(()),
        Some(origin) if origin_allowed(origin, &host, settings) => Ok(()),
        Some(_) => Err(Refusal::new(Code::Forbidden, "this Origin is not allowed")),
    }
}

/// Whether `origin` is in the list of origins that get CORS headers.
#[must_use]
pub fn listed(origin: &HeaderValue, settings: &HttpSettings) -> bool {
    origin.to_str().is_ok_and(|origin| {
        let wildcard = settings.development && settings.cors_origins.iter().any(|it| it == "*");
        wildcard
            || settings
                .cors_origins
                .iter()
                .any(|it| it.eq_ignore_ascii_case(origin))
    })
}

fn host(uri: &Uri, headers: &HeaderMap) -> Result<Authority, Refusal> {
    let invalid = || {
        Refusal::new(
            Code::InvalidRequest,
            "the Host header is missing or malformed",
        )
    };
    match single(headers, &HOST)? {
        Some(value) => Authority::try_from(value.as_bytes())
            .ok()
            .ok_or_else(invalid),
        None => uri.authority().cloned().ok_or_else(invalid),
    }
}

fn host_allowed(host: &Authority, settings: &HttpSettings) -> bool {
    let name = host.host();
    is_loopback(name)
        || settings
            .allowed_hosts
            .iter()
            .any(|it| it.eq_ignore_ascii_case(name))
}

/// Listed, or the hub's own page: the same host and port as the request's, which is allowed itself.
fn origin_allowed(origin: &HeaderValue, host: &Authority, settings: &HttpSettings) -> bool {
    if listed(origin, settings) {
        return true;
    }
    let Some((scheme, authority)) = origin.to_str().ok().and_then(|it| it.split_once("://")) else {
        return false;
    };
    let same = authority.eq_ignore_ascii_case(host.as_str());
    same && matches!(scheme, "http" | "https")
}

fn is_loopback(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|it| it.to_canonical().is_loopback())
}

fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Refusal::new(
            Code::InvalidRequest,
            format!("header {name} stands twice"),
        ));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of a request with these headers; 200 when it may go on.
    fn check_status(headers: &[(HeaderName, &str)]) -> u16 {
        let settings = HttpSettings {
            allowed_hosts: vec!["hub.example".into()],
            cors_origins: vec!["https://desk.example".into()],
            ..HttpSettings::default()
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.clone(), value.parse().unwrap());
        }
        check(&Uri::from_static("/mcp"), &map, &settings)
            .map_or_else(|it| it.code.http_status(), |()| 200)
    }

    #[test]
    fn hosts_are_an_allow_list() {
        for good in [
            "localhost:8000",
            "127.0.0.1",
            "127.0.0.1:8000",
            "[::1]:8000",
            "HUB.example:1",
            "127.9.9.9",
        ] {
            assert_eq!(check_status(&[(HOST, good)]), 200, "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "hub.example.evil",
            "10.0.0.1",
            "0.0.0.0",
            "127.0.0.1.nip.io",
            "[2001:db8::1]",
        ] {
            assert_eq!(check_status(&[(HOST, bad)]), 403, "{bad}");
        }
        assert_eq!(check_status(&[]), 400);
        assert_eq!(
            check_status(&[(HOST, "localhost"), (HOST, "localhost")]),
            400
        );
        assert_eq!(check_status(&[(HOST, "local host")]), 400);
    }

    #[test]
    fn origins_are_an_allow_list() {
        let with = |origin: &str| check_status(&[(HOST, "localhost:8000"), (ORIGIN, origin)]);
        for good in ["https://desk.example", "http://localhost:8000"] {
            assert_eq!(with(good), 200, "{good}");
        }
        for bad in [
            "null",
            "http://localhost",
            "http://localhost:8001",
            "http://127.0.0.1:8000",
            "https://evil.example",
            "https://desk.example.evil",
            "https://desk.example:444",
            "file://",
            "ftp://localhost:8000",
            "localhost:8000",
        ] {
            assert_eq!(with(bad), 403, "{bad}");
        }
        let twice = [
            (HOST, "localhost"),
            (ORIGIN, "http://localhost"),
            (ORIGIN, "http://localhost"),
        ];
        assert_eq!(check_status(&twice), 400);
    }
}
