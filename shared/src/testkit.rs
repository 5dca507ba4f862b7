//! What tests of every crate need: scripted tools, a spoke that serves them, a hub's identity.
//!
//! Compiled with the feature `testkit` only. Nothing here is mocked: the spoke is the real harness on
//! port 0 with its files in a temporary folder. Everything panics when it does not work.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test that cannot be set up has failed"
)]

mod hub;
mod script;
mod traces;

pub use hub::{HubCall, HubClient, HubIdentity, outcome};
pub use script::Script;
pub use traces::{KeptSpan, Traces};

use crate::clock::{Clock, TestClock};
use crate::config::{Environment, Sources, Variable, load};
use crate::spoke::{self, BuildError, BuildInput, Health, HealthCheck, Parts, Running, Service};
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tempfile::TempDir;

/// The key of every test spoke.
pub const SPOKE_TOKEN: &str = "test-spoke-token-0123456789";

/// The service test spokes run as.
pub static TEST_SERVICE: Service = Service {
    name: "99_test_mcp",
    number: 99,
    version: "1.2.3",
    namespaces: &["test"],
    canary: "test.echo",
    defaults: "",
    variables: &[],
    build,
};

fn build(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    let _ = input;
    let tools = Script::new().tools();
    async move {
        Ok(Parts {
            tools,
            checks: Vec::new(),
        })
    }
    .boxed()
}

/// The settings a spoke has in an environment.
///
/// # Errors
/// What its operator is told.
pub fn settings<C: DeserializeOwned>(
    defaults: &str,
    variables: &[Variable],
    environment: &[(&str, &str)],
) -> Result<C, String> {
    let loaded = load(&Sources {
        defaults,
        files: &[],
        variables,
        environment: &environment.iter().copied().collect::<Environment>(),
    });
    loaded
        .map(|loaded| loaded.config)
        .map_err(|error| error.to_string())
}

/// A running spoke with scripted tools.
pub struct TestSpoke {
    /// The spoke itself.
    pub running: Running,
    /// What its tools do and how often they did.
    pub script: Script,
    /// The hub whose tokens it takes.
    pub hub: HubIdentity,
    /// Its clock; stands still until moved.
    pub clock: TestClock,
    /// What it was started with; another start with it takes the same files.
    pub environment: Environment,
    folder: Arc<TempDir>,
}

impl TestSpoke {
    /// Starts one on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with further variables; these win.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let hub = HubIdentity::generate();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("token"), SPOKE_TOKEN).expect("a writable folder");
        std::fs::write(path("call_key.pub"), hub.public_key()).expect("a writable folder");
        let mut environment = Environment::default();
        environment.set("WAYGATE_SPOKE_TOKEN_PATH", path("token"));
        environment.set("WAYGATE_CALL_PUBLIC_KEY_PATH", path("call_key.pub"));
        environment.set("WAYGATE_DATA_DIR", path("data"));
        for (name, value) in variables {
            environment.set(*name, *value);
        }
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a date");
        let clock = TestClock::at(now);
        let script = Script::new();
        let running = run(&environment, &clock, &script).await;
        Self {
            running,
            script,
            hub,
            clock,
            environment,
            folder,
        }
    }

    /// Stops it and starts it again on the same files, as another process would.
    pub async fn restart(self) -> Self {
        self.running.stop().await;
        let running = run(&self.environment, &self.clock, &self.script).await;
        Self { running, ..self }
    }

    /// `http://127.0.0.1:port/path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    /// A gRPC client with the spoke's key and the hub's identity.
    pub async fn client(&self) -> HubClient {
        HubClient::connect(self.running.address, Some(SPOKE_TOKEN), self.hub.clone()).await
    }

    /// What `approvals list` prints on the spoke's host.
    pub async fn waiting(&self) -> String {
        let now = self.clock.now().as_second();
        spoke::waiting(&TEST_SERVICE, &self.environment, now)
            .await
            .expect("the spoke's store")
    }

    /// Does what `approvals approve ID` (or `reject`) does on the spoke's host.
    ///
    /// # Errors
    /// What the command would print.
    pub async fn decide(&self, id: &str, approve: bool) -> Result<String, String> {
        let decision = spoke::Decision {
            approve,
            note: None,
        };
        let now = self.clock.now().as_second();
        spoke::decided(&TEST_SERVICE, &self.environment, id, decision, now)
            .await
            .map_err(|error| error.to_string())
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

async fn run(environment: &Environment, clock: &TestClock, script: &Script) -> Running {
    let mut options = spoke::StartOptions::new(environment.clone());
    options.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    options.clock = clock.shared();
    options.parts = Some(Parts {
        tools: script.tools(),
        checks: vec![Arc::new(script.clone())],
    });
    spoke::start(&TEST_SERVICE, options)
        .await
        .expect("the test spoke starts")
}

#[async_trait]
impl HealthCheck for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    async fn check(&self) -> Health {
        self.health()
    }
}
