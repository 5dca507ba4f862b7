//! The address of the client: the socket's, unless a trusted proxy names another.

use super::settings::HttpSettings;
use http::HeaderMap;
use ipnet::IpNet;
use std::net::IpAddr;

/// Forwarded addresses looked at; a longer list is cut on the client's side.
const MAX_HOPS: usize = 16;

/// The client behind `peer`.
///
/// The right-most address of `X-Forwarded-For` that is no trusted proxy
/// counts, since everything left of it was written by whoever that is; then `X-Real-IP`, then
/// `CF-Connecting-IP`.
#[must_use]
pub fn of_client(peer: IpAddr, headers: &HeaderMap, settings: &HttpSettings) -> IpAddr {
    let peer = peer.to_canonical();
    if !within(&settings.trusted_proxies, peer) {
        return peer;
    }
    let mut hops = forwarded(headers);
    hops.reverse();
    let hops: Option<Vec<IpAddr>> = hops
        .into_iter()
        .take(MAX_HOPS)
        .map(|text| text.and_then(parse))
        .take_while(Option::is_some)
        .collect();
    let hops = hops.unwrap_or_default();
    if let Some(client) = hops
        .iter()
        .find(|hop| !within(&settings.trusted_proxies, **hop))
    {
        return *client;
    }
    let single = |name: &str| headers.get(name)?.to_str().ok().and_then(parse);
    hops.last()
        .copied()
        .or_else(|| single("x-real-ip"))
        .or_else(|| single("cf-connecting-ip"))
        .unwrap_or(peer)
}

/// Whether one of `networks` holds `address`.
#[must_use]
pub fn within(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Every entry of every `X-Forwarded-For` header, in order; `None` for one that is no text.
fn forwarded(headers: &HeaderMap) -> Vec<Option<&str>> {
    let mut entries = Vec::new();
    for value in headers.get_all("x-forwarded-for") {
        match value.to_str() {
            Ok(text) => entries.extend(text.split(',').map(|entry| Some(entry.trim()))),
            Err(_not_text) => entries.push(None),
        }
    }
    entries
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = bare.parse().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|it| it.ip());
    address.or_else(with_port).map(|it| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let settings = HttpSettings {
            trusted_proxies: vec![
                "127.0.0.0/8".parse().unwrap(),
                "10.0.0.0/8".parse().unwrap(),
            ],
            ..HttpSettings::default()
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        of_client(peer.parse().unwrap(), &map, &settings).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(
            check("203.0.113.9", &[("x-forwarded-for", "1.1.1.1")]),
            "203.0.113.9"
        );
        assert_eq!(
            check("127.0.0.1", &[("x-forwarded-for", "1.1.1.1")]),
            "1.1.1.1"
        );
        assert_eq!(check("127.0.0.1", &[("x-real-ip", "1.1.1.1")]), "1.1.1.1");
        assert_eq!(
            check("::ffff:127.0.0.1", &[("cf-connecting-ip", "1.1.1.1")]),
            "1.1.1.1"
        );
        assert_eq!(check("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn what_the_client_wrote_itself_does_not_count() {
        assert_eq!(
            check("127.0.0.1", &[("x-forwarded-for", "6.6.6.6, 1.1.1.1")]),
            "1.1.1.1"
        );
        assert_eq!(
            check(
                "127.0.0.1",
                &[("x-forwarded-for", "6.6.6.6, 1.1.1.1, 10.0.0.2")]
            ),
            "1.1.1.1"
        );
        assert_eq!(
            check(
                "127.0.0.1",
                &[
                    ("x-forwarded-for", "6.6.6.6"),
                    ("x-forwarded-for", "[2001:db8::1]:99")
                ]
            ),
            "2001:db8::1"
        );
        assert_eq!(
            check("127.0.0.1", &[("x-forwarded-for", "6.6.6.6, nonsense")]),
            "127.0.0.1"
        );
        assert_eq!(
            check("127.0.0.1", &[("x-forwarded-for", "10.0.0.3")]),
            "10.0.0.3"
        );
    }
}
