//! Our terms in rmcp's types.

use crate::spoke::approvals::Approval;
use crate::spoke::call::Failure;
use crate::spoke::catalogue::Entry;
use crate::spoke::output;
use crate::tool::{Content, ContentKind, Effect, Output, Spec, ToolError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ErrorData, MetaObject, ResourceContents, Tool,
    ToolAnnotations,
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The entry of `tools/list`.
pub(super) fn tool(entry: &Entry) -> Tool {
    let definition = entry.definition();
    let spec = &definition.spec;
    let mut meta = MetaObject::new();
    meta.0.extend([
        ("waygate/id".to_owned(), json!(definition.id.as_str())),
        ("waygate/effect".to_owned(), json!(spec.effect.as_str())),
        ("waygate/approval".to_owned(), json!(approval_word(spec))),
        ("waygate/aliases".to_owned(), json!(spec.aliases)),
    ]);
    Tool::new(
        entry.alias.clone(),
        spec.description,
        object(&definition.input_schema),
    )
    .with_title(definition.title())
    .with_raw_output_schema(object(&definition.output_schema))
    .with_annotations(annotations(spec))
    .with_meta(meta)
}

fn annotations(spec: &Spec) -> ToolAnnotations {
    ToolAnnotations::new()
        .read_only(spec.effect == Effect::Read)
        .destructive(spec.destructive)
        .idempotent(spec.idempotent)
        .open_world(spec.open_world)
}

/// Whether a call has to be approved: `none`, `per_call` or `required`.
const fn approval_word(spec: &Spec) -> &'static str {
    match spec.effect {
        Effect::Read | Effect::MutateOwn => "none",
        Effect::Mutate | Effect::Critical if spec.effect_per_call => "per_call",
        Effect::Mutate | Effect::Critical => "required",
    }
}

fn object(schema: &Value) -> Arc<Map<String, Value>> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

/// The answer to `tools/call`.
pub(super) fn response(
    service: &str,
    outcome: Result<Output, Failure>,
) -> Result<CallToolResponse, ErrorData> {
    let failure = match outcome {
        Ok(output) => return succeeded(output).map(CallToolResponse::Complete),
        Err(failure) => failure,
    };
    match failure {
        Failure::UnknownTool => Err(ErrorData::invalid_params("unknown tool", None)),
        Failure::Invalid { field, message } => {
            let data = field.map(|field| json!({"code": "INVALID_INPUT", "field": field}));
            Err(ErrorData::invalid_params(message, data))
        }
        Failure::Cancelled => Err(ErrorData::internal_error("the call was cancelled", None)),
        Failure::Approval(approval) => {
            let error = output::approval_error(service, &approval);
            Ok(CallToolResponse::Complete(failed(&error, Some(&approval))))
        }
        Failure::Failed(error) => Ok(CallToolResponse::Complete(failed(&error, None))),
    }
}

fn succeeded(output: Output) -> Result<CallToolResult, ErrorData> {
    let text = output.structured.get();
    let structured: Value = serde_json::from_str(text).map_err(|error| {
        tracing::error!(event = "mcp.result", %error, "a stored result is not JSON");
        ErrorData::internal_error("an internal error occurred", None)
    })?;
    let mut content = vec![ContentBlock::text(text)];
    content.extend(output.content.iter().map(block));
    let mut result = CallToolResult::success(content);
    // Structured content is an object; hosts refuse anything else.
    result.structured_content = structured.is_object().then_some(structured);
    if output.replayed {
        let mut meta = MetaObject::new();
        meta.0.insert("waygate/replayed".into(), json!(true));
        result.meta = Some(meta);
    }
    Ok(result)
}

fn failed(error: &ToolError, approval: Option<&Approval>) -> CallToolResult {
    let mut document = json!({"error": output::error_document(error)});
    if let (Some(approval), Some(object)) = (approval, document.as_object_mut()) {
        object.insert("approval".into(), output::approval_document(approval));
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(document.to_string())]);
    result.structured_content = Some(document);
    result
}

fn block(content: &Content) -> ContentBlock {
    let encoded = || STANDARD.encode(&content.data);
    match content.kind {
        ContentKind::Text => ContentBlock::text(String::from_utf8_lossy(&content.data)),
        ContentKind::Image => ContentBlock::image(encoded(), content.mime_type.clone()),
        ContentKind::Audio => ContentBlock::audio(encoded(), content.mime_type.clone()),
        ContentKind::Resource => {
            let blob = ResourceContents::blob(encoded(), "waygate://result");
            ContentBlock::resource(blob.with_mime_type(content.mime_type.clone()))
        }
    }
}
