//! One tool as a running service describes it, whichever door it was described at.

use crate::counted::Spoke;
use orchestrator::upstream::ToolFacts;
use serde_json::Value;
use shared::testkit::HubClient;

/// What a service says of one tool.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of the catalogue, not states"
)]
pub(crate) struct Described {
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) input: Value,
    pub(crate) output: Value,
    /// `read`, `mutate_own`, `mutate` or `critical`.
    pub(crate) effect: String,
    pub(crate) per_call: bool,
    pub(crate) idempotent: bool,
    pub(crate) long_running: bool,
    pub(crate) destructive: bool,
    pub(crate) open_world: bool,
    pub(crate) aliases: Vec<String>,
}

impl Described {
    /// Everything a spoke describes to its hub.
    pub(crate) async fn by(spoke: &Spoke) -> Vec<Self> {
        Self::all(&spoke.hub_client().await)
    }

    /// Everything that was described to a hub's client.
    pub(crate) fn all(client: &HubClient) -> Vec<Self> {
        client.spoke.tools.iter().map(Self::over_grpc).collect()
    }

    fn over_grpc(tool: &proto::spoke::Tool) -> Self {
        let schema = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap();
        Self {
            id: tool.id.clone(),
            description: tool.description.clone(),
            input: schema(&tool.input_schema_json),
            output: schema(&tool.output_schema_json),
            effect: tool.effect().as_str_name().to_lowercase(),
            per_call: tool.effect_per_call,
            idempotent: tool.idempotent,
            long_running: tool.long_running,
            destructive: tool.destructive,
            open_world: tool.open_world,
            aliases: tool.aliases.clone(),
        }
    }

    /// What the hub knows of a tool.
    pub(crate) fn in_the_hub(tool: &ToolFacts) -> Self {
        let output = tool
            .output_schema
            .as_ref()
            .expect("the hub's own tools say what they give");
        Self {
            id: tool.id.to_string(),
            description: tool.description.clone(),
            input: serde_json::from_str(tool.input_schema.get()).unwrap(),
            output: serde_json::from_str(output.get()).unwrap(),
            effect: tool.effect.to_string(),
            per_call: tool.effect_per_call,
            idempotent: tool.idempotent,
            long_running: tool.long_running,
            destructive: tool.destructive,
            open_world: tool.open_world,
            aliases: tool.aliases.clone(),
        }
    }

    /// Names and schemas of its parameters.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.input["properties"].as_object().into_iter().flatten()
    }

    /// Whether a call must have this parameter.
    pub(crate) fn requires(&self, parameter: &str) -> bool {
        let required = self.input["required"].as_array();
        required.is_some_and(|names| names.iter().any(|name| name == parameter))
    }
}
