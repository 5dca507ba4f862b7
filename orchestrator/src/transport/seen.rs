//! What the edge learnt about one HTTP request: its ids, its sender's address, its route.

use super::address;
use super::settings::HttpSettings;
use axum::extract::{ConnectInfo, MatchedPath, Request};
use http::{HeaderMap, HeaderName};
use shared::id::CorrelationId;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::time::Instant;

/// Header of the id that joins everything a request causes.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// Header of the id of one request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Facts about one request. Cheap to clone; handlers find it among the request's extensions.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `req_…`.
    pub request_id: Arc<str>,
    /// The client's own, or a new one.
    pub correlation_id: CorrelationId,
    /// W3C trace context; `None` when the client sent none.
    pub traceparent: Option<Arc<str>>,
    /// The client's, after trusted proxies; `None` in tests without a socket.
    pub address: Option<IpAddr>,
    /// Template of the route, or `unknown`.
    pub endpoint: Arc<str>,
    /// When the request arrived.
    pub started: Instant,
}

impl Seen {
    /// Looks at a request.
    #[must_use]
    pub fn of(request: &Request, settings: &HttpSettings) -> Self {
        let headers = request.headers();
        let extensions = request.extensions();
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let template = extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        let fresh = uuid::Uuid::now_v7();
        Self {
            request_id: format!("req_{}", fresh.simple()).into(),
            correlation_id: correlation(headers),
            traceparent: traceparent(headers),
            address: peer.map(|peer| address::of_client(peer.0.ip(), headers, settings)),
            endpoint: template.unwrap_or("unknown").into(),
            started: Instant::now(),
        }
    }

    /// Whether this route answers JSON-RPC.
    #[must_use]
    pub fn speaks_json_rpc(&self) -> bool {
        let endpoint = &*self.endpoint;
        matches!(
            endpoint,
            "/mcp" | "/search/mcp" | "/messages" | "/rpc" | "/rpc/batch"
        ) || endpoint.starts_with("/servers/")
    }
}

fn correlation(headers: &HeaderMap) -> CorrelationId {
    let own = headers
        .get(CORRELATION_ID)
        .and_then(|value| value.to_str().ok());
    own.and_then(|text| CorrelationId::parse(text).ok())
        .unwrap_or_else(CorrelationId::fresh)
}

/// Keeps a trace context of the form `00-<32 hex>-<16 hex>-<2 hex>` only.
fn traceparent(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    valid_traceparent(text).then(|| text.into())
}

/// Whether `text` is a W3C trace context of version 00.
#[must_use]
pub fn valid_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        parts.next().is_some_and(|part| {
            part.len() == length
                && part
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    };
    text.starts_with("00-") && hex(2) && hex(32) && hex(16) && hex(2) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn seen(name: &str, value: &str) -> Seen {
        let request = Request::builder()
            .header(name, value)
            .body(Body::empty())
            .unwrap();
        Seen::of(&request, &HttpSettings::default())
    }

    /// Acceptance: 76
    #[test]
    fn a_callers_correlation_id_is_kept_when_it_is_valid() {
        assert_eq!(
            seen("X-Correlation-ID", "abc").correlation_id.as_str(),
            "abc"
        );
        for odd in ["a b", "", "ä", &"x".repeat(129)] {
            let fresh = seen("X-Correlation-ID", odd).correlation_id;
            assert!(uuid::Uuid::parse_str(fresh.as_str()).is_ok(), "{odd}");
        }
        let missing = seen("x-other", "1").correlation_id;
        assert!(uuid::Uuid::parse_str(missing.as_str()).is_ok());
    }

    #[test]
    fn only_a_valid_trace_context_is_kept() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(seen("traceparent", good).traceparent.as_deref(), Some(good));
        for bad in [
            "",
            "00-x",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            &format!("{good}-x"),
        ] {
            assert!(seen("traceparent", bad).traceparent.is_none(), "{bad}");
        }
    }
}
