//! The methods both eras share, from a decoded request to what it comes to.

use super::Hub;
use super::approving;
use super::changes::Wishes;
use super::deferred::Note;
use super::envelope::is_object;
use super::exchange::Spoken;
use super::fault::Fault;
use super::frame;
use super::held::{Binding, Held};
use super::large::Shortening;
use super::meta::Meta;
use super::offering;
use super::reports::{Reports, Wanted};
use super::revision::Revision;
use super::scope::Scope;
use super::search::{self, Meant};
use super::seen::valid_traceparent;
use super::splice::Members;
use super::work::{Outcome, Voice, Work, Yield};
use crate::caller::Caller;
use crate::gateway::{OfferAsk, ToolCall};
use crate::upstream::offers::{Bridge, Host, HostAbilities, OfferMethod, Resumed};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures::future::BoxFuture;
use proto::mcp::{Id, Params};
use serde::Deserialize;
use serde_json::value::RawValue;
use shared::tool::LogLevel;
use std::future::ready;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Longest tool name accepted, in bytes.
const MAX_NAME: usize = 256;

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
    /// Which part of the hub is seen.
    pub(super) scope: &'a Scope,
}

/// What work is connected with.
pub(super) struct Wires {
    /// What it reports and asks.
    pub(super) reports: Reports,
    /// The client.
    pub(super) host: Arc<dyn Host>,
    /// The client's session; `None` without one.
    pub(super) session: Option<Arc<str>>,
    /// Ends it.
    pub(super) cancelled: CancellationToken,
    /// Where it says what it waits for; `None` when it cannot become a task.
    pub(super) note: Option<Arc<Note>>,
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

    /// A list; `None` for any other method.
    #[must_use]
    pub(super) fn list(&self, method: &str) -> Option<Spoken> {
        if method == "tools/list" {
            return Some(self.list_tools());
        }
        let kind = offering::kind_of(method)?;
        let only = self.scope.only.as_deref();
        let offers = self.hub.gateway.offers(&self.caller, kind, only);
        let cursor = self.params.cursor;
        let result = offering::list(kind, &offers, self.revision, cursor, only.is_some());
        Some(match result {
            Ok(result) => self.done(&result),
            Err(fault) => self.failed(&fault),
        })
    }

    fn list_tools(&self) -> Spoken {
        if self.scope.search {
            return self.done(&search::list(self.revision));
        }
        let listing = self.hub.gateway.list(&self.caller);
        let down = self.hub.registry.down();
        let items = self
            .scope
            .items(listing.tools, |service| !down.contains(service));
        let lists = &self.hub.lists;
        match lists.result(&items, self.revision, self.params.cursor) {
            Ok(result) => self.done(&result),
            Err(fault) => self.failed(&fault),
        }
    }

    /// What the client wants to hear of the request; `level` is the least severity of log lines.
    #[must_use]
    pub(super) fn wanted(&self, level: Option<LogLevel>) -> Wanted {
        Wanted {
            token: self.meta.progress_token.map(ToOwned::to_owned),
            level,
        }
    }

    /// Work that calls something.
    ///
    /// # Errors
    /// −32601 for methods that call nothing, −32602 when the name is missing or no text.
    pub(super) fn work(&self, method: &str, wires: Wires) -> Result<Work, Fault> {
        let (reports, cancelled) = (wires.reports.clone(), wires.cancelled.clone());
        let voice = self.voice(method);
        let run = match offer_of(method) {
            Some(offer) => self.offer(offer, wires)?,
            None if method == "tools/call" => self.call(wires)?,
            None => return Err(Fault::method_not_found()),
        };
        Ok(Work {
            run,
            reports,
            cancelled,
            voice,
        })
    }

