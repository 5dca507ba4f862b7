//! Chromium over the `DevTools` protocol: one of our own, started when it is first needed, or a
//! running one of others.
//!
//! Each page is in a browser context of its own, which shares nothing with the others and whose only
//! way to the network is the proxy it was opened with.

mod page;
mod process;
mod progress;
mod tab;
mod wire;

use crate::browser::{Browser, Page, lost};
use crate::config;
use crate::guard::Guard;
use async_trait::async_trait;
use page::ChromiumPage;
use parking_lot::Mutex;
use process::{Process, ProcessError};
use reqwest::dns::{Name, Resolve};
use serde_json::{Value, json};
use shared::error::Code;
use shared::outbound::{self, Outbound};
use shared::tasks::Tasks;
use shared::tool::ToolError;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tab::{Tab, said};
use tokio::sync::Semaphore;
use url::Url;
use wire::{Wire, WireError, text};

/// Longest wait for a browser of others to say where it listens.
const GREETING: Duration = Duration::from_secs(10);

/// What a Chromium needs to be had.
pub(crate) struct Chromium {
    settings: config::Browser,
    /// Where a browser of others may be.
    reach: Outbound,
    guard: Guard,
    data_dir: PathBuf,
    is_container: bool,
    tasks: Tasks,
    running: Mutex<Option<Arc<Running>>>,
    /// Held by whoever starts it, so that one start serves all who wait.
    starting: Semaphore,
}

/// A browser we are connected to.
struct Running {
    wire: Wire,
    /// `None` when it is not ours.
    process: Mutex<Option<Process>>,
    /// Its port on this machine, kept from its own pages.
    port: Option<u16>,
}

/// What surrounds a browser.
pub(crate) struct Surroundings {
    /// Keeps its pages from where they may not go.
    pub(crate) guard: Guard,
    /// Where profiles are made.
    pub(crate) data_dir: PathBuf,
    /// Whether this is a container.
    pub(crate) is_container: bool,
    /// Starts its tasks.
    pub(crate) tasks: Tasks,
}

impl Chromium {
    /// Prepares; starts nothing.
    pub(crate) fn new(
        settings: config::Browser,
        reach: Outbound,
        surroundings: Surroundings,
    ) -> Self {
        Self {
            settings,
            reach,
            guard: surroundings.guard,
            data_dir: surroundings.data_dir,
            is_container: surroundings.is_container,
            tasks: surroundings.tasks,
            running: Mutex::default(),
            starting: Semaphore::new(1),
        }
    }

    fn current(&self) -> Option<Arc<Running>> {
        let running = self.running.lock().clone();
        running.filter(|running| running.wire.is_open())
    }

    async fn wire(&self) -> Result<Wire, ToolError> {
        let Ok(_turn) = self.starting.acquire().await else {
            return Err(lost());
        };
        if let Some(running) = self.current() {
            return Ok(running.wire.clone());
        }
        self.rest().await;
        let running = match &self.settings.url.0 {
            Some(url) => self.join(url).await?,
            None => self.start().await?,
        };
        if let Some(port) = running.port {
            self.guard.hide(port);
        }
        let wire = running.wire.clone();
        *self.running.lock() = Some(Arc::new(running));
        Ok(wire)
    }

    async fn start(&self) -> Result<Running, ToolError> {
        let started = Process::start(
            &self.settings,
            self.is_container,
            &self.data_dir,
            &self.tasks,
        )
        .await;
        let process = started.map_err(|error| {
            tracing::error!(
                event = "browse.start",
                error = &error as &dyn std::error::Error,
                "no browser"
            );
            match error {
                ProcessError::Missing => missing(),
                _ => ToolError::refused(Code::ServiceUnavailable, "the browser does not start"),
            }
        })?;
        let wire = Wire::connect(process.devtools, &process.path, &self.tasks).await;
        Ok(Running {
            wire: wire.map_err(|error| said(&error))?,
            port: Some(process.devtools.port()),
            process: Mutex::new(Some(process)),
        })
    }

