//! The processes of a benchmark: what they are told, how they are started.

use super::super::super::Failure;
use super::Folder;
use shared::config::Environment;
use shared::spoke::Service;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A spoke of the installation.
pub(super) struct Spoke {
    pub(super) service: &'static Service,
    port: u16,
    pub(super) child: Child,
}

impl Spoke {
    pub(super) async fn start(service: &'static Service, folder: &Folder) -> Result<Self, Failure> {
        let port = free_port().await?;
        Ok(Self {
            service,
            port,
            child: Self::spawn(service, port, folder)?,
        })
    }

    /// The same spoke again, at the same address, after its process has ended.
    pub(super) fn again(&mut self, folder: &Folder) -> Result<(), Failure> {
        self.child = Self::spawn(self.service, self.port, folder)?;
        Ok(())
    }

    fn spawn(service: &Service, port: u16, folder: &Folder) -> Result<Child, Failure> {
        let mut environment = common(folder);
        environment.set("MCP_PORT", port.to_string());
        environment.set("WAYGATE_DATA_DIR", folder.text(service.name));
        spawn(&["bench", "spoke", service.name], &environment)
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// What both processes are told.
pub(super) fn common(folder: &Folder) -> Environment {
    let mut environment = Environment::default();
    for (name, value) in [
        ("WAYGATE_ENV", "development".to_owned()),
        ("WAYGATE_HOST", "127.0.0.1".to_owned()),
        ("WAYGATE_BASE_DIR", folder.text("")),
        ("WAYGATE_DATA_DIR", folder.text("data")),
        ("WAYGATE_CONFIG_DIR", folder.text("config")),
        (
            "WAYGATE_SECRET_KEY_SECRET_PATH",
            folder.text("secrets/secret_key"),
        ),
        (
            "WAYGATE_SPOKE_TOKEN_PATH",
            folder.text("secrets/spoke_token"),
        ),
        ("WAYGATE_CALL_KEY_PATH", folder.text("secrets/call_key")),
        (
            "WAYGATE_CALL_PUBLIC_KEY_PATH",
            folder.text("secrets/call_key.pub"),
        ),
        ("LOG_LEVEL", "ERROR".to_owned()),
    ] {
        environment.set(name, value);
    }
    environment
}

/// Limits lifted, the spokes and their first namespaces.
pub(super) fn hub_settings(spokes: &[Spoke]) -> String {
    let limits = [
        "execute_per_minute",
        "ip_per_minute",
        "endpoint_per_minute",
        "user_per_minute",
        "organization_per_minute",
        "organization_per_hour",
        "organization_per_day",
    ];
    let lifted: String = limits
        .iter()
        .map(|limit| format!("{limit} = 0\n"))
        .collect();
    let services: String = spokes
        .iter()
        .map(|spoke| {
            let (name, url) = (spoke.service.name, spoke.url());
            let namespaces = spoke.service.namespaces;
            format!("[services.{name}]\nnamespaces = {namespaces:?}\nurl = \"{url}\"\n")
        })
        .collect();
    format!("[limits]\n{lifted}\n{services}")
}

pub(super) fn spawn(arguments: &[&str], environment: &Environment) -> Result<Child, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("this program cannot be found: {error}")))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "long-lived children, not commands of a tool call"
    )]
    let mut command = Command::new(own);
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure::failed(format!("a process could not be started: {error}")))
}

pub(super) async fn free_port() -> Result<u16, Failure> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let address = listener.and_then(|listener| listener.local_addr());
    address
        .map(|address| address.port())
        .map_err(|error| Failure::failed(format!("no free port: {error}")))
}
