//! A hub as spokes see it: a key, tokens and grants made with it, a gRPC client.

use crate::arguments::{self, ArgumentSchema};
use crate::call_token::{self, Authority, Claims};
use crate::grant::{self, Grant};
use crate::tool::{Effect, ToolError};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use futures::StreamExt;
use proto::spoke::call_event::Event;
use proto::spoke::spoke_client::SpokeClient;
use proto::spoke::{CallContext, CallRequest, DescribeReply, DescribeRequest};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use uuid::Uuid;

/// The signing key of a hub. Clones share it.
#[derive(Debug, Clone)]
pub struct HubIdentity(Arc<Ed25519KeyPair>);

/// A call as the hub would make it.
#[derive(Debug, Clone)]
pub struct HubCall {
    /// Canonical tool id.
    pub tool: String,
    /// JSON text of the arguments.
    pub arguments: String,
    /// Who calls.
    pub principal: String,
    /// Permissions of who calls.
    pub permissions: Vec<String>,
    /// Correlation id.
    pub correlation_id: String,
    /// Idempotency key; empty for none.
    pub key: String,
    /// Milliseconds; 0 for the class's limit.
    pub deadline_ms: u32,
    /// Under what authority.
    pub authority: Option<Authority>,
    /// The grant that goes along.
    pub grant: Option<Grant>,
    /// When the token is made, Unix seconds.
    pub now: i64,
}

impl HubCall {
    /// A call by `key:1` without authority, made at noon of 20 November 2026, when test clocks begin.
    #[must_use]
    pub fn new(tool: &str, arguments: &Value) -> Self {
        Self {
            tool: tool.to_owned(),
            arguments: arguments.to_string(),
            principal: "key:1".to_owned(),
            permissions: Vec::new(),
            correlation_id: Uuid::new_v4().to_string(),
            key: String::new(),
            deadline_ms: 0,
            authority: None,
            grant: None,
            now: 1_795_176_000,
        }
    }

    /// The same with an idempotency key.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// The same by somebody with this permission.
    #[must_use]
    pub fn permitted(mut self, permission: &str) -> Self {
        self.permissions.push(permission.to_owned());
        self
    }

    /// The same, waived by a policy.
    #[must_use]
    pub fn waived(mut self) -> Self {
        self.authority = Some(Authority::Waiver("test".to_owned()));
        self
    }
}

impl HubIdentity {
    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        let key = Ed25519KeyPair::generate().expect("a key can be made");
        Self(Arc::new(key))
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    /// The claims of a valid token for this call to this spoke.
    #[must_use]
    pub fn claims(&self, spoke: &DescribeReply, call: &HubCall) -> Claims {
        Claims {
            aud: spoke.service.clone(),
            boot_id: spoke.boot_id.clone(),
            sub: call.principal.clone(),
            tool: call.tool.clone(),
            args: arguments_hash(spoke, call),
            cid: call.correlation_id.clone(),
            key: call.key.clone(),
            authority: call.authority.clone(),
            iat: call.now,
            exp: call.now + call_token::MAX_LIFE_SECONDS,
            jti: Uuid::new_v4(),
        }
    }

    /// Signs claims.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        call_token::sign(claims, &self.0)
    }

    /// Approves a call: adds a grant of this effect and the authority to use it.
    #[must_use]
    pub fn approve(&self, spoke: &DescribeReply, mut call: HubCall, effect: Effect) -> HubCall {
        let mut grant = Grant {
            approval_id: format!("apr_{}", Uuid::new_v4().simple()),
            principal: call.principal.clone(),
            tool: call.tool.clone(),
            arguments_hash: arguments_hash(spoke, &call),
            effect: effect.as_str().to_owned(),
            approvers: vec!["user:2".to_owned()],
            expires_at: call.now + 300,
            nonce: Uuid::new_v4().simple().to_string(),
            signatures: Vec::new(),
        };
        grant.sign(&grant::key_id(&self.0), &self.0);
        call.authority = Some(Authority::Approval(grant.approval_id.clone()));
        call.grant = Some(grant);
        call
    }

    /// The request for a call, with a token of its own.
    #[must_use]
    pub fn request(&self, spoke: &DescribeReply, call: &HubCall) -> CallRequest {
        let token = self.sign(&self.claims(spoke, call));
        Self::request_with(call, token)
    }

    /// The request for a call, with any token.
    #[must_use]
    pub fn request_with(call: &HubCall, call_token: String) -> CallRequest {
        let grant = call.grant.as_ref().map(|grant| serde_json::json!(grant));
        CallRequest {
            tool: call.tool.clone(),
            arguments_json: call.arguments.clone().into(),
            context: Some(CallContext {
                call_token,
                correlation_id: call.correlation_id.clone(),
                principal: call.principal.clone(),
                permissions: call.permissions.clone(),
                deadline_ms: call.deadline_ms,
                idempotency_key: call.key.clone(),
                approval_grant: grant.map(|g| g.to_string()).unwrap_or_default().into(),
                ..CallContext::default()
            }),
        }
    }
}

