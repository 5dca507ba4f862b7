//! The direct door: MCP over Streamable HTTP, through rmcp.
//!
//! Only this module and its children know rmcp. Every default of the library that is unsafe is set
//! here and checked by a test. The body is read strictly before rmcp sees it. There are no sessions:
//! a call ends with its request. Log lines of tools are not passed on, MCP deprecates them.

mod strict;
mod wire;

pub(super) use strict::strict;

use super::authority::{DIRECT_PRINCIPAL, Door};
use super::call::{self, Caller, Core, Request};
use super::reports::Reports;
use crate::id::CorrelationId;
use crate::tool::Report;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProgressToken, ProtocolVersion,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// `_meta` key: the token of an approved call.
const META_APPROVAL_TOKEN: &str = "waygate/approvalToken";
/// `_meta` key: same key, same effect.
const META_IDEMPOTENCY_KEY: &str = "waygate/idempotencyKey";
/// `_meta` key: joins this call to others.
const META_CORRELATION_ID: &str = "waygate/correlationId";
/// Longest idempotency key, in bytes.
const MAX_KEY: usize = 256;

const VERSIONS: &[ProtocolVersion] = &[
    ProtocolVersion::V_2026_07_28,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2025_06_18,
    ProtocolVersion::V_2025_03_26,
];

/// The tower service for `/mcp`.
pub(super) type Mcp = StreamableHttpService<Handler, NeverSessionManager>;

/// Makes the service. `hosts` may be asked for besides loopback and the service's own name.
pub(super) fn service(core: Arc<Core>, hosts: &[String], max_body: usize) -> Mcp {
    let config = configuration(core.service.name, hosts, max_body);
    let tools: Arc<[Tool]> = core
        .catalogue
        .entries()
        .iter()
        .map(|e| wire::tool(e))
        .collect();
    let handler = Handler { core, tools };
    StreamableHttpService::new(move || Ok(handler.clone()), Arc::default(), config)
}

fn configuration(name: &str, hosts: &[String], max_body: usize) -> StreamableHttpServerConfig {
    let own = ["localhost", "127.0.0.1", "::1", name].map(str::to_owned);
    StreamableHttpServerConfig::default()
        .with_allowed_hosts(own.into_iter().chain(hosts.iter().cloned()))
        .with_allowed_origins(Vec::<String>::new())
        .enforce_origin_validation()
        .with_json_response(true)
        .with_legacy_session_mode(false)
        .with_max_request_body_bytes(max_body)
}

/// One per request; shares everything.
#[derive(Clone)]
pub(super) struct Handler {
    core: Arc<Core>,
    tools: Arc<[Tool]>,
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let service = self.core.service;
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(service.name, service.version))
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(VERSIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.to_vec()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let entry = self.core.catalogue.find(name)?;
        Some(wire::tool(entry))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let reports = Reports::default();
        let request = request(params, &context, &reports)?;
        let call = call::run(&self.core, request);
        let outcome = match context.meta.get_progress_token() {
            None => call.await,
            Some(token) => tokio::select! {
                biased;
                outcome = call => outcome,
                never = forward(&reports, &context.peer, token) => match never {},
            },
        };
        wire::response(self.core.service.name, outcome)
    }
}

fn request(
    params: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
    reports: &Reports,
) -> Result<Request, ErrorData> {
    let text = |key: &str| context.meta.get(key).and_then(Value::as_str);
    let header = |name: &str| {
        let parts = context.extensions.get::<http::request::Parts>()?;
        parts.headers.get(name)?.to_str().ok()
    };
    let given = text(META_CORRELATION_ID).or_else(|| header("x-correlation-id"));
    let kept = given.and_then(|given| CorrelationId::parse(given).ok());
    let key = text(META_IDEMPOTENCY_KEY).or_else(|| header("idempotency-key"));
    if key.is_some_and(|key| key.len() > MAX_KEY) {
        let message = format!("the idempotency key is longer than {MAX_KEY} bytes");
        return Err(ErrorData::invalid_params(message, None));
    }
    let arguments = Value::Object(params.arguments.unwrap_or_default());
    Ok(Request {
        tool: params.name.into_owned(),
        arguments: arguments.to_string().into(),
        caller: Caller {
            principal: DIRECT_PRINCIPAL.to_owned(),
            organization: String::new(),
            namespace: String::new(),
            permissions: Vec::new(),
            correlation_id: kept.unwrap_or_else(CorrelationId::fresh),
            traceparent: text("traceparent")
                .or_else(|| header("traceparent"))
                .map(ToOwned::to_owned),
            idempotency_key: key.filter(|key| !key.is_empty()).map(ToOwned::to_owned),
            timeout: None,
            cancelled: context.ct.child_token(),
            progress: match context.meta.get_progress_token() {
                Some(_) => reports.progress(),
                None => crate::tool::Progress::ignored(),
            },
        },
        door: Door::Direct {
            approval_token: text(META_APPROVAL_TOKEN).map(ToOwned::to_owned),
        },
    })
}

/// Passes progress on until it is dropped.
async fn forward(
    reports: &Reports,
    peer: &Peer<RoleServer>,
    token: ProgressToken,
) -> std::convert::Infallible {
    loop {
        let Report::Progress {
            done,
            total,
            message,
        } = reports.next().await
        else {
            continue;
        };
        let mut note = ProgressNotificationParam::new(token.clone(), done).with_message(message);
        note.total = total;
        if let Err(error) = peer.notify_progress(note).await {
            tracing::debug!(event = "mcp.progress", %error, "progress could not be sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every insecure or lossy default of the library is overridden; a new release that adds or
    /// changes one should be read against this list.
    #[test]
    fn no_default_of_the_library_is_left_to_chance() {
        let hosts = ["waygate.example:8443".to_owned()];
        let config = configuration("12_cmdb_mcp", &hosts, 1234);
        assert_eq!(
            config.allowed_hosts,
            [
                "localhost",
                "127.0.0.1",
                "::1",
                "12_cmdb_mcp",
                "waygate.example:8443"
            ]
        );
        assert!(config.allowed_origins.is_empty());
        assert!(format!("{config:?}").contains("validate_empty_origin_allowlist: true"));
        assert!(config.json_response);
        assert!(!config.legacy_session_mode);
        assert!(config.session_store.is_none());
        assert_eq!(config.max_request_body_bytes, 1234);
        assert!(!config.stateless_protocol_metadata_required);
    }
}
