//! Calls tools in unit tests as the harness would: arguments as JSON, result as JSON.

use serde_json::Value;
use shared::id::CorrelationId;
use shared::tool::{Call, Progress, ToolError, TypedTool};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Runs a tool; arguments that do not fit its type are a mistake of the test.
pub(crate) async fn run<T: TypedTool>(tool: &T, arguments: Value) -> Result<Value, ToolError> {
    let arguments = serde_json::from_value(arguments).unwrap();
    let output = tool.run(arguments, &call()).await?;
    Ok(serde_json::to_value(output).unwrap())
}

/// What the approver would read.
pub(crate) async fn summary<T: TypedTool>(tool: &T, arguments: Value) -> Result<String, ToolError> {
    let arguments = serde_json::from_value(arguments).unwrap();
    let assessment = tool.assess(&arguments, &call()).await?;
    assert_eq!(assessment.effect, tool.spec().effect);
    Ok(assessment.summary)
}

fn call() -> Call {
    Call {
        principal: "key:test".into(),
        organization: "default".into(),
        namespace: "default".into(),
        permissions: Vec::new(),
        correlation_id: CorrelationId::fresh(),
        traceparent: None,
        idempotency_key: None,
        grant: None,
        deadline: Instant::now() + Duration::from_secs(30),
        cancelled: CancellationToken::new(),
        progress: Progress::ignored(),
    }
}
