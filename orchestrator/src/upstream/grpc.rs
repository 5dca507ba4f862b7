//! A spoke, over gRPC.
//!
//! One connection per spoke, opened when first needed and again whenever it breaks. Every call
//! carries a token signed for this call and this process of the spoke. Arguments and results pass
//! through as bytes. Nothing is retried here, except after a restart of the spoke, when nothing ran.

mod answer;
mod describe;
mod fault;

use super::{Description, Health, Upstream, UpstreamCall, UpstreamError};
use crate::keys::HubKey;
use crate::policy::{Permit, Reach};
use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use proto::spoke::call_event::Event;
use proto::spoke::spoke_client::SpokeClient as Stub;
use proto::spoke::{CallContext, CallEvent, CallRequest, DescribeRequest};
use shared::call_token::{self, Claims, MAX_LIFE_SECONDS};
use shared::clock::SharedClock;
use shared::error::Code;
use shared::secret::Secret;
use shared::tool::{Assessment, Output, ToolError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

/// Bytes of one message from a spoke: its manifest, or one result.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;
/// Name under which a spoke reports its health.
const HEALTH_NAME: &str = "waygate.spoke.v1.Spoke";
const CONNECT: Duration = Duration::from_secs(1);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(10);
const WINDOW_BYTES: u32 = 1024 * 1024;
/// How long the end of a stream may take after its result.
const STREAM_END: Duration = Duration::from_millis(100);

/// Where a spoke is and how the hub proves itself to it.
pub struct SpokeTarget {
    /// Folder name of the service it must be, such as `12_cmdb_mcp`.
    pub service: Arc<str>,
    /// `http://host:port`.
    pub url: String,
    /// The spokes' bearer token; `None` where spokes on loopback ask for none.
    pub token: Option<Secret>,
}

/// How the hub and spokes know each other by certificates; all PEM.
pub struct SpokeTls {
    /// Who vouches for spokes.
    pub authority: Vec<u8>,
    /// The hub's own certificate.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Secret,
}

/// An address or token that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The address is no `http://host:port`.
    #[error(
        "the address of {service} cannot be used; http://host:port is wanted, https:// with certificates"
    )]
    Address {
        /// The service.
        service: Arc<str>,
        /// Why.
        #[source]
        source: Option<tonic::transport::Error>,
    },
    /// The token has characters that no header may have.
    #[error("the spoke token of {0} has characters that cannot be sent")]
    Token(Arc<str>),
}

/// The client of one spoke.
pub struct SpokeClient {
    service: Arc<str>,
    channel: Channel,
    bearer: Option<MetadataValue<Ascii>>,
    key: Arc<HubKey>,
    clock: SharedClock,
    /// Of the last description; `None` before the first.
    boot_id: ArcSwapOption<String>,
    restarted: Arc<Notify>,
}

impl SpokeClient {
    /// A client that has not connected yet. `restarted` is told when a call finds the spoke restarted.
    ///
    /// # Errors
    /// [`TargetError`] for an address or a token that cannot be used.
    pub fn new(
        target: &SpokeTarget,
        key: Arc<HubKey>,
        clock: SharedClock,
        restarted: Arc<Notify>,
    ) -> Result<Self, TargetError> {
        Self::connecting(target, key, clock, restarted, None)
    }

    /// As [`SpokeClient::new`], over TLS with a certificate instead of the token.
    ///
    /// # Errors
    /// [`TargetError`], also for certificates that cannot be used.
    pub fn over_tls(
        target: &SpokeTarget,
        key: Arc<HubKey>,
        clock: SharedClock,
        restarted: Arc<Notify>,
        tls: &SpokeTls,
    ) -> Result<Self, TargetError> {
        Self::connecting(target, key, clock, restarted, Some(tls))
    }

