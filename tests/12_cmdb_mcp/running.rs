//! The spoke, started on a folder of its own, and a hub to call it.

use serde_json::Value;
use shared::config::Environment;
use shared::spoke::{Running, StartError, StartOptions, start};
use shared::testkit::{HubCall, HubClient, HubIdentity, SPOKE_TOKEN};
use shared::tool::{Effect, ToolError};
use spoke_12_cmdb_mcp::SERVICE;
use tempfile::TempDir;

/// Three good rows and three bad ones.
pub(crate) const CSV: &str = "hostname,ip_address,os_type,os_version,services\n\
                              web1,10.0.0.1,Debian Linux,13,nginx;redis\n\
                              web2,300.0.0.1,Debian Linux,13,nginx\n\
                              db1,2001:db8::1,FreeBSD,15,postgresql\n\
                              ,10.0.0.4,Linux,1,\n\
                              WEB1,10.0.0.5,Linux,1,\n\
                              web3,10.0.0.6,Windows,2025,IIS\n";

/// A running spoke and its hub.
pub(crate) struct Cmdb {
    pub(crate) running: Running,
    pub(crate) hub: HubClient,
    folder: TempDir,
}

/// Starts the spoke over a CSV file with this text; `None` for no file.
pub(crate) async fn over(csv: Option<&str>, variables: &[(&str, &str)]) -> Cmdb {
    attempt(csv, variables, "").await.unwrap()
}

/// As [`over`], with a file of settings, for starts that may fail.
pub(crate) async fn attempt(
    csv: Option<&str>,
    variables: &[(&str, &str)],
    settings: &str,
) -> Result<Cmdb, StartError> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let identity = HubIdentity::generate();
    std::fs::write(path("token"), SPOKE_TOKEN).unwrap();
    std::fs::write(path("key.pub"), identity.public_key()).unwrap();
    if let Some(text) = csv {
        std::fs::write(path("cmdb.csv"), text).unwrap();
    }
    let mut environment = Environment::from([
        ("WAYGATE_SPOKE_TOKEN_PATH", path("token")),
        ("WAYGATE_CALL_PUBLIC_KEY_PATH", path("key.pub")),
        ("WAYGATE_DATA_DIR", path("data")),
        ("LOCAL_CMDB_PATH", path("cmdb.csv")),
    ]);
    for (name, value) in variables {
        environment.set(*name, *value);
    }
    let mut options = StartOptions::new(environment);
    std::fs::write(path("settings.toml"), settings).unwrap();
    options.files = vec![path("settings.toml").into()];
    options.listen = Some(([127, 0, 0, 1], 0).into());
    let running = start(&SERVICE, options).await?;
    let hub = HubClient::connect(running.address, Some(SPOKE_TOKEN), identity).await;
    Ok(Cmdb {
        running,
        hub,
        folder,
    })
}

impl Cmdb {
    /// Calls a tool as the hub does, without any authority.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        self.hub.call(&now(tool, &arguments)).await
    }

    /// Calls a tool that people approved.
    pub(crate) async fn approved(
        &mut self,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, ToolError> {
        let key = format!("{tool}{arguments}");
        let call = now(tool, &arguments).key(&key);
        let call = self.hub.approve(call, Effect::Mutate);
        self.hub.call(&call).await
    }

    /// What the CSV file holds now.
    pub(crate) fn csv(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("cmdb.csv")).unwrap()
    }

    /// Answer of a probe: status and body.
    pub(crate) async fn probe(&self, path: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.running.address);
        let response = reqwest::get(url).await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }
}

fn now(tool: &str, arguments: &Value) -> HubCall {
    let mut call = HubCall::new(tool, arguments);
    call.now = jiff::Timestamp::now().as_second();
    call
}
