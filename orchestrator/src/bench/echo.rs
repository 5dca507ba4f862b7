//! The spoke that is called: the real harness with one tool that says its argument back.

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::spoke::{BuildError, BuildInput, Parts, Service};
use shared::tool::{Call, Effect, Spec, Tool, ToolError, TypedTool, boxed};
use std::sync::Arc;

/// Id of its tool.
pub const TOOL: &str = "bench.echo";
/// What benchmarks send.
pub const TEXT: &str = "The quick brown fox jumps over the lazy dog.";

/// The spoke.
pub static SERVICE: Service = Service {
    name: "98_echo_mcp",
    number: 98,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["bench"],
    canary: TOOL,
    defaults: "",
    variables: &[],
    build,
};

fn build(_: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    async move {
        Ok(Parts {
            tools: tool().into_iter().collect(),
            checks: Vec::new(),
        })
    }
    .boxed()
}

/// The tool alone, for measuring without a process in between; `None` never happens, since its id is
/// canonical.
#[must_use]
pub fn tool() -> Option<Arc<dyn Tool>> {
    boxed(Echo).ok()
}

struct Echo;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// What to say back.
    #[serde(default)]
    text: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Said {
    /// What was sent.
    text: String,
}

#[async_trait]
impl TypedTool for Echo {
    type Arguments = Arguments;
    type Output = Said;

    fn spec(&self) -> Spec {
        // Live, so that no cache answers in its place.
        Spec::new(TOOL, Effect::Read, "Say the text back.").live()
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Said, ToolError> {
        Ok(Said {
            text: arguments.text,
        })
    }
}
