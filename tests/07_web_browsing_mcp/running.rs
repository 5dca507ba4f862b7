//! The spoke, started on a folder of its own, and a hub to call it.

use serde_json::Value;
use shared::config::Environment;
use shared::spoke::{Running, StartOptions, start};
use shared::testkit::{HubCall, HubClient, HubIdentity, SPOKE_TOKEN};
use shared::tool::{Effect, ToolError};
use spoke_07_web_browsing_mcp::SERVICE;
use tempfile::TempDir;

/// Pages may come from this address of this machine; not from the others.
pub(crate) const HERE: &str = "127.0.0.1";
/// An address of this machine that pages may not come from.
pub(crate) const ELSEWHERE: &str = "127.0.0.2";

/// A running spoke and its hub.
pub(crate) struct Browse {
    pub(crate) running: Running,
    pub(crate) hub: HubClient,
    pub(crate) folder: TempDir,
    principal: String,
}

/// Starts the spoke with pages allowed from [`HERE`].
pub(crate) async fn start_here() -> Browse {
    start_with(&[("BROWSE_ALLOW", HERE)], "").await
}

/// Starts the spoke with these variables and a file of settings.
pub(crate) async fn start_with(variables: &[(&str, &str)], settings: &str) -> Browse {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let identity = HubIdentity::generate();
    std::fs::write(path("token"), SPOKE_TOKEN).unwrap();
    std::fs::write(path("key.pub"), identity.public_key()).unwrap();
    std::fs::write(path("settings.toml"), settings).unwrap();
    let mut environment = Environment::from([
        ("WAYGATE_SPOKE_TOKEN_PATH", path("token")),
        ("WAYGATE_CALL_PUBLIC_KEY_PATH", path("key.pub")),
        ("WAYGATE_DATA_DIR", path("data")),
    ]);
    for (name, value) in variables {
        environment.set(*name, *value);
    }
    let mut options = StartOptions::new(environment);
    options.files = vec![path("settings.toml").into()];
    options.listen = Some(([127, 0, 0, 1], 0).into());
    let running = start(&SERVICE, options).await.unwrap();
    let hub = HubClient::connect(running.address, Some(SPOKE_TOKEN), identity).await;
    Browse {
        running,
        hub,
        folder,
        principal: "key:1".into(),
    }
}

impl Browse {
    /// Calls as somebody else from now on.
    pub(crate) fn is_now(&mut self, principal: &str) {
        principal.clone_into(&mut self.principal);
    }

    /// Calls a tool (without its `web.browse.`) as the hub does, without any authority.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        let call = self.now(tool, &arguments);
        self.hub.call(&call).await
    }

    /// Calls a tool that people approved.
    pub(crate) async fn approved(
        &mut self,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, ToolError> {
        let mut call = self.now(tool, &arguments);
        call.key = call.correlation_id.clone();
        let call = self.hub.approve(call, Effect::Mutate);
        self.hub.call(&call).await
    }

    /// Loads a page, which must succeed.
    pub(crate) async fn go(&mut self, url: &str) -> Value {
        let arguments = serde_json::json!({"url": url});
        self.call("navigation.navigateTo", arguments).await.unwrap()
    }

    /// The text of the page.
    pub(crate) async fn text(&mut self) -> String {
        let arguments = serde_json::json!({});
        let content = self.call("extraction.getPageContent", arguments).await;
        content.unwrap()["content"].as_str().unwrap().to_owned()
    }

    /// A call as it would be made now.
    pub(crate) fn now(&self, tool: &str, arguments: &Value) -> HubCall {
        let mut call = HubCall::new(&format!("web.browse.{tool}"), arguments);
        call.now = jiff::Timestamp::now().as_second();
        self.principal.clone_into(&mut call.principal);
        call
    }
}
