//! The methods both eras share, from a decoded request to what it comes to.

use super::Hub;
use super::errors::{self, Told};
use super::exchange::Spoken;
use super::fault::Fault;
use super::frame;
use super::lists::Item;
use super::meta::Meta;
use super::render::{self, About, server_info};
use super::reports::{Reports, Wanted};
use super::revision::Revision;
use super::seen::valid_traceparent;
use crate::caller::Caller;
use crate::gateway::ToolCall;
use bytes::Bytes;
use futures::future::BoxFuture;
use proto::mcp::{Id, Params};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared::tool::LogLevel;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Longest tool name accepted, in bytes.
const MAX_NAME: usize = 256;

/// What models are told about the hub; clients cut it at 2 KiB.
const INSTRUCTIONS: &str = "Waygate routes tool calls to services and asks people before anything changes. \
Each tool says in _meta waygate/effect what a call changes (read, mutate_own, mutate, critical) and in \
waygate/approval whether people are asked (none, per_call, required). A call that needs them answers \
APPROVAL_REQUIRED with an approval and changes nothing. Tell the user, wait with approvals.wait, then repeat \
exactly the same call with the token of the approved request in _meta waygate/approvalToken. An error says in \
retryable whether the same call may work later, and in retry_after_ms when.";

/// One request on its way.
pub(super) struct Asked<'a> {
    /// Handles.
    pub(super) hub: &'a Hub,
    /// Who, from where.
    pub(super) caller: Caller,
    /// The revision of the request.
    pub(super) revision: Revision,
    /// The request's id.
    pub(super) id: Id,
    /// Its parameters.
    pub(super) params: &'a Params<'a>,
    /// Its `_meta`.
    pub(super) meta: &'a Meta<'a>,
    /// The bytes `params` points into.
    pub(super) body: &'a Bytes,
}

/// A tool call that can be made.
pub(super) struct Prepared {
    /// What to give to the gateway.
    pub(super) call: ToolCall,
    /// What it reports.
    pub(super) reports: Reports,
    id: Id,
    revision: Revision,
}

impl Asked<'_> {
    /// A response with `result`.
    #[must_use]
    pub(super) fn done(&self, result: &[u8]) -> Spoken {
        Spoken::frame(frame::success(&self.id, result))
    }

    /// A response with an error.
    #[must_use]
    pub(super) fn failed(&self, fault: &Fault) -> Spoken {
        failed(Some(&self.id), fault)
    }

    /// `tools/list`.
    #[must_use]
    pub(super) fn list_tools(&self) -> Spoken {
        let listing = self.hub.gateway.list(&self.caller);
        let down = self.hub.registry.down();
        let items: Vec<Item> = listing
            .tools
            .into_iter()
            .map(|tool| Item {
                available: !down.contains(&tool.route.service),
                route: tool.route,
                needs_approval: tool.needs_approval,
            })
            .collect();
        match self
            .hub
            .lists
            .result(&items, self.revision, self.params.cursor)
        {
            Ok(result) => self.done(&result),
            Err(fault) => self.failed(&fault),
        }
    }

    /// `tools/call`, up to the call itself. `level` is the least severity of log lines to report.
    ///
    /// # Errors
    /// −32602 when the name is missing or no text.
    pub(super) fn prepare(
        &self,
        level: Option<LogLevel>,
        cancelled: CancellationToken,
    ) -> Result<Prepared, Fault> {
        let name = text(self.params.name).filter(|name| (1..=MAX_NAME).contains(&name.len()));
        let name = name.ok_or_else(|| Fault::invalid_params("name must be the name of a tool"))?;
        let reports = Reports::new(Wanted {
            token: self.meta.progress_token.map(ToOwned::to_owned),
            level,
        });
        let mut caller = self.caller.clone();
        if let Some(own) = self.meta.correlation() {
            caller.correlation_id = own;
        }
        let trace = self
            .meta
            .traceparent
            .as_deref()
            .filter(|text| valid_traceparent(text));
        if let Some(trace) = trace {
            caller.traceparent = Some(trace.into());
        }
        let call = ToolCall {
            caller,
            name,
            arguments: self.raw(self.params.arguments),
            approval_token: self.meta.approval_token.as_deref().map(str::to_owned),
            idempotency_key: self.meta.idempotency_key.as_deref().map(str::to_owned),
            budget: None,
            progress: reports.sink(),
            cancelled,
        };
        Ok(Prepared {
            call,
            reports,
            id: self.id.clone(),
            revision: self.revision,
        })
    }

    /// A part of the body, without copying it; empty for `None`.
    fn raw(&self, part: Option<&RawValue>) -> Bytes {
        part.map_or_else(Bytes::new, |part| {
            self.body.slice_ref(part.get().as_bytes())
        })
    }
}

