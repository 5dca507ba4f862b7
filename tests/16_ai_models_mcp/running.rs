//! The spoke, started on a folder of its own before the stubs, and a hub to call it.

use crate::providers::{ANTHROPIC_KEY, GEMINI_KEY, Providers};
use serde_json::Value;
use shared::clock::TestClock;
use shared::config::Environment;
use shared::spoke::{Running, StartOptions, start};
use shared::testkit::{HubCall, HubClient, HubIdentity, SPOKE_TOKEN};
use shared::tool::ToolError;
use spoke_16_ai_models_mcp::SERVICE;
use std::sync::Arc;
use tempfile::TempDir;
use wiremock::MockServer;

pub(crate) const GEMINI: &str = "ai.models.gemini.generateContent";
pub(crate) const CLAUDE: &str = "ai.models.anthropic.createMessage";

/// Prices that are easy to add up.
const PRICES: &str = "prices:\n  gemini-flash-latest: {input: 100, output: 1000}\n  \
                      claude-haiku-4-5*: {input: 10, output: 100}\n";

/// A running spoke, its hub and its providers.
pub(crate) struct Models {
    pub(crate) running: Running,
    pub(crate) hub: HubClient,
    pub(crate) providers: Providers,
    /// Who calls.
    pub(crate) principal: &'static str,
    clock: TestClock,
    environment: Environment,
    identity: HubIdentity,
    kept: Arc<(TempDir, MockServer)>,
    calls: u32,
}

/// Starts it with keys for both providers; `variables` win.
pub(crate) async fn with(variables: &[(&str, &str)]) -> Models {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let identity = HubIdentity::generate();
    std::fs::write(path("token"), SPOKE_TOKEN).unwrap();
    std::fs::write(path("key.pub"), identity.public_key()).unwrap();
    std::fs::write(path("prices.yaml"), PRICES).unwrap();
    let providers = Providers::default();
    let server = providers.start().await;
    let mut environment = Environment::from([
        ("WAYGATE_SPOKE_TOKEN_PATH", path("token")),
        ("WAYGATE_CALL_PUBLIC_KEY_PATH", path("key.pub")),
        ("WAYGATE_DATA_DIR", path("data")),
        ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1".to_owned()),
        ("AI_PRICES_PATH", path("prices.yaml")),
        ("GEMINI_API_URL", server.uri()),
        ("GEMINI_API_KEY", GEMINI_KEY.to_owned()),
        ("ANTHROPIC_API_URL", server.uri()),
        ("ANTHROPIC_API_KEY", ANTHROPIC_KEY.to_owned()),
    ]);
    for (name, value) in variables {
        environment.set(*name, *value);
    }
    let clock = TestClock::at("2026-11-20T12:00:00Z".parse().unwrap());
    let (running, hub) = begin(&environment, &clock, &identity).await;
    Models {
        running,
        hub,
        providers,
        principal: "key:1",
        clock,
        environment,
        identity,
        kept: Arc::new((folder, server)),
        calls: 0,
    }
}

async fn begin(
    environment: &Environment,
    clock: &TestClock,
    identity: &HubIdentity,
) -> (Running, HubClient) {
    let mut options = StartOptions::new(environment.clone());
    options.listen = Some(([127, 0, 0, 1], 0).into());
    options.clock = clock.shared();
    let running = start(&SERVICE, options).await.unwrap();
    let hub = HubClient::connect(running.address, Some(SPOKE_TOKEN), identity.clone()).await;
    (running, hub)
}

impl Models {
    /// Stops the spoke and starts it again on the same files.
    pub(crate) async fn restart(self) -> Self {
        self.running.stop().await;
        let (running, hub) = begin(&self.environment, &self.clock, &self.identity).await;
        Self {
            running,
            hub,
            ..self
        }
    }

    /// Lets time pass.
    pub(crate) fn later(&self, seconds: u64) {
        self.clock.advance(std::time::Duration::from_secs(seconds));
    }

    /// Calls a tool as the hub does.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        let call = self.prepared(tool, &arguments);
        self.hub.call(&call).await
    }

    /// Calls a tool as the hub does for somebody with a permission.
    pub(crate) async fn call_with(
        &mut self,
        permission: &str,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, ToolError> {
        let call = self.prepared(tool, &arguments).permitted(permission);
        self.hub.call(&call).await
    }

    /// A call with a key of its own.
    pub(crate) fn prepared(&mut self, tool: &str, arguments: &Value) -> HubCall {
        self.calls += 1;
        let mut call = HubCall::new(tool, arguments).key(&format!("key {}", self.calls));
        self.principal.clone_into(&mut call.principal);
        call.now = shared::clock::Clock::now(&self.clock).as_second();
        call
    }

    /// `/health`.
    pub(crate) async fn health(&self) -> Value {
        let url = format!("http://{}/health", self.running.address);
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }

    /// Where the stubs are.
    pub(crate) fn url(&self) -> String {
        self.kept.1.uri()
    }
}
