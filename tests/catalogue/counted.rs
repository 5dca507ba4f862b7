//! Real spokes in this process whose tools count how often their bodies begin.
//!
//! A body that would change something is counted and not run, so that a broken gate is seen here and
//! not on this machine.

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;
use shared::clock::{SharedClock, SystemClock, TestClock};
use shared::config::Environment;
use shared::error::Code;
use shared::spoke::{BuildError, BuildInput, Parts, Running, Service, StartOptions};
use shared::testkit::{HubClient, HubIdentity};
use shared::tool::{Assessment, Call, Effect, Output, Tool, ToolDefinition, ToolError};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// The key of hub and spokes.
pub(crate) const TOKEN: &str = "catalogue-spoke-token-0123456789";

/// Every spoke there is, counted.
pub(crate) static SPOKES: [&Service; 2] = [&LINUX, &CMDB];

static LINUX: Service = Service {
    build: build_linux,
    ..spoke_01_linux_cli_mcp::SERVICE
};
static CMDB: Service = Service {
    build: build_cmdb,
    ..spoke_12_cmdb_mcp::SERVICE
};

fn build_linux(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    counted(&spoke_01_linux_cli_mcp::SERVICE, input)
}

fn build_cmdb(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    counted(&spoke_12_cmdb_mcp::SERVICE, input)
}

fn counted<'a>(
    service: &'static Service,
    input: &'a BuildInput,
) -> BoxFuture<'a, Result<Parts, BuildError>> {
    async move {
        let parts = (service.build)(input).await?;
        Ok(counting(parts, &Runs::of(&input.kit.data_dir)))
    }
    .boxed()
}

fn counting(mut parts: Parts, runs: &Runs) -> Parts {
    for tool in &mut parts.tools {
        let counted = Counted {
            inner: Arc::clone(tool),
            runs: runs.clone(),
        };
        *tool = Arc::new(counted);
    }
    parts
}

/// How often each body began, by id. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs(Arc<Mutex<BTreeMap<String, u64>>>);

/// By the data folder of the spoke, since a service builds its parts without knowing who asks.
static RUNS: Mutex<BTreeMap<PathBuf, Runs>> = Mutex::new(BTreeMap::new());

impl Runs {
    fn of(data_dir: &Path) -> Self {
        RUNS.lock().entry(data_dir.to_owned()).or_default().clone()
    }

    /// How often the body of `tool` began.
    pub(crate) fn of_tool(&self, tool: &str) -> u64 {
        self.0.lock().get(tool).copied().unwrap_or_default()
    }

    /// How often any body began.
    pub(crate) fn all(&self) -> u64 {
        self.0.lock().values().sum()
    }
}

struct Counted {
    inner: Arc<dyn Tool>,
    runs: Runs,
}

#[async_trait]
impl Tool for Counted {
    fn definition(&self) -> &ToolDefinition {
        self.inner.definition()
    }

    async fn assess(&self, arguments: &Value, call: &Call) -> Result<Assessment, ToolError> {
        self.inner.assess(arguments, call).await
    }

    async fn call(&self, arguments: Value, call: &Call) -> Result<Output, ToolError> {
        let definition = self.definition();
        *self
            .runs
            .0
            .lock()
            .entry(definition.id.to_string())
            .or_default() += 1;
        let effect = self.inner.assess(&arguments, call).await?.effect;
        if effect == Effect::Read {
            return self.inner.call(arguments, call).await;
        }
        Err(ToolError::new(
            Code::InternalError,
            "the body was reached; here it does nothing",
        ))
    }
}

/// Files for a spoke: a note, a CMDB of two servers, a key.
pub(crate) struct Place {
    folder: TempDir,
    /// The hub whose calls the spoke takes.
    pub(crate) hub: HubIdentity,
}

