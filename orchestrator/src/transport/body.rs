//! Reading a request's body, bounded, and what it must be.

use super::refusal::Refusal;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use shared::error::Code;

/// Reads a JSON body of at most `limit` bytes, chunked or not.
///
/// # Errors
/// 415 when it is not declared as JSON, 413 when it is too large, 408 when it came too slowly or
/// broke off.
pub async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Refusal> {
    if !is_json(headers) {
        let message = "the body must be application/json";
        return Err(Refusal::new(Code::UnsupportedMediaType, message));
    }
    check_declared(headers, limit)?;
    collect(body, limit).await
}

/// Refuses a body that is declared larger than `limit` before any of it is read.
///
/// # Errors
/// 413.
pub fn check_declared(headers: &HeaderMap, limit: usize) -> Result<(), Refusal> {
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    match declared {
        Some(bytes) if bytes > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error, limit))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if rest.len() + first.as_ref().map_or(0, Bytes::len) + data.len() > limit {
            return Err(too_large(limit));
        }
        match first.take() {
            None if rest.is_empty() => first = Some(data),
            None => rest.extend_from_slice(&data),
            Some(head) => {
                rest.extend_from_slice(&head);
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| rest.freeze()))
}

fn broken(error: &axum::Error, limit: usize) -> Refusal {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return too_large(limit);
        }
        cause = error.source();
    }
    tracing::debug!(event = "body_broken", %error, "a request body could not be read to its end");
    Refusal::new(
        Code::RequestTimeout,
        "the request body did not arrive in time",
    )
}

fn too_large(limit: usize) -> Refusal {
    Refusal::new(Code::PayloadTooLarge, "the request body is too large").with("limit_bytes", limit)
}

/// `application/json` or an own `application/vnd.waygate.v2+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| {
        essence.eq_ignore_ascii_case("application/json")
            || essence.eq_ignore_ascii_case("application/vnd.waygate.v2+json")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    async fn check(kind: &str, chunks: &[&'static [u8]]) -> Result<Bytes, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        let chunks: Vec<Result<&'static [u8], std::io::Error>> =
            chunks.iter().copied().map(Ok).collect();
        read(&headers, Body::from_stream(stream::iter(chunks)), 8)
            .await
            .map_err(|refusal| refusal.code.http_status())
    }

    #[tokio::test]
    async fn chunks_are_joined_up_to_the_limit() {
        assert_eq!(
            check("application/json", &[b"1234", b"56", b"78"])
                .await
                .unwrap(),
            "12345678"
        );
        assert_eq!(check("application/json", &[]).await.unwrap(), "");
        assert_eq!(
            check("application/json", &[b"1234", b"56", b"789"]).await,
            Err(413)
        );
    }

    #[tokio::test]
    async fn only_json_is_taken() {
        assert!(
            check("Application/JSON; charset=utf-8", &[b"{}"])
                .await
                .is_ok()
        );
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonx",
            "",
        ] {
            assert_eq!(check(kind, &[b"{}"]).await, Err(415), "{kind}");
        }
    }

    #[test]
    fn a_declared_size_is_refused_before_reading() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, 9.into());
        assert!(check_declared(&headers, 8).is_err());
        assert!(check_declared(&headers, 9).is_ok());
    }
}
