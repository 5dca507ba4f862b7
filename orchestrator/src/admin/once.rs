//! `Idempotency-Key` on plain routes: the same request again gets the answer of the first one.
//!
//! Answers stand in the store, sealed, since one may hold a key that was just made. Only answers to
//! requests that were carried out are kept; one that was refused may be sent again. Tool calls have the
//! ledger instead.

use crate::caller::Caller;
use crate::store::{Row, Statement, StoreError, micros};
use crate::transport::refusal::Refusal;
use crate::transport::seen::Seen;
use crate::transport::{Hub, body};
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shared::error::Code;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in bytes.
const MAX_KEY: usize = 128;
/// How long an answer is kept.
const KEPT_MICROS: i64 = 24 * 3600 * 1_000_000;
/// After this long without an answer nobody is at work on it any more.
const WORK_MICROS: i64 = 60 * 1_000_000;

const FORGET: &str = "DELETE FROM idempotency_keys WHERE expires_at <= $1";
const BEGIN: &str = "INSERT INTO idempotency_keys (principal, idempotency_key, route, body_hash, \
     created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
const FIND: &str = "SELECT route, body_hash, status, answer, created_at FROM idempotency_keys \
     WHERE principal = $1 AND idempotency_key = $2";
const KEEP: &str = "UPDATE idempotency_keys SET status = $3, answer = $4 \
     WHERE principal = $1 AND idempotency_key = $2";
const WITHDRAW: &str = "DELETE FROM idempotency_keys WHERE principal = $1 AND idempotency_key = $2";

/// One request under its key.
struct Asked {
    principal: String,
    key: String,
    /// Method and path.
    route: String,
    body_hash: String,
}

/// Passes a request on once; the same one again gets the kept answer.
pub(super) async fn layer(State(hub): State<Hub>, request: Request, next: Next) -> Response {
    let (Some(key), Some(seen), Some(caller)) = (
        request.headers().get(KEY).cloned(),
        request.extensions().get::<Seen>().cloned(),
        request.extensions().get::<Caller>().cloned(),
    ) else {
        return next.run(request).await;
    };
    let (parts, raw) = request.into_parts();
    let bytes = match body::read(&parts.headers, raw, hub.settings.body_bytes).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(key) = key.to_str().ok().filter(|key| fits(key)) else {
        let message = "Idempotency-Key is 1 to 128 printable characters";
        return Refusal::new(Code::InvalidInput, message).into_response();
    };
    let asked = Asked {
        principal: caller.principal.id.to_string(),
        key: key.to_owned(),
        route: format!("{} {}", parts.method, parts.uri.path()),
        body_hash: hex::encode(digest(&SHA256, &bytes)),
    };
    tracing::debug!(event = "idempotency_key", endpoint = %seen.endpoint, "a request brings a key");
    match asked.begin(&hub).await {
        Ok(None) => {
            let request = Request::from_parts(parts, Body::from(bytes));
            asked.keep(&hub, next.run(request).await).await
        }
        Ok(Some(kept)) => kept,
        Err(refusal) => refusal.into_response(),
    }
}

fn fits(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Asked {
    /// `None` when this is the first one; the answer of the first one otherwise.
    async fn begin(&self, hub: &Hub) -> Result<Option<Response>, Refusal> {
        let now = micros(hub.gateway.clock.now());
        let begin = self
            .bound(BEGIN)
            .bind(self.route.as_str())
            .bind(self.body_hash.as_str())
            .bind(now)
            .bind(now.saturating_add(KEPT_MICROS));
        let forget = Statement::new(FORGET).bind(now);
        let done = hub.store.write(vec![forget, begin]).await;
        if done
            .map_err(|error| away(&error))?
            .last()
            .is_some_and(|begun| begun.touched == 1)
        {
            return Ok(None);
        }
        let rows = hub.store.read(self.bound(FIND)).await;
        let rows = rows.map_err(|error| away(&error))?;
        let row = rows.first().ok_or_else(still_running)?;
        self.replay(hub, row, now).map(Some)
    }

    fn replay(&self, hub: &Hub, row: &Row, now: i64) -> Result<Response, Refusal> {
        let broken = |error: StoreError| away(&error);
        let same = row.text("route").map_err(broken)? == self.route
            && row.text("body_hash").map_err(broken)? == self.body_hash;
        if !same {
            let message = "the idempotency key was used for another request";
            return Err(Refusal::new(Code::Conflict, message));
        }
        let (status, answer) = (
            row.optional_integer("status").map_err(broken)?,
            row.optional_text("answer").map_err(broken)?,
        );
        let (Some(status), Some(answer)) = (status, answer) else {
            let since = row.integer("created_at").map_err(broken)?;
            return Err(if now.saturating_sub(since) < WORK_MICROS {
                still_running()
            } else {
                let message = "an earlier request with this key may or may not have had its effect";
                Refusal::new(Code::OutcomeUnknown, message)
            });
        };
        let opened = hub.seal.open(answer, &self.context());
        let opened = opened.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        let opened = opened.ok_or_else(|| {
            let message = "the idempotency key was used; its answer can no longer be read";
            Refusal::new(Code::Conflict, message)
        })?;
        Ok(answer_of(status, &opened))
    }

    /// Keeps the answer of a request that was carried out.
    async fn keep(&self, hub: &Hub, answer: Response) -> Response {
        if !answer.status().is_success() {
            self.settle(hub, self.bound(WITHDRAW)).await;
            return answer;
        }
        let (parts, raw) = answer.into_parts();
        let bytes = match raw.collect().await {
            Ok(bytes) => bytes.to_bytes(),
            Err(_broken) => return Refusal::internal().into_response(),
        };
        let location = parts.headers.get(LOCATION).and_then(|it| it.to_str().ok());
        let kept = json!({"location": location, "body": String::from_utf8_lossy(&bytes)});
        let kept = hub.seal.close(&kept.to_string(), &self.context());
        let keep = self
            .bound(KEEP)
            .bind(i64::from(parts.status.as_u16()))
            .bind(kept);
        self.settle(hub, keep).await;
        Response::from_parts(parts, Body::from(bytes))
    }

    /// What cannot be written leaves the key in use: a repetition is not carried out.
    async fn settle(&self, hub: &Hub, statement: Statement) {
        if let Err(error) = hub.store.write(vec![statement]).await {
            tracing::error!(event = "idempotency_failed", %error, "an answer could not be kept");
        }
    }

    fn bound(&self, sql: &'static str) -> Statement {
        Statement::new(sql)
            .bind(self.principal.as_str())
            .bind(self.key.as_str())
    }

    fn context(&self) -> String {
        format!("{}\n{}\n{}", self.principal, self.key, self.route)
    }
}

fn answer_of(status: i64, kept: &Value) -> Response {
    let text = kept.get("body").and_then(Value::as_str).unwrap_or_default();
    let mut answer = Body::from(text.to_owned()).into_response();
    let status = u16::try_from(status).unwrap_or(200);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    let location = kept.get("location").and_then(Value::as_str);
    if let Some(Ok(location)) = location.map(HeaderValue::from_str) {
        headers.insert(LOCATION, location);
    }
    answer
}

fn still_running() -> Refusal {
    let message = "the request with this idempotency key is still running";
    Refusal::new(Code::Conflict, message)
}

fn away(error: &StoreError) -> Refusal {
    tracing::error!(event = "idempotency_failed", %error, "idempotency keys cannot be used");
    Refusal::new(
        Code::ServiceUnavailable,
        "idempotency keys cannot be used now",
    )
}
