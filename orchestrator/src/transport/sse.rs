//! Server-sent events: frames as bytes, and answers that are streams.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures::Stream;
use http::HeaderMap;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use std::convert::Infallible;
use std::time::Duration;

/// Longest silence on a stream.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A line that means nothing, against silence.
pub const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// One `message` event. Line breaks inside `data` are kept, as the format wants.
#[must_use]
pub fn event(id: Option<u64>, data: &[u8]) -> Bytes {
    let event = named("message", data);
    match id {
        None => event,
        Some(id) => [format!("id: {id}\n").as_bytes(), &event].concat().into(),
    }
}

/// One event of this name, which must be one line.
#[must_use]
pub fn named(name: &str, data: &[u8]) -> Bytes {
    let mut event = BytesMut::with_capacity(data.len() + 64);
    event.extend_from_slice(b"event: ");
    event.extend_from_slice(name.as_bytes());
    event.put_u8(b'\n');
    let breaks = |byte: &u8| matches!(byte, b'\n' | b'\r');
    for line in data.split(breaks) {
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(line);
        event.put_u8(b'\n');
    }
    event.put_u8(b'\n');
    event.freeze()
}

/// An answer that is a stream of events.
pub fn answer(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    use futures::StreamExt;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    let body = Body::from_stream(events.map(Ok::<Bytes, Infallible>));
    (headers, body).into_response()
}

/// Whether the client takes event streams. One that says nothing of what it takes does not.
#[must_use]
pub fn accepted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    let mut kinds = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    kinds.any(|kind| {
        let mut parts = kind.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|parameter| {
            let weight = parameter
                .strip_prefix("q=")
                .and_then(|q| q.parse::<f32>().ok());
            weight.is_some_and(|weight| weight <= 0.0)
        });
        essence == "text/event-stream" && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_inside_data_become_lines_of_data() {
        assert_eq!(event(None, b"{}"), "event: message\ndata: {}\n\n");
        assert_eq!(
            event(Some(3), b"{\n}"),
            "id: 3\nevent: message\ndata: {\ndata: }\n\n"
        );
        assert_eq!(
            event(None, b"a\r\nb"),
            "event: message\ndata: a\ndata: \ndata: b\n\n"
        );
    }

    #[test]
    fn streams_are_sent_to_those_who_take_them() {
        let takes = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            accepted(&headers)
        };
        assert!(takes("application/json, text/event-stream"));
        assert!(takes("Text/Event-Stream;q=0.5"));
        assert!(!takes("text/event-stream;q=0, application/json"));
        assert!(!takes("application/json"));
        assert!(!takes("*/*"));
        assert!(!accepted(&HeaderMap::new()));
    }
}
