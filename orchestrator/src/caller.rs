//! Who calls, from where, under which correlation id: what every step of a call may need to know.

#[cfg(test)]
pub(crate) mod testing;

use crate::auth::Principal;
use shared::id::CorrelationId;
use std::net::IpAddr;
use std::sync::Arc;

/// The circumstances of one request, made once by the transport.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The authenticated principal.
    pub principal: Arc<Principal>,
    /// Joins everything the request causes.
    pub correlation_id: CorrelationId,
    /// `req_…`: this one request, in answers and logs.
    pub request_id: Arc<str>,
    /// W3C trace context; `None` when the client sent none.
    pub traceparent: Option<Arc<str>>,
    /// Address of the client, after trusted proxies; `None` over stdio.
    pub address: Option<IpAddr>,
    /// The door the request came through, such as `mcp`, `rest`, `stdio`.
    pub door: &'static str,
    /// How many workflow or nested calls stand above this one.
    pub depth: u8,
    /// Method, path and headers as policies read them; `None` over stdio and for nested calls.
    pub http: Option<Arc<HttpFacts>>,
}

/// What policies may ask about an HTTP request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpFacts {
    /// Upper case, such as `POST`.
    pub method: String,
    /// Without query, such as `/mcp`.
    pub path: String,
    /// Lower-case names with values; only those of [`crate::policy::Policy::headers`], never credentials.
    pub headers: Vec<(String, String)>,
}
