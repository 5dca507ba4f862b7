//! Who a request is from, whether they may use this route, and how often.
//!
//! The last steps before a handler, on every route that is not open. What a principal may call is
//! decided by the gateway.

use super::Hub;
use super::refusal::{Refusal, whole_seconds};
use super::seen::Seen;
use crate::audit::Event;
use crate::auth::{AuthError, Presented, Principal, Role, Verb};
use crate::caller::{Caller, HttpFacts};
use crate::limits::{Allowance, Limited};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use shared::error::Code;
use std::sync::Arc;
use std::time::Duration;

/// Slug or id of the namespace a request works in.
const NAMESPACE: HeaderName = HeaderName::from_static("x-namespace");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// What a route asks of a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: no credential either. A wrong one is not looked at.
    Nothing,
    /// Any valid credential.
    Credential,
    /// This verb on this resource.
    Permission(&'static str, Verb),
    /// The role admin.
    Admin,
}

/// What guards one route.
#[derive(Clone)]
pub struct Guard {
    /// Handles.
    pub hub: Hub,
    /// What the route asks.
    pub need: Need,
    /// Requests a minute of one principal; 0 means unlimited.
    pub per_minute: u32,
}

/// Lets a request through to its handler, which finds the [`Caller`] among its extensions.
pub async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let Some(seen) = request.extensions().get::<Seen>().cloned() else {
        return Refusal::internal().into_response();
    };
    if guard.need == Need::Nothing {
        return match guard.hub.open(&seen, request.headers()).await {
            Ok(()) => next.run(request).await,
            Err(refusal) => refusal.into_response(),
        };
    }
    let facts = guard.hub.facts(&request);
    match guard.admit(&seen, request.headers(), facts).await {
        Err(refusal) => refusal.into_response(),
        Ok((caller, allowance)) => {
            tracing::Span::current().record("principal", &*caller.principal.id);
            request.extensions_mut().insert(caller);
            let mut answer = next.run(request).await;
            show(answer.headers_mut(), &allowance);
            answer
        }
    }
}

impl Guard {
    async fn admit(
        &self,
        seen: &Seen,
        headers: &HeaderMap,
        facts: HttpFacts,
    ) -> Result<(Caller, Allowance), Refusal> {
        let principal = self.hub.authenticate(seen, headers).await?;
        self.need.check(&principal)?;
        let principal = self.hub.in_namespace(principal, headers).await?;
        let limits = &self.hub.gateway.limits;
        let allowance = limits
            .admit_endpoint(&principal.id, &seen.endpoint, self.per_minute)
            .await
            .map_err(|limited| self.hub.limited(&limited))?;
        Ok((caller(principal, seen, facts), allowance))
    }
}

impl Need {
    /// Whether `principal` has it.
    ///
    /// # Errors
    /// 403 names what is missing.
    pub fn check(self, principal: &Principal) -> Result<(), Refusal> {
        let enough = match self {
            Self::Nothing | Self::Credential => true,
            Self::Permission(resource, verb) => principal.permissions.allow(resource, verb),
            Self::Admin => principal.role == Role::Admin,
        };
        if enough {
            return Ok(());
        }
        let needed = match self {
            Self::Permission(resource, verb) => format!("permission {resource}:{}", verb.as_str()),
            _ => "role admin".to_owned(),
        };
        let message = format!("this needs {needed}");
        Err(Refusal::new(Code::InsufficientRights, message).with("needs", needed))
    }
}

impl Hub {
    /// The principal behind a request's credential.
    ///
    /// # Errors
    /// 401 for none or a wrong one, 429 when this address has tried too often.
    pub async fn authenticate(
        &self,
        seen: &Seen,
        headers: &HeaderMap,
    ) -> Result<Arc<Principal>, Refusal> {
        let presented = Presented::from_headers(headers, self.settings.api_key_header.as_str());
        let checked = match presented {
            Ok(presented) => self.gateway.auth.authenticate(&presented).await,
            Err(error) => Err(error),
        };
        match checked {
            Ok(principal) => Ok(principal),
            Err(AuthError::Unavailable(cause)) => {
                tracing::error!(event = "auth_unavailable", %cause, "a credential could not be checked");
                Err(Refusal::new(
                    Code::ServiceUnavailable,
                    "the credential could not be checked",
                ))
            }
            Err(error) => Err(self.unauthenticated(&error, seen).await),
        }
    }

