//! A stand-in host (`winrm_server.py`) and the spoke that reaches it.

use serde_json::{Value, json};
use shared::tool::{Effect, ToolError};
use spoke_02_windows_mcp::SERVICE;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tests::rig::Rig;

pub(crate) const HOST: &str = "localhost";
pub(crate) const USER: &str = "CORP\\ops";
pub(crate) const PASSWORD: &str = "pass-word-hunter2";

/// A running stand-in; it ends with this value.
pub(crate) struct Host {
    child: Child,
    pub(crate) port: String,
    folder: TempDir,
}

/// A host and the spoke that reaches it.
pub(crate) struct Windows {
    pub(crate) rig: Rig,
    pub(crate) host: Host,
}

impl Host {
    /// Starts one; `options` are those of the script.
    pub(crate) fn start(options: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let certificate = write("cert.pem", certified.cert.pem());
        let key = write("key.pem", certified.signing_key.serialize_pem());
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(python())
            .arg(root.join("../../tests/02_windows_mcp/winrm_server.py"))
            .args([&certificate, &key, &root.join("src/scripts")])
            .arg(folder.path().join("record"))
            .arg(options.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut port).unwrap();
        assert!(!port.is_empty(), "the stand-in did not start");
        Self {
            child,
            port: port.trim().to_owned(),
            folder,
        }
    }

    /// The certificate it shows, which signs itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// What it was asked, in order.
    pub(crate) fn record(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("record"));
        let text = text.unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The actions it was asked for, in order.
    pub(crate) fn actions(&self) -> Vec<String> {
        let record = self.record();
        let actions = record.iter().filter_map(|it| it["action"].as_str());
        actions.map(str::to_owned).collect()
    }

    /// Waits until the shell is closed, for half a minute at most.
    pub(crate) async fn closed(&self) -> bool {
        for _ in 0..1500 {
            if self.actions().last().is_some_and(|it| it == "Delete") {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The Python of `deploy/scripts/test-deps.sh`.
pub(crate) fn python() -> PathBuf {
    let python = tests::clients::installed().join("winrm/bin/python");
    assert!(
        python.exists(),
        "{} is missing; install it with: deploy/scripts/test-deps.sh",
        python.display()
    );
    python
}

/// A host with these options, and a spoke with these variables besides the usual ones.
pub(crate) async fn with(options: Value, more: &[(&str, &str)]) -> Windows {
    let host = Host::start(&options);
    let certificate = host.certificate().display().to_string();
    let mut variables = vec![
        ("WINRM_HOSTS", HOST),
        ("WINRM_PORT", host.port.as_str()),
        ("WINRM_USER", USER),
        ("WINRM_PASSWORD", PASSWORD),
        ("WINRM_CA_PATH", &certificate),
        ("ALLOWED_READ_PATHS", "C:\\Logs"),
        ("ALLOWED_WRITE_PATHS", "C:\\Logs"),
    ];
    variables.extend_from_slice(more);
    let rig = Rig::start(&SERVICE, &variables).await;
    Windows { rig, host }
}

/// The usual host.
pub(crate) async fn usual() -> Windows {
    with(json!({}), &[]).await
}

impl Windows {
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        self.rig.call(tool, arguments).await
    }

    pub(crate) async fn approved(
        &mut self,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, ToolError> {
        self.rig.approved(tool, arguments, Effect::Mutate).await
    }

    /// The answer of a call that needs nobody.
    pub(crate) async fn answer(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.rig.call(tool, arguments).await;
        answer.unwrap_or_else(|error| panic!("{tool}: {error}\n{:?}", self.host.record()))
    }
}
