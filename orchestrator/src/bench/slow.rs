//! A second spoke, whose tool takes as long as it is told: the bad neighbour of the echo spoke.

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::spoke::{BuildError, BuildInput, Parts, Service};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool, boxed};
use std::time::Duration;
use tokio::time::sleep;

/// Id of its tool.
pub const TOOL: &str = "slow.wait";
/// Longest wait, in milliseconds.
const LONGEST: u64 = 25_000;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "97_slow_mcp",
    number: 97,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["slow"],
    canary: TOOL,
    defaults: "",
    variables: &[],
    build,
};

fn build(_: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    async move {
        Ok(Parts {
            tools: boxed(Wait).into_iter().collect(),
            checks: Vec::new(),
        })
    }
    .boxed()
}

struct Wait;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// How long to wait before answering, in milliseconds; 0 answers at once.
    #[serde(default)]
    #[schemars(range(max = LONGEST))]
    milliseconds: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Waited {
    /// How long was waited, in milliseconds.
    milliseconds: u64,
}

#[async_trait]
impl TypedTool for Wait {
    type Arguments = Arguments;
    type Output = Waited;

    fn spec(&self) -> Spec {
        Spec::new(TOOL, Effect::Read, "Answer after a while.").live()
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Waited, ToolError> {
        let milliseconds = arguments.milliseconds.min(LONGEST);
        sleep(Duration::from_millis(milliseconds)).await;
        Ok(Waited { milliseconds })
    }
}
