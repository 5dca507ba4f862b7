//! The spoke's credential, asked for at both doors. Probes do not pass here.

use crate::error::Code;
use crate::http::refusal;
use crate::http::tls::ClientCertificate;
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
pub(super) enum Access {
    /// Everybody.
    Open,
    /// Holders of the token.
    Token(Arc<Secret>),
    /// Holders of a certificate the edge believed.
    Certificate,
}

impl Access {
    /// Holders of `token`; without one, holders of a certificate where TLS is spoken, else everybody.
    pub(super) fn by(token: Option<Secret>, over_tls: bool) -> Self {
        match token {
            Some(token) => Self::Token(Arc::new(token)),
            None if over_tls => Self::Certificate,
            None => Self::Open,
        }
    }

    fn admits(&self, request: &Request) -> bool {
        match self {
            Self::Open => true,
            Self::Token(expected) => shows(request.headers(), expected),
            Self::Certificate => request.extensions().get::<ClientCertificate>().is_some(),
        }
    }

    const fn wants(&self) -> &'static str {
        match self {
            Self::Certificate => "a certificate the spoke believes is required",
            Self::Open | Self::Token(_) => "the spoke's bearer token is required",
        }
    }
}

/// Whether exactly one header shows the token.
fn shows(headers: &HeaderMap, expected: &Secret) -> bool {
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
    if access.admits(&request) {
        return next.run(request).await;
    }
    let mut response = refusal(Code::Unauthorized, access.wants());
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
    if access.admits(&request) {
        return next.run(request).await;
    }
    tonic::Status::unauthenticated(access.wants())
        .into_http::<axum::body::Body>()
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Acceptance: 100
    #[test]
    fn only_the_exact_token_passes() {
        let access = Access::Token(Arc::new(Secret::new("0123456789abcdef")));
        let request = |values: &[&str]| {
            let mut request = Request::default();
            for value in values {
                let headers = request.headers_mut();
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            request
        };
        let check = |values: &[&str]| access.admits(&request(values));
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
        assert!(Access::Open.admits(&request(&[])));
        let token = request(&["Bearer 0123456789abcdef"]);
        assert!(
            !Access::Certificate.admits(&token),
            "a token is no certificate"
        );
        let mut certified = request(&[]);
        certified.extensions_mut().insert(ClientCertificate);
        assert!(Access::Certificate.admits(&certified) && !access.admits(&certified));
    }
}
