//! The hub's own tools, as an [`Upstream`] in this process.
//!
//! What the spoke harness does for a spoke's tools is done here for these: arguments are checked and
//! completed, deadline and cancellation end the call. There is no network, so no breaker around it.

use super::{Description, Health, ToolFacts, Upstream, UpstreamCall, UpstreamError};
use crate::policy::{Permit, Reach};
use async_trait::async_trait;
use serde_json::Value;
use shared::arguments::{self, ArgumentSchema, Limits, SchemaError};
use shared::error::Code;
use shared::id::ToolId;
use shared::tool::{Assessment, Output, Tool, ToolError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Calls at once; most of them only wait for something.
const IN_FLIGHT: usize = 1024;

/// Tools of this process.
pub struct LocalUpstream {
    tools: HashMap<ToolId, Own>,
    description: Description,
    slots: Semaphore,
}

struct Own {
    tool: Arc<dyn Tool>,
    schema: ArgumentSchema,
}

/// Tools that cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A tool's schema is none.
    #[error("the schema of {tool} cannot be compiled")]
    Schema {
        /// The tool.
        tool: ToolId,
        /// Why.
        #[source]
        source: SchemaError,
    },
    /// Two tools have one id.
    #[error("{0} is defined twice")]
    Twice(ToolId),
}

impl LocalUpstream {
    /// Offers `tools` as the service `service`, which answers for `namespaces`.
    ///
    /// # Errors
    /// [`LocalError`] names the tool that cannot be offered.
    pub fn new(
        service: &str,
        version: &str,
        namespaces: &[&str],
        tools: Vec<Arc<dyn Tool>>,
    ) -> Result<Self, LocalError> {
        let mut facts: Vec<Arc<ToolFacts>> = Vec::with_capacity(tools.len());
        let mut own = HashMap::with_capacity(tools.len());
        for tool in tools {
            let definition = tool.definition();
            let id = definition.id.clone();
            let schema = ArgumentSchema::compile(definition.input_schema.clone());
            let schema = schema.map_err(|source| LocalError::Schema {
                tool: id.clone(),
                source,
            })?;
            facts.push(Arc::new(ToolFacts::of(definition)));
            if own.insert(id.clone(), Own { tool, schema }).is_some() {
                return Err(LocalError::Twice(id));
            }
        }
        facts.sort_by(|a, b| a.id.cmp(&b.id));
        let description = Description {
            service: service.into(),
            version: version.to_owned(),
            boot_id: uuid::Uuid::now_v7().to_string(),
            namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
            manifest_digest: super::manifest_digest(&facts),
            tools: facts,
            canary: None,
        };
        Ok(Self {
            tools: own,
            description,
            slots: Semaphore::new(IN_FLIGHT),
        })
    }

    fn prepared(&self, call: &UpstreamCall) -> Result<(&Own, Value), UpstreamError> {
        let refused =
            |code, message: String| UpstreamError::Tool(ToolError::refused(code, message));
        let own = self
            .tools
            .get(&call.tool)
            .ok_or_else(|| refused(Code::ToolNotFound, format!("unknown tool: {}", call.tool)))?;
        let mut arguments = arguments::parse_object(&call.arguments, Limits::default())
            .map_err(|error| refused(Code::InvalidInput, error.to_string()))?;
        own.schema.fill_defaults(&mut arguments);
        own.schema.take_approval_token(&mut arguments);
        own.schema
            .check(&arguments)
            .map_err(|error| UpstreamError::Tool(ToolError::invalid(&error.field, error.rule)))?;
        Ok((own, arguments))
    }
}

#[async_trait]
impl Upstream for LocalUpstream {
    async fn describe(&self) -> Result<Description, UpstreamError> {
        Ok(self.description.clone())
    }

    async fn probe(&self) -> Result<Health, UpstreamError> {
        Ok(Health::Healthy)
    }

    async fn assess(
        &self,
        _reach: &Reach,
        call: &UpstreamCall,
    ) -> Result<Assessment, UpstreamError> {
        let (own, arguments) = self.prepared(call)?;
        let assessment = own.tool.assess(&arguments, &call.call).await;
        assessment.map_err(UpstreamError::Tool)
    }

    async fn call(&self, _permit: &Permit, call: &UpstreamCall) -> Result<Output, UpstreamError> {
        let full = |_full| UpstreamError::Overloaded {
            retry_after: Duration::from_secs(1),
        };
        let _slot = self.slots.try_acquire().map_err(full)?;
        let (own, arguments) = self.prepared(call)?;
        tokio::select! {
            biased;
            () = call.call.cancelled.cancelled() => Err(UpstreamError::Cancelled),
            done = tokio::time::timeout_at(call.call.deadline, own.tool.call(arguments, &call.call)) => {
                done.map_or(Err(UpstreamError::Timeout), |result| result.map_err(UpstreamError::Tool))
            }
        }
    }
}
