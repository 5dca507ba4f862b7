//! The spoke, started on a folder of its own, and a hub to call it.

use serde_json::{Value, json};
use shared::config::Environment;
use shared::spoke::{Running, StartOptions, start};
use shared::testkit::{HubCall, HubClient, HubIdentity, SPOKE_TOKEN};
use shared::tool::ToolError;
use spoke_06_web_search_mcp::SERVICE;
use tempfile::TempDir;
use tests::engines::{Engines, QUERY};

/// A running spoke and its hub.
pub(crate) struct Search {
    pub(crate) running: Running,
    pub(crate) hub: HubClient,
    _folder: TempDir,
}

/// Starts the spoke with every engine, and its keys.
pub(crate) async fn start_with_keys(engines: &Engines) -> Search {
    let mut settings = engines.addresses();
    settings.extend(Engines::keys());
    start_with(settings).await
}

/// Starts the spoke with these settings.
pub(crate) async fn start_with(settings: Vec<(&'static str, String)>) -> Search {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let identity = HubIdentity::generate();
    std::fs::write(path("token"), SPOKE_TOKEN).unwrap();
    std::fs::write(path("key.pub"), identity.public_key()).unwrap();
    let mut environment = Environment::from([
        ("WAYGATE_SPOKE_TOKEN_PATH", path("token")),
        ("WAYGATE_CALL_PUBLIC_KEY_PATH", path("key.pub")),
        ("WAYGATE_DATA_DIR", path("data")),
    ]);
    for (name, value) in settings {
        environment.set(name, value);
    }
    let mut options = StartOptions::new(environment);
    options.listen = Some(([127, 0, 0, 1], 0).into());
    let running = start(&SERVICE, options).await.unwrap();
    let hub = HubClient::connect(running.address, Some(SPOKE_TOKEN), identity).await;
    Search {
        running,
        hub,
        _folder: folder,
    }
}

impl Search {
    /// Calls a tool (without its `web.search.`) as the hub does.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        let mut call = HubCall::new(&format!("web.search.{tool}"), &arguments);
        call.now = jiff::Timestamp::now().as_second();
        self.hub.call(&call).await
    }

    /// Searches with an engine for what the engines know.
    pub(crate) async fn search(&mut self, engine: &str, most: u32) -> Value {
        let arguments = json!({"query": QUERY, "engine": engine, "max_results": most});
        self.call("query", arguments).await.unwrap()
    }

    /// The body of `/health`.
    pub(crate) async fn health(&self) -> Value {
        let url = format!("http://{}/health", self.running.address);
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }
}
