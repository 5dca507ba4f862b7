//! A hub and an echo spoke of their own, as processes on loopback, in a folder that is removed.

use super::super::client::HubClient;
use super::super::{Context, Failure, secrets};
use crate::bench::{SpokeDoor, Usage, echo};
use crate::keys::HubKey;
use crate::upstream::grpc::{SpokeClient, SpokeTarget};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::clock::SystemClock;
use shared::config::Environment;
use shared::secret::Secret;
use shared::spoke::{StartOptions, start};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How long hub and spoke may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long a stopped process may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A folder for one run; removed when dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Self, Failure> {
        let name = format!("waygate-bench-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(path.join("config")).map_err(|error| unusable(&path, &error))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn text(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(event = "bench_folder", %error, "the folder of a benchmark stays");
        }
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()))
}

/// A running installation.
pub(super) struct Rig {
    /// `host:port` of the hub.
    pub(super) address: String,
    /// A key that may call everything.
    pub(super) key: Secret,
    /// The hub before the first call.
    pub(super) idle: Option<Usage>,
    spoke_url: String,
    /// What the hub is started with.
    environment: Environment,
    settings: String,
    hub: Child,
    spoke: Child,
    folder: Folder,
}

impl Rig {
    pub(super) async fn start(context: &Context) -> Result<Self, Failure> {
        let folder = Folder::new()?;
        let secrets_folder = folder.path().join("secrets");
        secrets::generate(&secrets_folder).map_err(|error| unusable(&secrets_folder, &error))?;
        let (hub_port, spoke_port) = (free_port().await?, free_port().await?);
        let key = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let spoke_url = format!("http://127.0.0.1:{spoke_port}");
        let settings = folder.path().join("bench.toml");
        std::fs::write(&settings, hub_settings(&spoke_url))
            .map_err(|error| unusable(&settings, &error))?;
        let mut environment = common(&folder);
        environment.set("MCP_PORT", spoke_port.to_string());
        let spoke = spawn(&["bench", "spoke"], &environment)?;
        environment.set("WAYGATE_PORT", hub_port.to_string());
        environment.set("WAYGATE_API_KEY", key.expose());
        let file = settings.display().to_string();
        let hub = spawn(&["serve", "--config", &file], &environment)?;
        let address = format!("127.0.0.1:{hub_port}");
        let mut rig = Self {
            address,
            key,
            idle: None,
            spoke_url,
            environment,
            settings: file,
            hub,
            spoke,
            folder,
        };
        rig.until_ready(&rig.client(context)?).await?;
        rig.idle = rig.hub_usage();
        Ok(rig)
    }

    /// Ends the hub as `kill -9` does and starts it again on the same store: how long it takes until it
    /// is ready.
    pub(super) async fn restart(&mut self, context: &Context) -> Result<Duration, Failure> {
        let client = self.client(context)?;
        let killed = self.hub.kill().await;
        killed.map_err(|error| Failure::failed(format!("the hub cannot be killed: {error}")))?;
        let began = Instant::now();
        self.hub = spawn(&["serve", "--config", &self.settings], &self.environment)?;
        let mut ticks = tokio::time::interval(Duration::from_millis(2));
        while client.get("/ready").await.is_err() {
            ticks.tick().await;
            if began.elapsed() > READY_WITHIN {
                return Err(Failure::failed("the hub does not come back within 20 s"));
            }
        }
        Ok(began.elapsed())
    }

    /// A client of the hub with the key that may call everything.
    pub(super) fn client(&self, context: &Context) -> Result<HubClient, Failure> {
        let base = format!("http://{}", self.address);
        Ok(context.client_at(&base)?.with_key(self.key.clone()))
    }

    /// Ready means that the hub says so and that the echo tool answers through it.
    async fn until_ready(&mut self, client: &HubClient) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_WITHIN;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let ended = self
                .hub
                .try_wait()
                .ok()
                .flatten()
                .or(self.spoke.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(Failure::failed(format!(
                    "the hub or the echo spoke ended: {status}"
                )));
            }
            let ready = client.get("/ready").await.is_ok() && self.echo_answers().await;
            if ready {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::failed(
                    "the hub of the benchmark is not ready within 20 s",
                ));
            }
        }
    }

    async fn echo_answers(&self) -> bool {
        let one = crate::bench::Plan {
            connections: 1,
            duration: Duration::from_millis(1),
            pace: crate::bench::Pace::Closed,
        };
        let Ok(door) = crate::bench::HubDoor::echo(&self.address, self.key.expose()) else {
            return false;
        };
        let door = Arc::new(crate::bench::Door::Hub(door));
        let seen = crate::bench::load(&door, one).await;
        seen.is_ok_and(|figures| figures.calls > 0 && figures.failures == 0)
    }

    /// The echo spoke, called as the hub calls it.
    pub(super) fn spoke_door(&self) -> Result<SpokeDoor, Failure> {
        let read = |name: &str| {
            let path = self.folder.path().join("secrets").join(name);
            std::fs::read(&path).map_err(|error| unusable(&path, &error))
        };
        let key = HubKey::from_bytes(&read("call_key")?);
        let key = Arc::new(key.map_err(|error| Failure::failed(error.to_string()))?);
        let token = read("spoke_token")?;
        let target = SpokeTarget {
            service: echo::SERVICE.name.into(),
            url: self.spoke_url.clone(),
            token: Some(Secret::new(String::from_utf8_lossy(&token).trim())),
        };
        let client = SpokeClient::new(&target, key, SystemClock::shared(), Arc::default());
        let client = client.map_err(|error| Failure::failed(error.to_string()))?;
        Ok(SpokeDoor::new(Arc::new(client))?)
    }

    pub(super) fn hub_usage(&self) -> Option<Usage> {
        self.hub.id().and_then(Usage::of)
    }

    /// Ends both processes. They are killed: what they leave is removed with the folder.
    pub(super) async fn stop(mut self) {
        for child in [&mut self.hub, &mut self.spoke] {
            if tokio::time::timeout(STOP_WITHIN, child.kill())
                .await
                .is_err()
            {
                tracing::warn!(
                    event = "bench_child",
                    "a process of the benchmark does not end"
                );
            }
        }
    }
}

/// What both processes are told.
fn common(folder: &Folder) -> Environment {
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

/// Limits lifted, one spoke.
fn hub_settings(spoke_url: &str) -> String {
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
    format!(
        "[limits]\n{lifted}\n[services.{}]\nnamespaces = [\"bench\"]\nurl = \"{spoke_url}\"\n",
        echo::SERVICE.name
    )
}

fn spawn(arguments: &[&str], environment: &Environment) -> Result<Child, Failure> {
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

async fn free_port() -> Result<u16, Failure> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let address = listener.and_then(|listener| listener.local_addr());
    address
        .map(|address| address.port())
        .map_err(|error| Failure::failed(format!("no free port: {error}")))
}

/// Serves the echo spoke until a signal.
pub(super) async fn serve_echo(context: &Context) -> Result<ExitCode, Failure> {
    let running = start(
        &echo::SERVICE,
        StartOptions::new(context.environment.clone()),
    )
    .await;
    let running = running.map_err(|error| Failure::failed(crate::app::chain(&error)))?;
    shared::tasks::until_signal().await;
    drop(running.stop().await);
    Ok(ExitCode::SUCCESS)
}

/// The machine, in a line.
pub(super) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let build = if cfg!(debug_assertions) {
        "debug build"
    } else {
        "release build"
    };
    format!("{cores} × {model}, {build}; hub, spoke and this program share it")
}
