//! A Chromium of our own: found, started with a profile nobody else sees, ended with all it started.
//!
//! It lives longer than a call, so it is not one of `shared::exec`; like those it has a cleared
//! environment, no standard input and a group of its own, and dies with this process. Nothing but its
//! first words on standard error is read.

use crate::config::{Browser, Sandbox};
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use shared::tasks::Tasks;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use url::Url;

/// Where distributions put it; the first is the program itself, the others may be scripts.
const PLACES: &[&str] = &[
    "/usr/lib/chromium/chromium",
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome-stable",
    "/usr/bin/google-chrome",
];
/// Ends the browser when this process dies, however it dies.
const SETPRIV: &str = "/usr/bin/setpriv";
const GREETING: &str = "DevTools listening on ";
/// Lines of its standard error that are kept to explain a failed start.
const MAX_LINES: usize = 20;
const MAX_LINE: u64 = 4096;

/// No profile of ours, no traffic of the browser's own, and no way around the proxy: the one given
/// here leads nowhere, each context is given its own. Names are not resolved here, and WebRTC stays
/// within the proxy, which carries none.
const SWITCHES: &[&str] = &[
    "--headless=new",
    "--remote-debugging-address=127.0.0.1",
    "--remote-debugging-port=0",
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-component-extensions-with-background-pages",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--disable-client-side-phishing-detection",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-hang-monitor",
    "--disable-notifications",
    "--disable-print-preview",
    "--disable-features=Translate,MediaRouter,OptimizationHints,AutofillServerCommunication,\
     InterestFeedContentSuggestions,CertificateTransparencyComponentUpdater",
    "--hide-scrollbars",
    "--metrics-recording-only",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--password-store=basic",
    "--use-mock-keychain",
];

/// A running browser; ended when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    _profile: TempDir,
    /// Where its `DevTools` listen.
    pub(super) devtools: SocketAddr,
    /// And under which path.
    pub(super) path: String,
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProcessError {
    /// No program.
    #[error("no Chromium is installed")]
    Missing,
    /// It could not be started at all.
    #[error("the browser could not be started")]
    Start(#[from] std::io::Error),
    /// It ended, or said nothing in time; what it said instead is in the log.
    #[error("the browser did not come up")]
    Mute,
}

impl Process {
    /// The program that would be started.
    pub(super) fn program(settings: &Browser) -> Option<PathBuf> {
        match settings.path.is_empty() {
            true => PLACES.iter().map(PathBuf::from).find(|path| path.is_file()),
            false => Some(PathBuf::from(&settings.path)).filter(|path| path.is_file()),
        }
    }

    /// Starts it and waits until it listens. Its profile is a new folder in `data_dir`.
    pub(super) async fn start(
        settings: &Browser,
        is_container: bool,
        data_dir: &Path,
        tasks: &Tasks,
    ) -> Result<Self, ProcessError> {
        let program = Self::program(settings).ok_or(ProcessError::Missing)?;
        let profile = tempfile::Builder::new()
            .prefix("profile-")
            .tempdir_in(data_dir)?;
        let mut command = command(&program);
        command
            .args(SWITCHES)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!(
                "--window-size={},{}",
                settings.width.get(),
                settings.height.get()
            ));
        let alone = match settings.sandbox {
            Sandbox::On => false,
            Sandbox::Off => true,
            Sandbox::Auto => geteuid().is_root() || is_container,
        };
        if alone {
            command.arg("--no-sandbox");
        }
        command
            .arg("about:blank")
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .current_dir(profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let (heard, greeting) = oneshot::channel();
        if let Some(errors) = child.stderr.take() {
            tasks.spawn("browser words", listen(errors, heard));
        }
        let mut process = Self {
            child,
            _profile: profile,
            devtools: SocketAddr::from(([127, 0, 0, 1], 0)),
            path: String::new(),
        };
        let wait = settings.start_seconds.seconds();
        let greeting = greet(greeting, wait).await.ok_or(ProcessError::Mute)?;
        process
            .devtools
            .set_port(greeting.port().ok_or(ProcessError::Mute)?);
        process.path = greeting.path().to_owned();
        tracing::info!(
            event = "browse.started",
            port = process.devtools.port(),
            "a browser runs"
        );
        Ok(process)
    }

    /// Ends it and waits for its end.
    pub(super) async fn end(mut self) {
        self.kill();
        if let Err(error) = self.child.wait().await {
            tracing::warn!(event = "browse.end", %error, "the browser's end was not seen");
        }
    }

    fn kill(&self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw)
            && let Err(error) = kill_process_group(group, Signal::KILL)
        {
            tracing::debug!(event = "browse.end", %error, "the browser's group is gone");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the browser outlives a call; see the module's documentation"
)]
fn command(program: &Path) -> Command {
    if !Path::new(SETPRIV).is_file() {
        return Command::new(program);
    }
    let mut command = Command::new(SETPRIV);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

async fn greet(greeting: oneshot::Receiver<Url>, wait: Duration) -> Option<Url> {
    tokio::time::timeout(wait, greeting).await.ok()?.ok()
}

/// Waits for the greeting, then drains what else is said. Ends with the browser.
async fn listen(errors: impl AsyncRead + Unpin, heard: oneshot::Sender<Url>) {
    let mut lines = VecDeque::new();
    let mut heard = Some(heard);
    let mut reader = BufReader::new(errors);
    loop {
        let mut line = Vec::new();
        match (&mut reader)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .await
        {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        let url = line
            .strip_prefix(GREETING)
            .and_then(|url| Url::parse(url).ok());
        if let Some(url) = url
            && let Some(heard) = heard.take()
        {
            // Who waited may have given up.
            drop(heard.send(url));
        }
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
    if heard.is_some() {
        let said: Vec<String> = lines.into();
        tracing::error!(
            event = "browse.mute",
            said = said.join(" | "),
            "the browser ended"
        );
    }
}
