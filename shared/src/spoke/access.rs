//! The spoke's credential, asked for at both doors. Probes do not pass here.

use crate::error::Code;
use crate::http::refusal;
use crate::secret::Secret;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Who may pass. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Access(Option<Arc<Secret>>);

impl Access {
    /// Holders of `token`; everybody when it is `None`.
    pub(super) fn new(token: Option<Secret>) -> Self {
        Self(token.map(Arc::new))
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = &self.0 else {
            return true;
        };
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let (Some(one), None) = (shown.next(), shown.next()) else {
            return false;
        };
        let given = one.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        given.is_some_and(|given| is_same(given, expected.expose()))
    }
}

/// Compared by digest: neither content nor length shows in the time it takes.
fn is_same(given: &str, expected: &str) -> bool {
    let (given, expected) = (
        digest(&SHA256, given.as_bytes()),
        digest(&SHA256, expected.as_bytes()),
    );
    given.as_ref().ct_eq(expected.as_ref()).into()
}

/// Lets holders of the credential through to MCP; others get 401.
pub(super) async fn over_http(
    State(access): State<Access>,
    request: Request,
    next: Next,
) -> Response {
    if access.admits(request.headers()) {
        return next.run(request).await;
    }
    let mut response = refusal(Code::Unauthorized, "the spoke's bearer token is required");
    let challenge = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// Lets holders of the credential through to gRPC; others get `UNAUTHENTICATED`.
pub(super) async fn over_grpc(
    State(access): State<Access>,
    request: Request,
    next: Next,
) -> Response {
    if access.admits(request.headers()) {
        return next.run(request).await;
    }
    tonic::Status::unauthenticated("the spoke's bearer token is required")
        .into_http::<axum::body::Body>()
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Acceptance: 100
    #[test]
    fn only_the_exact_token_passes() {
        let access = Access::new(Some(Secret::new("0123456789abcdef")));
        let check = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            access.admits(&headers)
        };
        assert!(check(&["Bearer 0123456789abcdef"]));
        assert!(check(&["bearer 0123456789abcdef"]));
        assert!(!check(&[]));
        assert!(!check(&["Bearer 0123456789abcdeg"]));
        assert!(!check(&["Bearer 0123456789abcde"]));
        assert!(!check(&["Basic 0123456789abcdef"]));
        assert!(!check(&["0123456789abcdef"]));
        assert!(!check(&[
            "Bearer 0123456789abcdef",
            "Bearer 0123456789abcdef"
        ]));
        assert!(Access::new(None).admits(&HeaderMap::new()));
    }
}
