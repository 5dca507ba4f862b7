//! A hub and spokes of their own, as processes on loopback, in a folder that is removed.

mod process;

use super::super::client::HubClient;
use super::super::{Context, Failure, secrets};
use crate::bench::{BenchError, Door, HubDoor, Pace, Plan, SpokeDoor, Usage, echo, slow};
use crate::keys::HubKey;
use crate::upstream::grpc::{SpokeClient, SpokeTarget};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use process::{Spoke, common, free_port, hub_settings, spawn};
use serde_json::json;
use shared::clock::SystemClock;
use shared::config::Environment;
use shared::secret::Secret;
use shared::spoke::{Service, StartOptions, start};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Child;
use tokio::time::Instant;

/// How long hub and spoke may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How often is looked whether something answers.
const LOOK_EVERY: Duration = Duration::from_millis(2);
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
    /// What the hub is started with.
    environment: Environment,
    settings: String,
    /// From the start of the hub's process to the first answered call of the echo tool, whose spoke
    /// was there before.
    pub(super) first_call: Duration,
    /// From the start of the echo spoke's process to its first answered call.
    pub(super) spoke_ready: Duration,
    hub: Child,
    spokes: Vec<Spoke>,
    folder: Folder,
}

impl Rig {
    /// Starts the echo spoke, those of `others`, and a hub that knows them.
    pub(super) async fn start(
        context: &Context,
        others: &[&'static Service],
    ) -> Result<Self, Failure> {
        let folder = Folder::new()?;
        let secrets_folder = folder.path().join("secrets");
        secrets::generate(&secrets_folder).map_err(|error| unusable(&secrets_folder, &error))?;
        let hub_port = free_port().await?;
        let key = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let mut spokes = Vec::with_capacity(others.len() + 1);
        let began = Instant::now();
        for service in std::iter::once(&&echo::SERVICE).chain(others) {
            spokes.push(Spoke::start(service, &folder).await?);
        }
        let settings = folder.path().join("bench.toml");
        std::fs::write(&settings, hub_settings(&spokes))
            .map_err(|error| unusable(&settings, &error))?;
        let spoke_ready = spoke_answers(&folder, &spokes, began).await?;
        let mut environment = common(&folder);
        environment.set("WAYGATE_PORT", hub_port.to_string());
        environment.set("WAYGATE_API_KEY", key.expose());
        let file = settings.display().to_string();
        let began = Instant::now();
        let hub = spawn(&["serve", "--config", &file], &environment)?;
        let address = format!("127.0.0.1:{hub_port}");
        let mut rig = Self {
            address,
            key,
            idle: None,
            environment,
            settings: file,
            first_call: Duration::ZERO,
            spoke_ready,
            hub,
            spokes,
            folder,
        };
        rig.until_ready(&rig.client(context)?).await?;
        rig.first_call = began.elapsed();
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
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            if let Some(status) = self.hub.try_wait().ok().flatten() {
                return Err(Failure::failed(format!("the hub ended: {status}")));
            }
            if client.get("/ready").await.is_ok() && self.answers(&self.hub_door()?).await {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::failed(
                    "the hub of the benchmark is not ready within 20 s",
                ));
            }
        }
    }

    /// The echo tool through the hub.
    pub(super) fn hub_door(&self) -> Result<HubDoor, BenchError> {
        HubDoor::echo(&self.address, self.key.expose())
    }

    /// The slow spoke's tool through the hub, told to take so many milliseconds.
    pub(super) fn slow_door(&self, milliseconds: u64) -> Result<HubDoor, BenchError> {
        let arguments = json!({ "milliseconds": milliseconds });
        HubDoor::tool(&self.address, self.key.expose(), slow::TOOL, &arguments)
    }

    /// Whether one call through `door` succeeds.
    pub(super) async fn answers(&self, door: &HubDoor) -> bool {
        once(Door::Hub(door.clone())).await
    }

    /// The echo spoke, called as the hub calls it.
    pub(super) fn spoke_door(&self) -> Result<SpokeDoor, Failure> {
        spoke_door(&self.folder, &self.spokes)
    }

    /// Ends the process of a spoke as a crash would.
    pub(super) async fn kill(&mut self, service: &Service) -> Result<(), Failure> {
        let killed = self.spoke(service)?.child.kill().await;
        killed.map_err(|error| Failure::failed(format!("a spoke cannot be ended: {error}")))
    }

    /// Starts it again.
    pub(super) fn start_again(&mut self, service: &Service) -> Result<(), Failure> {
        let Self { spokes, folder, .. } = self;
        find(spokes, service)?.again(folder)
    }

    fn spoke(&mut self, service: &Service) -> Result<&mut Spoke, Failure> {
        find(&mut self.spokes, service)
    }

    pub(super) fn hub_usage(&self) -> Option<Usage> {
        self.hub.id().and_then(Usage::of)
    }

    /// Ends all processes. They are killed: what they leave is removed with the folder.
    pub(super) async fn stop(mut self) {
        let spokes = self.spokes.iter_mut().map(|spoke| &mut spoke.child);
        for child in std::iter::once(&mut self.hub).chain(spokes) {
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

fn find<'a>(spokes: &'a mut [Spoke], service: &Service) -> Result<&'a mut Spoke, Failure> {
    let found = spokes.iter_mut().find(|it| it.service.name == service.name);
    found.ok_or_else(|| Failure::failed(format!("{} was not started", service.name)))
}

