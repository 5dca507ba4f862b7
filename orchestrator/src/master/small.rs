//! `master.hello_world` and `master.add_numbers`: the first calls of a new client.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};

pub(super) struct HelloWorld;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HelloArguments {
    /// Whom to greet.
    #[serde(default = "world")]
    #[schemars(length(max = 1000))]
    name: String,
}

fn world() -> String {
    "World".into()
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Greeting {
    /// The greeting.
    message: String,
}

#[async_trait]
impl TypedTool for HelloWorld {
    type Arguments = HelloArguments;
    type Output = Greeting;

    fn spec(&self) -> Spec {
        Spec::new(
            "master.hello_world",
            Effect::Read,
            "Say hello, to see that calls reach the hub and come back.",
        )
    }

    async fn run(&self, arguments: HelloArguments, _: &Call) -> Result<Greeting, ToolError> {
        Ok(Greeting {
            message: format!("Hello, {}!", arguments.name),
        })
    }
}

pub(super) struct AddNumbers;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddArguments {
    /// The first number.
    a: i64,
    /// The second number.
    b: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Sum {
    /// `a` plus `b`.
    sum: i64,
}

#[async_trait]
impl TypedTool for AddNumbers {
    type Arguments = AddArguments;
    type Output = Sum;

    fn spec(&self) -> Spec {
        Spec::new(
            "master.add_numbers",
            Effect::Read,
            "Add two whole numbers, to see that typed arguments arrive.",
        )
    }

    async fn run(&self, arguments: AddArguments, _: &Call) -> Result<Sum, ToolError> {
        let sum = arguments.a.checked_add(arguments.b);
        let sum = sum.ok_or_else(|| ToolError::invalid("b", "the sum is too large"))?;
        Ok(Sum { sum })
    }
}
