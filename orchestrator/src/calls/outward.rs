//! Calls to services the hub does not own, as an [`Upstream`]: what they would do is known before they
//! are made, and how they end is said in the words of upstreams.
//!
//! A request that only reads is a read; everything else is a change of something outside. An operation
//! of an `OpenAPI` document is judged by its method, so its document is fetched for that.

use super::http::Outgoing;
use super::{Calls, Lost, Trouble, outcome};
use crate::policy::{Permit, Reach};
use crate::upstream::{Description, Health, Upstream, UpstreamCall, UpstreamError};
use async_trait::async_trait;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::{Assessment, Effect, Output, ToolError};
use workflow::core::{Outcome, Target};

/// As which policy judges `call: http`.
pub const HTTP_TOOL: &str = "workflow.callHttp";
/// As which policy judges `call: openapi`.
pub const OPENAPI_TOOL: &str = "workflow.callOpenApi";

/// Methods that change nothing (RFC 9110, 9.2.1).
const SAFE: &[&str] = &["GET", "HEAD", "OPTIONS"];

/// The calls as an upstream. Cheap to clone.
#[derive(Clone)]
pub struct Outward(Calls);

impl Outward {
    /// By way of these calls.
    #[must_use]
    pub const fn new(calls: Calls) -> Self {
        Self(calls)
    }

    async fn request(&self, target: &Target, with: &Value) -> Result<Outgoing, Trouble> {
        match target {
            Target::OpenApi => self.0.operation(with).await,
            _ => Outgoing::of(with),
        }
    }
}

#[async_trait]
impl Upstream for Outward {
    async fn describe(&self) -> Result<Description, UpstreamError> {
        Err(UpstreamError::Refused("it lists no tools".into()))
    }

    async fn probe(&self) -> Result<Health, UpstreamError> {
        Ok(Health::Healthy)
    }

    async fn assess(
        &self,
        _reach: &Reach,
        call: &UpstreamCall,
    ) -> Result<Assessment, UpstreamError> {
        let (target, with) = read(call)?;
        let request = self.request(&target, &with).await.map_err(error)?;
        let method = ::http::Method::from_bytes(request.method.as_bytes());
        let method = method.map_err(|odd| error(Trouble::Wrong(odd.to_string())))?;
        let effect = if SAFE.contains(&method.as_str()) {
            Effect::Read
        } else {
            Effect::Mutate
        };
        let mut shown = request.url;
        // An address that cannot have credentials has none to hide.
        let _hidden = (shown.set_username(""), shown.set_password(None));
        Ok(Assessment::of(effect, format!("{method} {shown}")))
    }

    async fn call(&self, _permit: &Permit, call: &UpstreamCall) -> Result<Output, UpstreamError> {
        let (target, with) = read(call)?;
        let key = call.call.idempotency_key.as_deref().unwrap_or_default();
        let value = self.0.made(&target, &with, key).await.map_err(error)?;
        let raw = to_raw_value(&value);
        let raw = raw.map_err(|odd| UpstreamError::BadAnswer(odd.to_string()))?;
        Ok(Output::structured(raw))
    }
}

/// The call's kind and the fields of its `with`.
fn read(call: &UpstreamCall) -> Result<(Target, Value), UpstreamError> {
    let with = serde_json::from_slice(&call.arguments);
    let with = with.map_err(|odd| error(Trouble::Wrong(odd.to_string())))?;
    let target = if call.tool.as_str() == OPENAPI_TOOL {
        Target::OpenApi
    } else {
        Target::Http
    };
    Ok((target, with))
}

/// What a call that gave nothing means to whoever protects and records it. The problem as the standard
/// words it is among the details, under `problem`.
fn error(trouble: Trouble) -> UpstreamError {
    let code = match &trouble {
        Trouble::Lost(Lost::Unsent {
            detail,
            transient: true,
        }) => return UpstreamError::Unreachable(detail.clone()),
        Trouble::Lost(Lost::Unanswered(detail)) => return UpstreamError::Lost(detail.clone()),
        Trouble::Lost(Lost::Unsent { .. }) => Code::AddressRefused,
        Trouble::Wrong(_) => Code::InvalidInput,
        Trouble::Refused(_) | Trouble::Odd(_) => Code::BadGateway,
    };
    let Outcome::Failed(failure) = outcome(trouble) else {
        return UpstreamError::BadAnswer("the call ended in no known way".into());
    };
    let message = failure.problem.detail.clone().unwrap_or_default();
    let mut error = ToolError::new(code, message);
    error.did_not_run = !failure.ran;
    error.retryable = failure.transient;
    error.retry_after = failure.retry_after;
    error.details = Some(json!({"problem": failure.problem}));
    UpstreamError::Tool(error)
}
