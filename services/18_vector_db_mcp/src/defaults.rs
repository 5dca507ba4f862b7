//! A tool whose schema shows a default that is a setting.

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::id::InvalidId;
use shared::tool::{Assessment, Call, Output, Tool, ToolDefinition, ToolError, Typed, TypedTool};
use std::sync::Arc;

/// Wraps a tool, with another default of one of its parameters. The harness fills defaults in by the
/// schema before the tool is called, so the schema is all there is to change.
pub(crate) fn with_default<T: TypedTool>(
    tool: T,
    parameter: &str,
    default: &str,
) -> Result<Arc<dyn Tool>, InvalidId> {
    let inner = Typed::new(tool)?;
    let mut definition = inner.definition().clone();
    let property = definition
        .input_schema
        .pointer_mut(&format!("/properties/{parameter}"));
    if let Some(property) = property.and_then(Value::as_object_mut) {
        property.insert("default".into(), json!(default));
    }
    Ok(Arc::new(WithDefault { inner, definition }))
}

struct WithDefault<T> {
    inner: Typed<T>,
    definition: ToolDefinition,
}

#[async_trait]
impl<T: TypedTool> Tool for WithDefault<T> {
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