/// The echo spoke, called as the hub calls it.
fn spoke_door(folder: &Folder, spokes: &[Spoke]) -> Result<SpokeDoor, Failure> {
    let read = |name: &str| {
        let path = folder.path().join("secrets").join(name);
        std::fs::read(&path).map_err(|error| unusable(&path, &error))
    };
    let key = HubKey::from_bytes(&read("call_key")?);
    let key = Arc::new(key.map_err(|error| Failure::failed(error.to_string()))?);
    let token = read("spoke_token")?;
    let target = SpokeTarget {
        service: echo::SERVICE.name.into(),
        url: spokes.first().map(Spoke::url).unwrap_or_default(),
        token: Some(Secret::new(String::from_utf8_lossy(&token).trim())),
    };
    let client = SpokeClient::new(&target, key, SystemClock::shared(), Arc::default());
    let client = client.map_err(|error| Failure::failed(error.to_string()))?;
    Ok(SpokeDoor::new(Arc::new(client))?)
}

/// How long after `began` the echo spoke answered its first call.
async fn spoke_answers(
    folder: &Folder,
    spokes: &[Spoke],
    began: Instant,
) -> Result<Duration, Failure> {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    while began.elapsed() < READY_WITHIN {
        ticks.tick().await;
        let door = spoke_door(folder, spokes)?;
        if once(Door::Spoke(Box::new(door))).await {
            return Ok(began.elapsed());
        }
    }
    let message = "the echo spoke does not answer within 20 s";
    Err(Failure::failed(message))
}

/// Whether one call succeeds.
async fn once(door: Door) -> bool {
    let one = Plan {
        connections: 1,
        duration: Duration::from_millis(1),
        pace: Pace::Closed,
    };
    let seen = crate::bench::load(&Arc::new(door), one).await;
    seen.is_ok_and(|figures| figures.calls > 0 && figures.failures == 0)
}

/// Serves a spoke of the benchmarks until a signal.
pub(super) async fn serve(context: &Context, name: &str) -> Result<ExitCode, Failure> {
    let service = [&echo::SERVICE, &slow::SERVICE]
        .into_iter()
        .find(|service| service.name == name)
        .ok_or_else(|| Failure::failed(format!("no spoke of the benchmarks is named {name}")))?;
    let running = start(service, StartOptions::new(context.environment.clone())).await;
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