/// Strictly parsed and with the defaults of the spoke's schema, as hub and spoke both compute it.
fn arguments_hash(spoke: &DescribeReply, call: &HubCall) -> String {
    let limits = arguments::Limits::default();
    let parsed = arguments::parse_object(call.arguments.as_bytes(), limits);
    let tool = spoke.tools.iter().find(|tool| tool.id == call.tool);
    let (Ok(mut parsed), Some(tool)) = (parsed, tool) else {
        return String::new();
    };
    let schema = serde_json::from_slice(&tool.input_schema_json).expect("a schema is JSON");
    let schema = ArgumentSchema::compile(schema).expect("a described schema compiles");
    schema.fill_defaults(&mut parsed);
    schema.take_approval_token(&mut parsed);
    arguments::hash(&parsed)
}

#[derive(Clone)]
struct Bearer(Option<MetadataValue<Ascii>>);

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A connected hub.
#[derive(Clone)]
pub struct HubClient {
    /// Its key.
    pub identity: HubIdentity,
    /// What the spoke said of itself; empty when it refused to.
    pub spoke: DescribeReply,
    client: SpokeClient<InterceptedService<Channel, Bearer>>,
}

impl HubClient {
    /// Connects and describes. `token` is the spoke's key.
    pub async fn connect(address: SocketAddr, token: Option<&str>, identity: HubIdentity) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let channel = endpoint.connect().await.expect("the spoke listens");
        let bearer = token.map(|token| format!("Bearer {token}").parse().expect("a header"));
        let mut client = SpokeClient::with_interceptor(channel, Bearer(bearer));
        let spoke = client.describe(DescribeRequest {}).await;
        Self {
            identity,
            spoke: spoke.map(tonic::Response::into_inner).unwrap_or_default(),
            client,
        }
    }

    /// `Describe`, again.
    ///
    /// # Errors
    /// The status the spoke answers.
    pub async fn describe(&mut self) -> Result<DescribeReply, Status> {
        let reply = self.client.describe(DescribeRequest {}).await?;
        Ok(reply.into_inner())
    }

    /// `Assess`.
    ///
    /// # Errors
    /// The status the spoke answers.
    pub async fn assess(&mut self, call: &HubCall) -> Result<proto::spoke::Assessment, Status> {
        let request = HubIdentity::request_with(call, String::new());
        Ok(self.client.assess(request).await?.into_inner())
    }

    /// `CallTool` with exactly this request.
    ///
    /// # Errors
    /// The status the spoke answers.
    pub async fn send(
        &mut self,
        request: CallRequest,
    ) -> Result<Streaming<proto::spoke::CallEvent>, Status> {
        Ok(self.client.call_tool(request).await?.into_inner())
    }

    /// `CallTool` with a valid token, to its end.
    ///
    /// # Errors
    /// The error event.
    pub async fn call(&mut self, call: &HubCall) -> Result<Value, ToolError> {
        let request = self.identity.request(&self.spoke, call);
        let events = self.send(request).await.expect("the call is taken");
        outcome(events).await
    }

    /// [`HubIdentity::approve`] for this spoke.
    #[must_use]
    pub fn approve(&self, call: HubCall, effect: Effect) -> HubCall {
        self.identity.approve(&self.spoke, call, effect)
    }
}

/// The last event of a stream: the structured result or the error.
///
/// # Errors
/// The error event.
pub async fn outcome(mut events: Streaming<proto::spoke::CallEvent>) -> Result<Value, ToolError> {
    while let Some(event) = events.next().await {
        match event.expect("the stream holds").event {
            Some(Event::Result(result)) => {
                let value = serde_json::from_slice(&result.structured_json);
                return Ok(value.expect("a result is JSON"));
            }
            Some(Event::Error(error)) => return Err(read_error(&error)),
            _ => {}
        }
    }
    unreachable!("a stream ends with a result or an error")
}

fn read_error(error: &proto::spoke::ToolError) -> ToolError {
    let code = crate::error::Code::parse(&error.code).expect("a known code");
    let mut read = ToolError::new(code, error.message.clone());
    read.details = serde_json::from_slice(&error.details_json).ok();
    read.retryable = error.retryable;
    read.did_not_run = error.did_not_run;
    read
}
