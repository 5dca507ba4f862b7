//! Revision 2026-07-28 over HTTP: every request stands alone, closing the answer cancels the call.

use super::changes::Wishes;
use super::deferred::{self, Deferral};
use super::exchange::{self, Exchange, Spoken};
use super::fault::Fault;
use super::headers::check_mirrored;
use super::held::{Asker, Held, Ongoing, StatelessHost};
use super::listen;
use super::methods::{self, Asked, Wires};
use super::opening;
use super::reports::{Reports, level_of};
use super::sse;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Answers a request whose headers and `_meta` have been checked.
pub(super) async fn answer(asked: Asked<'_>, method: &str, headers: &HeaderMap) -> Response {
    if let Some(listed) = asked.list(method) {
        return listed.into_response();
    }
    if let Some(told) = deferred::answer(&asked, method).await {
        return told.into_response();
    }
    match method {
        "server/discover" => asked.done(&opening::discovered()).into_response(),
        "subscriptions/listen" => subscribe(&asked, headers).await,
        _ => work(&asked, method, headers).await,
    }
}

/// A request that is being worked on.
pub(super) struct Begun {
    /// What precedes the answer.
    pub(super) reports: Reports,
    /// Ends the work.
    pub(super) cancelled: CancellationToken,
    /// Gives the answer.
    pub(super) run: BoxFuture<'static, Spoken>,
}

/// Starts the work of a request, or goes on with work that waited for an answer of the host.
///
/// # Errors
/// −32601 for methods without work, −32602 for a state that is not, or no longer, good for this.
pub(super) fn begin(asked: &Asked<'_>, method: &str) -> Result<Begun, Fault> {
    let level = asked.meta.log_level.as_deref();
    let wanted = asked.wanted(level.and_then(level_of));
    let binding = asked.binding(method);
    let held = Arc::clone(&asked.hub.held);
    let voice = asked.voice(method);
    let deferral = Deferral::of(asked, method);
    if let Some(state) = asked.state().filter(|state| Held::made(state)) {
        let ongoing = held.take(&state, &binding).ok_or_else(|| {
            Fault::invalid_params(
                "requestState is not one of this server for this request, or is over",
            )
        })?;
        ongoing.host.answered(asked.params.input_responses, wanted);
        return Ok(Begun {
            reports: ongoing.host.reports.clone(),
            cancelled: ongoing.cancelled.clone(),
            run: Box::pin(async move { ongoing.answer(&held, binding, voice, deferral).await }),
        });
    }
    let reports = Reports::new(wanted);
    let cancelled = CancellationToken::new();
    let abilities = methods::abilities(asked.meta.client_capabilities);
    let mut host = StatelessHost::new(abilities, level.map(Arc::from), reports.clone());
    host.names_server = asked.scope.only.is_none();
    let host = Arc::new(host);
    let wires = Wires {
        reports: reports.clone(),
        host: Arc::new(Asker(Arc::clone(&host))),
        session: None,
        cancelled: cancelled.clone(),
        note: deferral.as_ref().map(|deferral| Arc::clone(&deferral.note)),
    };
    let work = asked.work(method, wires)?;
    let run = if host.abilities.is_empty() && deferral.is_none() {
        work.spoken()
    } else {
        let (ongoing, voice) = Ongoing::start(work, host, &asked.hub.gateway.tasks);
        Box::pin(async move { ongoing.answer(&held, binding, voice, deferral).await })
    };
    Ok(Begun {
        reports,
        cancelled,
        run,
    })
}

async fn work(asked: &Asked<'_>, method: &str, headers: &HeaderMap) -> Response {
    let begun = mirrored(asked, method, headers).and_then(|()| begin(asked, method));
    let begun = match begun {
        Ok(begun) => begun,
        Err(fault) => return asked.failed(&modern(fault)).into_response(),
    };
    let exchange = Exchange {
        reports: begun.reports,
        streams: sse::accepted(headers),
        on_hang_up: Some(begun.cancelled),
        tasks: asked.hub.gateway.tasks.clone(),
    };
    exchange::answer(begun.run, exchange).await
}

/// In this era an unknown method is a page that is not there.
fn modern(fault: Fault) -> Fault {
    if fault.code == proto::mcp::code::METHOD_NOT_FOUND {
        fault.with_status(StatusCode::NOT_FOUND)
    } else {
        fault
    }
}

/// Arguments that stand in headers too must say the same.
fn mirrored(asked: &Asked<'_>, method: &str, headers: &HeaderMap) -> Result<(), Fault> {
    let Some(name) = methods::text(asked.params.name).filter(|_| method == "tools/call") else {
        return Ok(());
    };
    let router = &asked.hub.gateway.router;
    let snapshot = router.snapshot();
    match snapshot.resolve(&asked.scope.resolved(router, name)) {
        Ok(route) => check_mirrored(headers, &route.tool.input_schema, asked.params.arguments),
        Err(_unknown) => Ok(()),
    }
}

async fn subscribe(asked: &Asked<'_>, headers: &HeaderMap) -> Response {
    if !sse::accepted(headers) {
        let fault = Fault::invalid_request("subscriptions/listen needs Accept: text/event-stream");
        return asked.failed(&fault).into_response();
    }
    match wishes(asked).await {
        Ok(wishes) => listen::subscription(asked.hub, &asked.caller, &asked.id, wishes),
        Err(fault) => asked.failed(&fault).into_response(),
    }
}

/// What a subscription will hear of: what it asked for, of the resources those it may watch.
///
/// # Errors
/// −32602 when the filter is missing or of another form.
pub(super) async fn wishes(asked: &Asked<'_>) -> Result<Wishes, Fault> {
    let (mut wishes, uris) = methods::wishes(asked.params)?;
    wishes.only.clone_from(&asked.scope.only);
    let only = asked.scope.only.as_deref();
    for uri in uris {
        match asked.hub.gateway.watch(&asked.caller, &uri, only).await {
            Ok((service, own, watch)) => {
                if !wishes.watched.add(&uri, service, own, watch) {
                    break;
                }
            }
            Err(error) => {
                tracing::debug!(event = "not_watched", %error, "a resource cannot be watched");
            }
        }
    }
    Ok(wishes)
}
