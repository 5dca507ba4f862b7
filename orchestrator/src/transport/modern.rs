//! Revision 2026-07-28 over HTTP: every request stands alone, closing the answer cancels the call.

use super::exchange::{self, Exchange};
use super::fault::Fault;
use super::headers::check_mirrored;
use super::listen;
use super::methods::{self, Asked};
use super::reports::level_of;
use super::sse;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use tokio_util::sync::CancellationToken;

/// Answers a request whose headers and `_meta` have been checked.
pub(super) async fn answer(asked: Asked<'_>, method: &str, headers: &HeaderMap) -> Response {
    match method {
        "server/discover" => asked.done(&methods::discovered()).into_response(),
        "tools/list" => asked.list_tools().into_response(),
        "tools/call" => call(asked, headers).await,
        "subscriptions/listen" => subscribe(&asked, headers),
        _ => {
            let fault = Fault::method_not_found().with_status(StatusCode::NOT_FOUND);
            asked.failed(&fault).into_response()
        }
    }
}

async fn call(asked: Asked<'_>, headers: &HeaderMap) -> Response {
    let cancelled = CancellationToken::new();
    let level = asked.meta.log_level.as_deref().and_then(level_of);
    let prepared = match asked.prepare(level, cancelled.clone()) {
        Ok(prepared) => prepared,
        Err(fault) => return asked.failed(&fault).into_response(),
    };
    let snapshot = asked.hub.gateway.router.snapshot();
    if let Ok(route) = snapshot.resolve(&prepared.call.name)
        && let Err(fault) =
            check_mirrored(headers, &route.tool.input_schema, asked.params.arguments)
    {
        return asked.failed(&fault).into_response();
    }
    let exchange = Exchange {
        reports: prepared.reports.clone(),
        streams: sse::accepted(headers),
        on_hang_up: Some(cancelled),
        tasks: asked.hub.gateway.tasks.clone(),
    };
    exchange::answer(prepared.run(asked.hub), exchange).await
}

fn subscribe(asked: &Asked<'_>, headers: &HeaderMap) -> Response {
    if !sse::accepted(headers) {
        let fault = Fault::invalid_request("subscriptions/listen needs Accept: text/event-stream");
        return asked.failed(&fault).into_response();
    }
    match methods::wants_tools(asked.params) {
        Ok(tools) => listen::subscription(asked.hub, &asked.caller, &asked.id, tools),
        Err(fault) => asked.failed(&fault).into_response(),
    }
}