    fn call(&self, wires: Wires) -> Result<BoxFuture<'static, Outcome>, Fault> {
        let name = text(self.params.name).filter(|name| (1..=MAX_NAME).contains(&name.len()));
        let name = name.ok_or_else(|| Fault::invalid_params("name must be the name of a tool"))?;
        let meant = match self.scope.search {
            true => search::meant(self, &name),
            false => Ok(Meant::Call(name, self.params.arguments)),
        };
        let (name, arguments) = match meant {
            Ok(Meant::Call(name, arguments)) => (name, arguments),
            Ok(Meant::Told(answer)) => return Ok(Box::pin(ready(Ok(Yield::Output(answer))))),
            Err(error) => return Ok(Box::pin(ready(Err(error)))),
        };
        let call = ToolCall {
            caller: self.traced(),
            name: self.scope.resolved(&self.hub.gateway.router, name),
            arguments: self.raw(arguments),
            approval_token: self.meta.approval_token.as_deref().map(str::to_owned),
            idempotency_key: self.meta.idempotency_key.as_deref().map(str::to_owned),
            budget: None,
            progress: wires.reports.sink(),
            cancelled: wires.cancelled.clone(),
        };
        let note = wires.note.clone();
        let short = Shortening::of(self.hub, self.scope, &call.caller, &call.name);
        let bridge = self.bridge(wires);
        let gateway = Arc::clone(&self.hub.gateway);
        let settings = Arc::clone(&self.hub.settings);
        Ok(Box::pin(async move {
            let base = &settings.public_url;
            let answer = approving::call(&gateway, call, bridge, base, note).await?;
            Ok(Yield::Output(match short {
                Some(short) => short.of_answer(answer).await,
                None => answer,
            }))
        }))
    }

    fn offer(
        &self,
        method: OfferMethod,
        wires: Wires,
    ) -> Result<BoxFuture<'static, Outcome>, Fault> {
        let params = self.params.raw.map(ToOwned::to_owned);
        let params = params.ok_or_else(|| Fault::invalid_params("params are missing"))?;
        let ask = OfferAsk {
            caller: self.traced(),
            method,
            params,
            only: self.scope.only.clone(),
            progress: wires.reports.sink(),
            cancelled: wires.cancelled.clone(),
            bridge: self.bridge(wires),
        };
        let gateway = Arc::clone(&self.hub.gateway);
        Ok(Box::pin(async move {
            gateway.offer(ask).await.map(Yield::Passed)
        }))
    }

    /// The caller, under the correlation id and trace of `_meta` where it has them.
    fn traced(&self) -> Caller {
        let mut caller = self.caller.clone();
        if let Some(own) = self.meta.correlation() {
            caller.correlation_id = own;
        }
        let trace = self.meta.traceparent.as_deref();
        if let Some(trace) = trace.filter(|text| valid_traceparent(text)) {
            caller.traceparent = Some(trace.into());
        }
        caller
    }

    fn bridge(&self, wires: Wires) -> Bridge {
        let state = self.params.request_state;
        let foreign = !self.state().is_some_and(|state| Held::made(&state));
        let brought = self.params.input_responses.is_some() || state.is_some();
        let resumed = (self.revision.is_modern() && foreign && brought).then(|| {
            Arc::new(Resumed {
                responses: self.params.input_responses.map(ToOwned::to_owned),
                state: state.map(ToOwned::to_owned),
            })
        });
        Bridge {
            host: wires.host,
            resumed,
            meta: self.params.meta.map(|meta| Arc::from(meta.to_owned())),
            session: wires.session,
        }
    }

    /// The text of `requestState`; `None` without one.
    #[must_use]
    pub(super) fn state(&self) -> Option<String> {
        text(self.params.request_state)
    }

    /// What a state the hub gives out is good for.
    #[must_use]
    pub(super) fn binding(&self, method: &str) -> Binding {
        let part = |raw: Option<&RawValue>| raw.map_or("", RawValue::get).to_owned();
        let parts = [
            method.to_owned(),
            part(self.params.name),
            part(self.params.uri),
            part(self.params.arguments),
            self.scope.only.as_deref().unwrap_or_default().to_owned(),
        ];
        let mut all = Context::new(&SHA256);
        for part in parts {
            all.update(&part.len().to_be_bytes());
            all.update(part.as_bytes());
        }
        Binding {
            principal: Arc::clone(&self.caller.principal.id),
            request: hex::encode(all.finish()),
        }
    }

    /// How the outcome of this request is put.
    #[must_use]
    pub(super) fn voice(&self, method: &str) -> Voice {
        Voice {
            id: self.id.clone(),
            revision: self.revision,
            correlation_id: self.traced().correlation_id,
            request_id: Arc::clone(&self.caller.request_id),
            settings: Arc::clone(&self.hub.settings),
            hinted: method == "resources/read",
        }
    }

    /// A part of the body, without copying it; empty for `None`.
    fn raw(&self, part: Option<&RawValue>) -> Bytes {
        part.map_or_else(Bytes::new, |part| {
            self.body.slice_ref(part.get().as_bytes())
        })
    }
}

fn offer_of(method: &str) -> Option<OfferMethod> {
    let all = [
        OfferMethod::ReadResource,
        OfferMethod::GetPrompt,
        OfferMethod::Complete,
    ];
    all.into_iter().find(|offer| offer.as_str() == method)
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

/// What a `subscriptions/listen` asks for: the changes, and the resources to watch.
///
/// # Errors
/// −32602 when the filter is missing or of another form.
pub(super) fn wishes(params: &Params<'_>) -> Result<(Wishes, Vec<String>), Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    #[derive(Default)]
    #[expect(clippy::struct_excessive_bools, reason = "the form of the protocol")]
    struct Filter {
        tools_list_changed: bool,
        prompts_list_changed: bool,
        resources_list_changed: bool,
        resource_subscriptions: Vec<String>,
    }
    let raw = params.notifications.filter(|raw| is_object(raw));
    let raw = raw.ok_or_else(|| Fault::invalid_params("notifications must be an object"))?;
    let filter: Filter = serde_json::from_str(raw.get())
        .map_err(|error| Fault::invalid_params(format!("notifications cannot be read: {error}")))?;
    let wishes = Wishes {
        tools: filter.tools_list_changed,
        prompts: filter.prompts_list_changed,
        resources: filter.resources_list_changed,
        ..Wishes::default()
    };
    Ok((wishes, filter.resource_subscriptions))
}

/// What a client declared it can be asked; `raw` is its `capabilities`.
#[must_use]
pub(super) fn abilities(raw: Option<&RawValue>) -> HostAbilities {
    let members = raw.and_then(Members::of).unwrap_or_default();
    let one = |name: &str| members.get(name).map(|raw| Arc::from(raw.to_owned()));
    HostAbilities {
        elicitation: one("elicitation"),
        sampling: one("sampling"),
        roots: one("roots"),
    }
}

/// Raw JSON that is a string, as text.
#[must_use]
pub(super) fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}