impl Prepared {
    /// Makes the call and puts what it comes to on the wire.
    #[must_use]
    pub(super) fn run(self, hub: &Hub) -> BoxFuture<'static, Spoken> {
        let gateway = Arc::clone(&hub.gateway);
        let settings = Arc::clone(&hub.settings);
        Box::pin(async move {
            let correlation_id = self.call.caller.correlation_id.clone();
            let request_id = self.call.caller.request_id.clone();
            let answer = gateway.call(self.call).await;
            let about = About {
                revision: self.revision,
                correlation_id: &correlation_id,
                cached: answer.as_ref().is_ok_and(|answer| answer.cached),
            };
            match answer {
                Ok(answer) => {
                    let result = render::output(&answer.output, about);
                    Spoken::frame(frame::success(&self.id, &result))
                }
                Err(error) => {
                    let base = settings.public_url.as_str();
                    let told = Told {
                        about,
                        request_id: &request_id,
                        base,
                    };
                    errors::spoken(&error, &self.id, told)
                }
            }
        })
    }
}

/// A response with an error; `None` when the request's id could not be read.
#[must_use]
pub(super) fn failed(id: Option<&Id>, fault: &Fault) -> Spoken {
    Spoken {
        status: fault.status,
        retry_after: fault.retry_after,
        ..Spoken::frame(frame::failure(id, fault))
    }
}

/// The result of `server/discover`.
#[must_use]
pub(super) fn discovered() -> Bytes {
    let versions: Vec<&str> = Revision::ALL.into_iter().map(Revision::as_str).collect();
    frame::encode(&json!({
        "supportedVersions": versions,
        "capabilities": {"tools": {"listChanged": true}},
        "instructions": INSTRUCTIONS,
        "ttlMs": 300_000,
        "cacheScope": "public",
        "resultType": "complete",
        "_meta": { proto::mcp::META_SERVER_INFO: server_info() },
    }))
}

/// The result of `initialize`.
#[must_use]
pub(super) fn initialized(revision: Revision) -> Bytes {
    frame::encode(&json!({
        "protocolVersion": revision.as_str(),
        "capabilities": {"tools": {"listChanged": true}, "logging": {}},
        "serverInfo": server_info(),
        "instructions": INSTRUCTIONS,
    }))
}

/// The revision a client that asks for `params.protocolVersion` gets: that one if it has sessions and
/// is served, else the newest that has.
///
/// # Errors
/// −32602 when the client asks for none.
pub(super) fn negotiated(params: &Params<'_>) -> Result<Revision, Fault> {
    let asked = text(params.protocol_version)
        .ok_or_else(|| Fault::invalid_params("protocolVersion must be the date of a revision"))?;
    let served = Revision::parse(&asked).filter(|revision| !revision.is_modern());
    Ok(served.unwrap_or(Revision::NEWEST_LEGACY))
}

/// Which changes a `subscriptions/listen` asks for: whether those of the tools.
///
/// # Errors
/// −32602 when the filter is missing or of another form.
pub(super) fn wants_tools(params: &Params<'_>) -> Result<bool, Fault> {
    let filter = params
        .notifications
        .and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    match filter {
        Some(Value::Object(filter)) => match filter.get("toolsListChanged") {
            None => Ok(false),
            Some(Value::Bool(wanted)) => Ok(*wanted),
            Some(_) => Err(Fault::invalid_params(
                "toolsListChanged must be true or false",
            )),
        },
        _ => Err(Fault::invalid_params("notifications must be an object")),
    }
}

/// Raw JSON that is a string, as text.
#[must_use]
pub(super) fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}