impl Place {
    /// Makes the files.
    pub(crate) fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            hub: HubIdentity::generate(),
        };
        for folder in ["files", "sites-available", "sites-enabled", "log"] {
            std::fs::create_dir(place.path(folder)).unwrap();
        }
        let write = |name: &str, content: &[u8]| std::fs::write(place.path(name), content).unwrap();
        write("token", TOKEN.as_bytes());
        write("call_key.pub", &place.hub.public_key());
        write("files/note.txt", b"as it was");
        write("log/access.log", b"GET /\n");
        write("files/cmdb.csv", CMDB_TEXT.as_bytes());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Settings of a spoke that lives here.
    pub(crate) fn environment(&self) -> Environment {
        let path = |name: &str| self.path(name).display().to_string();
        let mut environment = Environment::default();
        for (variable, value) in [
            ("WAYGATE_SPOKE_TOKEN_PATH", path("token")),
            ("WAYGATE_CALL_PUBLIC_KEY_PATH", path("call_key.pub")),
            ("WAYGATE_DATA_DIR", path("data")),
            ("ALLOWED_READ_PATHS", format!("/etc:{}", path("files"))),
            ("ALLOWED_WRITE_PATHS", path("files")),
            ("NGINX_SITES_DIR", path("sites-available")),
            ("NGINX_LOG_DIR", path("log")),
            ("SSH_HOSTS", "host.invalid".to_owned()),
            ("LOCAL_CMDB_PATH", path("files/cmdb.csv")),
        ] {
            environment.set(variable, value);
        }
        environment
    }

    /// Arguments with this place's folder in them.
    pub(crate) fn fill(&self, sample: &Value) -> Value {
        let files = self.path("files").display().to_string();
        serde_json::from_str(&sample.to_string().replace("<files>", &files)).unwrap()
    }

    /// Names and contents of everything a tool could have changed.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let folders = ["files", "sites-available", "sites-enabled", "log"];
        let entries = folders
            .iter()
            .flat_map(|name| std::fs::read_dir(self.path(name)).unwrap());
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    }
}

const CMDB_TEXT: &str = "hostname,ip_address,os_type,os_version,services,path,user,ssh_access_notes\n\
                         web1,192.0.2.1,linux,13,nginx,,,\n\
                         db1,192.0.2.2,linux,13,postgresql,,,\n";

/// One running spoke with its files.
pub(crate) struct Spoke {
    pub(crate) running: Running,
    pub(crate) place: Place,
    pub(crate) runs: Runs,
    pub(crate) service: &'static Service,
}

impl Spoke {
    /// Starts one at the noon at which [`shared::testkit::HubCall`]s are made.
    pub(crate) async fn start(service: &'static Service) -> Self {
        let noon = TestClock::at("2026-11-20T12:00:00Z".parse().unwrap());
        Self::with(service, &[], None, noon.shared()).await
    }

    /// Starts one for a hub of another process, with that hub's settings.
    pub(crate) async fn behind(
        service: &'static Service,
        settings: &[(String, String)],
        parts: Option<Vec<Arc<dyn Tool>>>,
    ) -> Self {
        let wanted = ["WAYGATE_SPOKE_TOKEN_PATH", "WAYGATE_CALL_PUBLIC_KEY_PATH"];
        let settings = settings
            .iter()
            .filter(|(name, _)| wanted.contains(&name.as_str()));
        let settings: Vec<_> = settings.cloned().collect();
        Self::with(service, &settings, parts, SystemClock::shared()).await
    }

    async fn with(
        service: &'static Service,
        settings: &[(String, String)],
        tools: Option<Vec<Arc<dyn Tool>>>,
        clock: SharedClock,
    ) -> Self {
        let place = Place::new();
        let mut environment = place.environment();
        for (name, value) in settings {
            environment.set(name, value);
        }
        let data_dir = environment.get("WAYGATE_DATA_DIR").unwrap();
        let runs = Runs::of(&Path::new(data_dir).join(service.name));
        let mut options = StartOptions::new(environment);
        options.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        options.clock = clock;
        options.parts = tools.map(|tools| {
            counting(
                Parts {
                    tools,
                    checks: Vec::new(),
                },
                &runs,
            )
        });
        let running = shared::spoke::start(service, options).await.unwrap();
        Self {
            running,
            place,
            runs,
            service,
        }
    }

    /// A hub's client.
    pub(crate) async fn hub_client(&self) -> HubClient {
        HubClient::connect(self.running.address, Some(TOKEN), self.place.hub.clone()).await
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }
}