    /// Connects to a browser of others. It wants to be asked by address, so its name is resolved here.
    async fn join(&self, url: &Url) -> Result<Running, ToolError> {
        let refused = |refused| outbound::refusal(&refused);
        let mut place = url.clone();
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let ip = match host.parse::<IpAddr>() {
            Ok(ip) => ip,
            Err(_) => self.resolve(host).await?,
        };
        let port = url.port_or_known_default().unwrap_or(9222);
        let address = SocketAddr::new(ip, port);
        if url.scheme() == "https"
            || place.set_scheme("http").is_err()
            || place.set_ip_host(ip).is_err()
        {
            return Err(ToolError::not_configured(
                "BROWSER_URL to an http or ws address",
            ));
        }
        if host.parse::<IpAddr>().is_ok() {
            self.reach.check(&place).map_err(refused)?;
        }
        let path = match url.scheme() {
            "ws" => url.path().to_owned(),
            _ => self.greeted(&address).await?,
        };
        let wire = Wire::connect(address, &path, &self.tasks).await;
        Ok(Running {
            wire: wire.map_err(|error| said(&error))?,
            process: Mutex::default(),
            port: ip.is_loopback().then_some(port),
        })
    }

    async fn resolve(&self, host: &str) -> Result<IpAddr, ToolError> {
        let unknown =
            || ToolError::refused(Code::ProxyError, "the host of BROWSER_URL is not known");
        let Ok(name) = host.parse::<Name>() else {
            return Err(unknown());
        };
        let mut found = self.reach.resolve(name).await.map_err(|error| match error
            .downcast_ref::<outbound::Refused>()
        {
            Some(refused) => outbound::refusal(refused),
            None => unknown(),
        })?;
        found.next().map(|address| address.ip()).ok_or_else(unknown)
    }

    /// The path of its `DevTools`, as it says itself.
    async fn greeted(&self, address: &SocketAddr) -> Result<String, ToolError> {
        let failed =
            |error: &reqwest::Error| outbound::failure("the browser of BROWSER_URL", error);
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(GREETING)
            .build();
        let client = client.map_err(|error| failed(&error))?;
        let answer = client
            .get(format!("http://{address}/json/version"))
            .send()
            .await;
        let version: Value = match answer {
            Ok(answer) => answer.json().await.map_err(|error| failed(&error))?,
            Err(error) => return Err(failed(&error)),
        };
        let url = Url::parse(&text(version.get("webSocketDebuggerUrl")));
        match url {
            Ok(url) => Ok(url.path().to_owned()),
            Err(_) => Err(ToolError::refused(
                Code::BadGateway,
                "what listens at BROWSER_URL is no browser",
            )),
        }
    }

    async fn context(&self, wire: &Wire, port: u16) -> Result<ChromiumPage, WireError> {
        let host = match self.settings.proxy_host.as_str() {
            "" => "127.0.0.1",
            host => host,
        };
        let parameters = json!({
            "disposeOnDetach": true,
            "proxyServer": format!("http://{host}:{port}"),
            "proxyBypassList": "<-loopback>",
        });
        let made = wire
            .call(None, "Target.createBrowserContext", parameters)
            .await?;
        let context = text(made.get("browserContextId"));
        let downloads = json!({"behavior": "deny", "browserContextId": context});
        wire.call(None, "Browser.setDownloadBehavior", downloads)
            .await?;
        let parameters = json!({
            "url": "about:blank",
            "browserContextId": context,
            "width": self.settings.width.get(),
            "height": self.settings.height.get(),
        });
        let made = wire.call(None, "Target.createTarget", parameters).await?;
        let tab = Tab::attach(wire, &text(made.get("targetId"))).await?;
        Ok(ChromiumPage::new(wire.clone(), context, tab))
    }
}

#[async_trait]
impl Browser for Chromium {
    async fn open(&self, port: u16) -> Result<Arc<dyn Page>, ToolError> {
        self.ready().await?;
        let wire = self.wire().await?;
        let page = self.context(&wire, port).await.map_err(|error| {
            tracing::error!(
                event = "browse.open",
                error = &error as &dyn std::error::Error,
                "no page"
            );
            said(&error)
        })?;
        Ok(Arc::new(page))
    }

    async fn ready(&self) -> Result<(), ToolError> {
        if self.settings.grid.0.is_some() {
            let message =
                "SELENIUM_GRID_URL is set, and WebDriver is not spoken yet: use BROWSER_URL";
            return Err(ToolError::refused(Code::NotSupported, message));
        }
        let is_there = self.settings.url.0.is_some() || Process::program(&self.settings).is_some();
        match is_there {
            true => Ok(()),
            false => Err(missing()),
        }
    }

    fn is_active(&self) -> bool {
        self.current().is_some()
    }

    async fn rest(&self) {
        let Some(running) = self.running.lock().take() else {
            return;
        };
        running.wire.close();
        let process = running.process.lock().take();
        if let Some(process) = process {
            process.end().await;
        }
        if let Some(port) = running.port {
            self.guard.show(port);
        }
    }
}

fn missing() -> ToolError {
    ToolError::not_configured("BROWSER_PATH to a Chromium, or BROWSER_URL")
}