    fn connecting(
        target: &SpokeTarget,
        key: Arc<HubKey>,
        clock: SharedClock,
        restarted: Arc<Notify>,
        tls: Option<&SpokeTls>,
    ) -> Result<Self, TargetError> {
        let service = Arc::clone(&target.service);
        let bearer = match &target.token {
            None => None,
            Some(token) => Some(bearer(token).ok_or_else(|| TargetError::Token(service.clone()))?),
        };
        let endpoint = match tls {
            None => endpoint(target, "http://")?,
            Some(tls) => {
                let endpoint = endpoint(target, "https://")?;
                let config = ClientTlsConfig::new()
                    .ca_certificate(Certificate::from_pem(&tls.authority))
                    .identity(Identity::from_pem(&tls.certificate, tls.key.expose()));
                endpoint
                    .tls_config(config)
                    .map_err(|source| TargetError::Address {
                        service: Arc::clone(&service),
                        source: Some(source),
                    })?
            }
        };
        let endpoint = endpoint
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(KEEP_ALIVE_EVERY))
            .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
            .keep_alive_timeout(KEEP_ALIVE_WAIT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(4 * WINDOW_BYTES);
        Ok(Self {
            service,
            channel: endpoint.connect_lazy(),
            bearer,
            key,
            clock,
            boot_id: ArcSwapOption::empty(),
            restarted,
        })
    }

    fn stub(&self) -> Stub<Channel> {
        Stub::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    fn authorised<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(bearer) = &self.bearer {
            request
                .metadata_mut()
                .insert("authorization", bearer.clone());
        }
        request
    }

    /// The process calls are signed for; asks the spoke when it is not known yet.
    async fn process(&self) -> Result<Arc<String>, UpstreamError> {
        match self.boot_id.load_full() {
            Some(boot_id) => Ok(boot_id),
            None => self.describe().await.map(|seen| Arc::new(seen.boot_id)),
        }
    }

    async fn send(
        &self,
        permit: &Permit,
        call: &UpstreamCall,
        boot_id: &str,
    ) -> Result<Output, UpstreamError> {
        let mut context = self.context(call);
        context.call_token = self.token(permit, call, boot_id);
        context.approval_grant = match permit.grant() {
            None => bytes::Bytes::new(),
            Some(grant) => serde_json::to_vec(grant)
                .map_err(|error| UpstreamError::Refused(format!("the grant: {error}")))?
                .into(),
        };
        let request = self.authorised(request(call, context));
        let events = self.stub().call_tool(request).await;
        let events = events.map_err(|status| fault::of(&status))?.into_inner();
        self.result(events, call).await
    }

    /// Reads the stream up to its one result.
    async fn result(
        &self,
        mut events: Streaming<CallEvent>,
        call: &UpstreamCall,
    ) -> Result<Output, UpstreamError> {
        let broken = |what: &str| UpstreamError::BadAnswer(what.to_owned());
        loop {
            let next = events
                .message()
                .await
                .map_err(|status| fault::of(&status))?;
            let event = next.ok_or_else(|| broken("the stream ended without a result"))?;
            let result = match event.event.ok_or_else(|| broken("an empty event"))? {
                Event::Progress(progress) => {
                    call.call.progress.send(answer::progress(progress));
                    continue;
                }
                Event::Log(log) => {
                    call.call.progress.send(answer::log(log));
                    continue;
                }
                Event::Result(result) => answer::output(result),
                Event::Error(error) => Err(self.refusal(answer::tool_error(error))),
            };
            // Reading the end of the stream keeps the connection free of resets.
            match timeout(STREAM_END, events.message()).await {
                Ok(Ok(Some(_))) => return Err(broken("an event after the result")),
                Ok(Ok(None) | Err(_)) | Err(_) => return result,
            }
        }
    }

    /// Tells a refused hub from a failed tool.
    fn refusal(&self, error: ToolError) -> UpstreamError {
        let about_token = matches!(error.code, Code::TokenInvalid | Code::TokenExpired);
        if !(about_token && error.did_not_run) {
            return UpstreamError::Tool(error);
        }
        tracing::warn!(event = "call_token_refused", service = %self.service, reason = %error.message,
            "a spoke refused a call token");
        UpstreamError::Refused(error.message)
    }

