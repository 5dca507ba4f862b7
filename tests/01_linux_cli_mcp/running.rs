//! The spoke, started on a folder of its own, and a hub to call it.

use serde_json::Value;
use shared::config::Environment;
use shared::spoke::{Running, StartOptions, start};
use shared::testkit::{HubCall, HubClient, HubIdentity, SPOKE_TOKEN};
use shared::tool::{Effect, ToolError};
use spoke_01_linux_cli_mcp::SERVICE;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tests::programs::Programs;

/// Where a spoke looks for programs besides the folder of a test.
const SYSTEM: &str =
    r#""/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin""#;

/// A running spoke and its hub. `folder/work` may be read and written.
pub(crate) struct Linux {
    pub(crate) running: Running,
    pub(crate) hub: HubClient,
    folder: TempDir,
}

/// Starts the spoke with these variables.
pub(crate) async fn with(variables: &[(&str, &str)]) -> Linux {
    among(&Programs::new(), variables).await
}

/// Starts the spoke with programs of the test before those of the system.
pub(crate) async fn among(programs: &Programs, variables: &[(&str, &str)]) -> Linux {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let identity = HubIdentity::generate();
    std::fs::write(path("token"), SPOKE_TOKEN).unwrap();
    std::fs::write(path("key.pub"), identity.public_key()).unwrap();
    std::fs::create_dir(path("work")).unwrap();
    let own = programs.path().display();
    let settings = format!("[commands]\ndirectories = [\"{own}\", {SYSTEM}]\n");
    std::fs::write(path("settings.toml"), settings).unwrap();
    let mut environment = Environment::from([
        ("WAYGATE_SPOKE_TOKEN_PATH", path("token")),
        ("WAYGATE_CALL_PUBLIC_KEY_PATH", path("key.pub")),
        ("WAYGATE_DATA_DIR", path("data")),
        ("ALLOWED_READ_PATHS", path("work")),
        ("ALLOWED_WRITE_PATHS", path("work")),
    ]);
    for (name, value) in variables {
        environment.set(*name, *value);
    }
    let mut options = StartOptions::new(environment);
    options.files = vec![path("settings.toml").into()];
    options.listen = Some(([127, 0, 0, 1], 0).into());
    let running = start(&SERVICE, options).await.unwrap();
    let hub = HubClient::connect(running.address, Some(SPOKE_TOKEN), identity).await;
    Linux {
        running,
        hub,
        folder,
    }
}

impl Linux {
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
        self.approved_as(tool, arguments, Effect::Mutate).await
    }

    /// Calls a tool that people approved as one of this effect.
    pub(crate) async fn approved_as(
        &mut self,
        tool: &str,
        arguments: Value,
        effect: Effect,
    ) -> Result<Value, ToolError> {
        let mut call = now(tool, &arguments);
        let key = call.correlation_id.clone();
        call = self.hub.approve(call.key(&key), effect);
        self.hub.call(&call).await
    }

    /// What a call would do.
    pub(crate) async fn assess(
        &mut self,
        tool: &str,
        arguments: Value,
    ) -> proto::spoke::Assessment {
        self.hub.assess(&now(tool, &arguments)).await.unwrap()
    }

    /// A path in the folder that may be read and written.
    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.folder
            .path()
            .canonicalize()
            .unwrap()
            .join("work")
            .join(name)
    }

    /// The same as text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.work(name).display().to_string()
    }

    /// A path that may not be read.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }
}

fn now(tool: &str, arguments: &Value) -> HubCall {
    let mut call = HubCall::new(tool, arguments);
    call.now = jiff::Timestamp::now().as_second();
    call
}

/// Whether a process has this word among its arguments.
pub(crate) fn lives(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let mut lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.any(|line| line.split('\0').any(|argument| argument == word))
}

/// Waits until something holds, for ten seconds at most.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) -> bool {
    for _ in 0..500 {
        if holds() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// The backups of a file, by name.
pub(crate) fn backups(file: &Path) -> Vec<PathBuf> {
    let name = file.file_name().unwrap().to_str().unwrap();
    let entries = std::fs::read_dir(file.parent().unwrap()).unwrap().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| {
        let other = path.file_name().unwrap().to_string_lossy();
        other.starts_with(&format!("{name}.BAK_"))
    });
    found.sort();
    found
}
