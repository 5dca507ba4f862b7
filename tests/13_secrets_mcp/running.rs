//! The spoke, started on a folder of its own, and a hub to call it.

use serde_json::Value;
use shared::config::Environment;
use shared::spoke::{Running, StartError, StartOptions, start};
use shared::testkit::{HubCall, HubClient, HubIdentity, SPOKE_TOKEN};
use shared::tool::ToolError;
use spoke_13_secrets_mcp::SERVICE;
use tempfile::TempDir;

/// What most tests want: everything may be seen by the principal of test calls.
pub(crate) const ALL: &str = "rules: [{principal: 'key:1', name: '**', mode: reveal}]";

/// A running spoke and its hub.
pub(crate) struct Secrets {
    pub(crate) running: Running,
    pub(crate) hub: HubClient,
    folder: TempDir,
}

/// Starts the spoke with these rules and variables.
pub(crate) async fn with(rules: &str, variables: &[(&str, &str)]) -> Secrets {
    attempt(rules, variables, "").await.unwrap()
}

/// As [`with`], with a file of settings, for starts that may fail. Empty rules: none are set.
pub(crate) async fn attempt(
    rules: &str,
    variables: &[(&str, &str)],
    settings: &str,
) -> Result<Secrets, StartError> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let identity = HubIdentity::generate();
    std::fs::write(path("token"), SPOKE_TOKEN).unwrap();
    std::fs::write(path("key.pub"), identity.public_key()).unwrap();
    std::fs::write(path("rules.yaml"), rules).unwrap();
    std::fs::write(path("settings.toml"), settings).unwrap();
    let mut environment = Environment::from([
        ("WAYGATE_SPOKE_TOKEN_PATH", path("token")),
        ("WAYGATE_CALL_PUBLIC_KEY_PATH", path("key.pub")),
        ("WAYGATE_DATA_DIR", path("data")),
        ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1".to_owned()),
    ]);
    if !rules.is_empty() {
        environment.set("SECRETS_RULES_PATH", path("rules.yaml"));
    }
    for (name, value) in variables {
        environment.set(*name, *value);
    }
    let mut options = StartOptions::new(environment);
    options.files = vec![path("settings.toml").into()];
    options.listen = Some(([127, 0, 0, 1], 0).into());
    let running = start(&SERVICE, options).await?;
    let hub = HubClient::connect(running.address, Some(SPOKE_TOKEN), identity).await;
    Ok(Secrets {
        running,
        hub,
        folder,
    })
}

impl Secrets {
    /// Calls a tool as the hub does for somebody who may read secrets.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        self.hub
            .call(&now(tool, &arguments).permitted("secrets:read"))
            .await
    }

    /// The same for somebody who may not.
    pub(crate) async fn call_without(
        &mut self,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, ToolError> {
        self.hub.call(&now(tool, &arguments)).await
    }

    /// One figure of `secrets.getMetrics`.
    pub(crate) async fn figure(&mut self, name: &str) -> Value {
        let figures = self.call("secrets.getMetrics", serde_json::json!({})).await;
        figures.unwrap()["metrics"][name].clone()
    }

    /// Status and detail of one check of `/health`.
    pub(crate) async fn health(&self, check: &str) -> (String, String) {
        // Reports are kept for a second.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let url = format!("http://{}/health", self.running.address);
        let body: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let checks = body["checks"].as_array().unwrap();
        let found = checks.iter().find(|it| it["name"] == check).unwrap();
        let text = |name: &str| found[name].as_str().unwrap().to_owned();
        (text("status"), text("detail"))
    }

    /// Every byte the spoke keeps in its folder.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let folder = self.folder.path().join("data/13_secrets_mcp");
        for file in std::fs::read_dir(folder).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        bytes
    }
}

/// A call of this moment.
pub(crate) fn now(tool: &str, arguments: &Value) -> HubCall {
    let mut call = HubCall::new(tool, arguments);
    call.now = jiff::Timestamp::now().as_second();
    call
}