    fn token(&self, permit: &Permit, call: &UpstreamCall, boot_id: &str) -> String {
        let now = self.clock.now().as_second();
        let key = call.call.idempotency_key.clone().unwrap_or_default();
        let claims = Claims {
            aud: self.service.to_string(),
            boot_id: boot_id.to_owned(),
            sub: call.call.principal.clone(),
            tool: call.tool.to_string(),
            args: call.arguments_hash.to_string(),
            cid: call.call.correlation_id.to_string(),
            key,
            authority: permit.authority().cloned(),
            iat: now,
            exp: now.saturating_add(MAX_LIFE_SECONDS),
            jti: Uuid::new_v4(),
        };
        call_token::sign(&claims, &self.key.pair)
    }

    fn context(&self, call: &UpstreamCall) -> CallContext {
        let circumstances = &call.call;
        let left = circumstances.remaining().as_millis().max(1);
        CallContext {
            call_token: String::new(),
            correlation_id: circumstances.correlation_id.to_string(),
            traceparent: circumstances.traceparent.clone().unwrap_or_default(),
            principal: circumstances.principal.clone(),
            organization_id: circumstances.organization.clone(),
            namespace_id: circumstances.namespace.clone(),
            deadline_ms: u32::try_from(left).unwrap_or(u32::MAX),
            idempotency_key: circumstances.idempotency_key.clone().unwrap_or_default(),
            permissions: circumstances.permissions.clone(),
            approval_grant: bytes::Bytes::new(),
        }
    }
}

#[async_trait]
impl Upstream for SpokeClient {
    async fn describe(&self) -> Result<Description, UpstreamError> {
        let request = self.authorised(DescribeRequest {});
        let reply = self.stub().describe(request).await;
        let reply = reply.map_err(|status| fault::of(&status))?.into_inner();
        let description = describe::description(&self.service, reply)?;
        let boot_id = Arc::new(description.boot_id.clone());
        self.boot_id.store(Some(boot_id));
        Ok(description)
    }

    async fn probe(&self) -> Result<Health, UpstreamError> {
        let request = self.authorised(HealthCheckRequest {
            service: HEALTH_NAME.to_owned(),
        });
        let reply = HealthClient::new(self.channel.clone()).check(request).await;
        let reply = reply.map_err(|status| fault::of(&status))?.into_inner();
        match reply.status() {
            ServingStatus::Serving => Ok(Health::Healthy),
            ServingStatus::NotServing | ServingStatus::ServiceUnknown | ServingStatus::Unknown => {
                Ok(Health::Unhealthy)
            }
        }
    }

    async fn assess(
        &self,
        _reach: &Reach,
        call: &UpstreamCall,
    ) -> Result<Assessment, UpstreamError> {
        let request = self.authorised(request(call, self.context(call)));
        let reply = self.stub().assess(request).await;
        let reply = reply.map_err(|status| fault::of_assessment(&status))?;
        answer::assessment(reply.into_inner())
    }

    async fn call(&self, permit: &Permit, call: &UpstreamCall) -> Result<Output, UpstreamError> {
        if permit.tool() != &call.tool || permit.effect() != call.effect {
            return Err(UpstreamError::Refused(
                "the permit is for another call".into(),
            ));
        }
        let known = self.process().await?;
        let refused = match self.send(permit, call, &known).await {
            Err(UpstreamError::Refused(reason)) => reason,
            other => return other,
        };
        // A spoke that restarted refuses the token of its former process: nothing ran.
        let current = self.describe().await?.boot_id;
        if current == *known {
            return Err(UpstreamError::Refused(refused));
        }
        self.restarted.notify_one();
        self.send(permit, call, &current).await
    }
}

fn endpoint(target: &SpokeTarget, scheme: &str) -> Result<Endpoint, TargetError> {
    let address = |source| TargetError::Address {
        service: Arc::clone(&target.service),
        source,
    };
    if !target.url.starts_with(scheme) {
        return Err(address(None));
    }
    Endpoint::from_shared(target.url.clone()).map_err(|source| address(Some(source)))
}

fn request(call: &UpstreamCall, context: CallContext) -> CallRequest {
    CallRequest {
        tool: call.tool.to_string(),
        arguments_json: call.arguments.clone(),
        context: Some(context),
    }
}

fn bearer(token: &Secret) -> Option<MetadataValue<Ascii>> {
    let mut value = MetadataValue::try_from(format!("Bearer {}", token.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
pub(crate) mod stub;
#[cfg(test)]
mod tests;
