//! From a tool over Rust types to the object-safe [`Tool`].

use super::{Assessment, Call, Output, Spec, Tool, ToolDefinition, ToolError};
use crate::error::Code;
use crate::id::{InvalidId, ToolId};
use async_trait::async_trait;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the author of a tool implements.
///
/// `Arguments` must be a struct with `#[serde(deny_unknown_fields)]`; its field docs become the
/// descriptions a model reads, its `#[serde(default = …)]` values the schema's defaults. A parameter that is a secret says
/// `#[schemars(extend("writeOnly" = true))]`: callers may give it a `secretref://…`, and the tool gets
/// the value. One that must not be given in clear adds `"pattern" = "^secretref://"`.
#[async_trait]
pub trait TypedTool: Send + Sync + 'static {
    /// The parameters.
    type Arguments: DeserializeOwned + JsonSchema + Send + Sync;
    /// The structured result.
    type Output: Serialize + JsonSchema + Send;

    /// Name, description, effect.
    fn spec(&self) -> Spec;

    /// What a call with these arguments would do. The default is the spec's effect and no summary
    /// beyond the tool's name; every `mutate` tool says more, every `critical` one adds its checks.
    ///
    /// # Errors
    /// When the arguments are refused by a rule the schema cannot say.
    async fn assess(
        &self,
        arguments: &Self::Arguments,
        call: &Call,
    ) -> Result<Assessment, ToolError> {
        let _ = (arguments, call);
        let spec = self.spec();
        Ok(Assessment::of(spec.effect, spec.id))
    }

    /// Does it.
    ///
    /// # Errors
    /// [`ToolError`]; `did_not_run` when nothing was changed.
    async fn run(&self, arguments: Self::Arguments, call: &Call)
    -> Result<Self::Output, ToolError>;
}

/// Wraps a [`TypedTool`] for the harness.
///
/// # Errors
/// [`InvalidId`] when the spec's id is not a canonical tool id.
pub fn boxed<T: TypedTool>(tool: T) -> Result<Arc<dyn Tool>, InvalidId> {
    Ok(Arc::new(Typed::new(tool)?))
}

/// A [`TypedTool`] as a [`Tool`].
#[derive(Debug)]
pub struct Typed<T> {
    inner: T,
    definition: ToolDefinition,
}

impl<T: TypedTool> Typed<T> {
    /// Derives the definition from the types.
    ///
    /// # Errors
    /// [`InvalidId`] when the spec's id is not a canonical tool id.
    pub fn new(inner: T) -> Result<Self, InvalidId> {
        let spec = inner.spec();
        let definition = ToolDefinition {
            id: ToolId::parse(spec.id)?,
            input_schema: closed_object(schema_of::<T::Arguments>(SchemaSettings::draft2020_12())),
            output_schema: schema_of::<T::Output>(SchemaSettings::draft2020_12().for_serialize()),
            spec,
        };
        Ok(Self { inner, definition })
    }
}

#[async_trait]
impl<T: TypedTool> Tool for Typed<T> {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn assess(&self, arguments: &Value, call: &Call) -> Result<Assessment, ToolError> {
        let typed = T::Arguments::deserialize(arguments).map_err(|error| misfit(&error))?;
        self.inner.assess(&typed, call).await
    }

    async fn call(&self, arguments: Value, call: &Call) -> Result<Output, ToolError> {
        let typed: T::Arguments =
            serde_json::from_value(arguments).map_err(|error| misfit(&error))?;
        let output = self.inner.run(typed, call).await?;
        let structured = serde_json::value::to_raw_value(&output).map_err(|error| {
            tracing::error!(tool = %self.definition.id, %error, "a result could not be encoded");
            ToolError::new(
                Code::InternalError,
                "the tool's result could not be encoded",
            )
        })?;
        let mut output = Output::structured(structured);
        output.sensitive = self.definition.spec.sensitive;
        Ok(output)
    }
}

fn misfit(error: &serde_json::Error) -> ToolError {
    ToolError::refused(Code::InvalidInput, format!("arguments: {error}"))
}

/// Schema with definitions inlined: many hosts do not follow `$ref`.
fn schema_of<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    if let Some(object) = schema.as_object_mut() {
        object.shift_remove("title");
    }
    schema
}

/// An empty struct derives a schema without `properties`; hosts want an object that says so.
fn closed_object(mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert("type".into(), json!("object"));
        object.entry("properties").or_insert_with(|| json!({}));
        object.insert("additionalProperties".into(), json!(false));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Effect;

    struct Greet;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        /// Whom to greet.
        #[serde(default = "world")]
        name: String,
    }

    fn world() -> String {
        "World".into()
    }

    #[derive(Serialize, JsonSchema)]
    struct Greeting {
        #[serde(default)]
        message: String,
    }

    #[async_trait]
    impl TypedTool for Greet {
        type Arguments = Arguments;
        type Output = Greeting;

        fn spec(&self) -> Spec {
            Spec::new("test.greet", Effect::Read, "Say hello.")
        }

        async fn run(&self, arguments: Arguments, _: &Call) -> Result<Greeting, ToolError> {
            Ok(Greeting {
                message: format!("Hello, {}", arguments.name),
            })
        }
    }

    #[test]
    fn schemas_come_from_the_types() {
        let typed = Typed::new(Greet).unwrap();
        let schema = &typed.definition().input_schema;
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["name"]["default"], "World");
        assert_eq!(
            schema["properties"]["name"]["description"],
            "Whom to greet."
        );
        let output = &typed.definition().output_schema;
        assert_eq!(output["properties"]["message"]["type"], "string");
        assert_eq!(
            output["required"],
            json!(["message"]),
            "what is always written"
        );
    }
}