    /// The principal in the namespace the request names; in its own when it names none.
    async fn in_namespace(
        &self,
        principal: Arc<Principal>,
        headers: &HeaderMap,
    ) -> Result<Arc<Principal>, Refusal> {
        let Some(named) = headers.get(NAMESPACE) else {
            return Ok(principal);
        };
        let found = match named.to_str() {
            Ok(name) => self.gateway.auth.in_namespace(principal, name).await,
            Err(_not_text) => Ok(None),
        };
        match found {
            Ok(found) => {
                found.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such namespace"))
            }
            Err(error) => {
                tracing::error!(event = "namespaces_failed", %error, "a namespace could not be looked up");
                Err(Refusal::new(
                    Code::ServiceUnavailable,
                    "the namespace could not be looked up",
                ))
            }
        }
    }

    /// Counts a request to an open route against its address, unless it brings a valid credential.
    async fn open(&self, seen: &Seen, headers: &HeaderMap) -> Result<(), Refusal> {
        let presented = Presented::from_headers(headers, self.settings.api_key_header.as_str());
        if let Ok(presented) = presented
            && self.gateway.auth.authenticate(&presented).await.is_ok()
        {
            return Ok(());
        }
        self.count_address(seen).await
    }

    async fn unauthenticated(&self, error: &AuthError, seen: &Seen) -> Refusal {
        if let Err(refusal) = self.count_address(seen).await {
            return refusal;
        }
        if !matches!(error, AuthError::Missing) {
            self.gateway.audit.note(Event {
                action: "auth.refused",
                resource_type: "route",
                resource_id: seen.endpoint.to_string(),
                actor: "unknown".into(),
                organization: "default".into(),
                address: seen.address,
                details: json!({"code": error.code().as_str()}),
                correlation_id: Some(seen.correlation_id.clone()),
            });
        }
        let challenge = HeaderValue::from_static("Bearer realm=\"waygate\"");
        let refusal = Refusal::new(error.code(), error.to_string());
        match error.code() {
            Code::InvalidRequest => refusal,
            _ => refusal.header(WWW_AUTHENTICATE, challenge),
        }
    }

    async fn count_address(&self, seen: &Seen) -> Result<(), Refusal> {
        let Some(address) = seen.address else {
            return Ok(());
        };
        let counted = self.gateway.limits.admit_ip(address).await;
        counted.map(drop).map_err(|limited| self.limited(&limited))
    }

    /// The answer to a request over a limit.
    #[must_use]
    pub fn limited(&self, limited: &Limited) -> Refusal {
        self.gateway.metrics.rate_limited(limited.scope);
        let mut refusal = Refusal::new(Code::RateLimited, "too many requests")
            .with("scope", limited.scope)
            .retry_after(limited.retry_after);
        refusal.headers = limit_headers(limited.limit, limited.remaining, limited.reset).into();
        refusal
    }

    /// What policies may ask about a request.
    fn facts(&self, request: &Request) -> HttpFacts {
        let headers = request.headers();
        let value = |name: String| {
            let value = headers.get(name.as_str())?.to_str().ok()?.to_owned();
            Some((name, value))
        };
        let wanted = self.gateway.policy.headers();
        HttpFacts {
            method: request.method().as_str().to_owned(),
            path: request.uri().path().to_owned(),
            headers: wanted.into_iter().filter_map(value).collect(),
        }
    }
}

fn caller(principal: Arc<Principal>, seen: &Seen, facts: HttpFacts) -> Caller {
    Caller {
        principal,
        correlation_id: seen.correlation_id.clone(),
        request_id: Arc::clone(&seen.request_id),
        traceparent: seen.traceparent.clone(),
        address: seen.address,
        door: if seen.speaks_json_rpc() {
            "mcp"
        } else {
            "rest"
        },
        depth: 0,
        http: Some(Arc::new(facts)),
    }
}

/// The `X-RateLimit-*` headers of a limit.
#[must_use]
pub fn limit_headers(
    limit: u32,
    remaining: u32,
    reset: Duration,
) -> [(HeaderName, HeaderValue); 3] {
    let reset = if reset.is_zero() {
        0
    } else {
        whole_seconds(reset)
    };
    [
        (LIMIT, limit.into()),
        (REMAINING, remaining.into()),
        (RESET, reset.into()),
    ]
}

/// Figures of the route's limit, unless the handler gave figures of its own.
fn show(headers: &mut HeaderMap, allowance: &Allowance) {
    if allowance.limit == u32::MAX || headers.contains_key(LIMIT) {
        return;
    }
    headers.extend(limit_headers(
        allowance.limit,
        allowance.remaining,
        allowance.reset,
    ));
}
