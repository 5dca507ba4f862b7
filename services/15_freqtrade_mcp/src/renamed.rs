//! A tool of the harness under a further name.

use async_trait::async_trait;
use serde_json::Value;
use shared::tool::{Assessment, Call, Output, Tool, ToolDefinition, ToolError};
use std::sync::Arc;

/// The tool with these names besides its own.
pub(crate) fn renamed(inner: Arc<dyn Tool>, aliases: &'static [&'static str]) -> Arc<dyn Tool> {
    let mut definition = inner.definition().clone();
    definition.spec.aliases = aliases;
    Arc::new(Renamed { inner, definition })
}

struct Renamed {
    inner: Arc<dyn Tool>,
    definition: ToolDefinition,
}

#[async_trait]
impl Tool for Renamed {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn assess(&self, arguments: &Value, call: &Call) -> Result<Assessment, ToolError> {
        self.inner.assess(arguments, call).await
    }

    async fn call(&self, arguments: Value, call: &Call) -> Result<Output, ToolError> {
        self.inner.call(arguments, call).await
    }
}
