//! `os.linux.cli.rebootSystem`: a reboot of this host or another, when it is ready for one.

mod readiness;

use crate::host::Host;
use async_trait::async_trait;
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::command::shown;
use shared::error::Code;
use shared::exec::{Finished, Run};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use ssh::{Order, Pinned};
use std::sync::Arc;
use std::time::Duration;

const SSH_PORT: u16 = 22;
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_DELAY: i64 = 86_400;
const MAX_REASON: usize = 200;

/// The tool.
pub(crate) struct RebootSystem(pub(crate) Arc<Host>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// A host in `SSH_HOSTS`; without it this host.
    target_host: Option<String>,
    /// Seconds from now, 0 to 86400; anything but 0 is rounded up to whole minutes, in which a person
    /// can still stop it with `shutdown -c`.
    #[serde(default = "default_delay")]
    #[schemars(range(min = 0, max = 86400))]
    delay_seconds: i64,
    /// Shown to the users who are logged in.
    reason: Option<String>,
}

const fn default_delay() -> i64 {
    60
}

/// A reboot that will happen.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Scheduled {
    message: String,
    /// RFC 3339, UTC.
    scheduled_at: String,
    /// Of the running system; another one after the reboot.
    boot_id: String,
}

#[async_trait]
impl TypedTool for RebootSystem {
    type Arguments = Arguments;
    type Output = Scheduled;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.cli.rebootSystem",
            Effect::Critical,
            "Reboot this Linux host, or a host in SSH_HOSTS. Needs a person's approval and a host that \
             is ready: systemd runs well, no package manager works, no other change is in progress, \
             and it has been up for more than ten minutes.",
        )
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        let place = self.place(arguments)?;
        let delay = delay(arguments)?;
        let mut summary = format!("Reboot {} in {} s.", shown(&place.name()), delay.as_secs());
        if let Some(reason) = &arguments.reason {
            summary.push_str("\nReason: ");
            summary.push_str(&shown(reason));
        }
        let mut assessment = Assessment::of(Effect::Critical, summary);
        assessment.checks = readiness::checks(&place).await;
        Ok(assessment)
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Scheduled, ToolError> {
        let place = self.place(&arguments)?;
        let delay = delay(&arguments)?;
        let checks = readiness::checks(&place).await;
        if let Some(failed) = checks.iter().find(|check| !check.ok) {
            let message = format!("the host is not ready: {} ({})", failed.name, failed.detail);
            return Err(ToolError::refused(Code::NotReady, message));
        }
        let boot_id = place.read("/proc/sys/kernel/random/boot_id").await?;
        let _change = self.0.changes.begin();
        let now = self.0.clock.now();
        let mut words = vec!["systemctl".to_owned(), "reboot".to_owned()];
        if !delay.is_zero() {
            let minutes = format!("+{}", delay.as_secs() / 60);
            words = ["shutdown", "-r", "--", &minutes]
                .map(str::to_owned)
                .to_vec();
            words.extend(arguments.reason.as_deref().map(shown));
        }
        let finished = place.run(words).await?;
        if !finished.succeeded() {
            let said = shown(finished.stderr.text().lines().next().unwrap_or_default());
            let message = format!("the host refused to reboot: {said}");
            return Err(ToolError::new(Code::BadGateway, message));
        }
        Ok(Scheduled {
            message: format!("{} will reboot", place.name()),
            scheduled_at: now.checked_add(delay).unwrap_or(now).to_string(),
            boot_id: boot_id.trim().to_owned(),
        })
    }
}

impl RebootSystem {
    fn place(&self, arguments: &Arguments) -> Result<Place<'_>, ToolError> {
        let host = self.0.as_ref();
        Ok(match &arguments.target_host {
            None => {
                host.check_system()?;
                Place::Here(host)
            }
            Some(name) => Place::There(host, host.ssh.pin(name, SSH_PORT, None)?),
        })
    }
}

/// Until the reboot: nothing, or whole minutes.
fn delay(arguments: &Arguments) -> Result<SignedDuration, ToolError> {
    if arguments
        .reason
        .as_ref()
        .is_some_and(|reason| reason.len() > MAX_REASON)
    {
        return Err(ToolError::invalid("reason", "at most 200 bytes"));
    }
    let seconds = arguments.delay_seconds;
    if !(0..=MAX_DELAY).contains(&seconds) {
        return Err(ToolError::invalid("delay_seconds", "0 to 86400"));
    }
    let minutes = seconds.saturating_add(59) / 60;
    Ok(SignedDuration::from_secs(minutes.saturating_mul(60)))
}

/// The host to reboot.
enum Place<'a> {
    Here(&'a Host),
    There(&'a Host, Pinned),
}

impl Place<'_> {
    const fn host(&self) -> &Host {
        match self {
            Self::Here(host) | Self::There(host, _) => host,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Here(host) => host.name(),
            Self::There(_, pinned) => pinned.target.host.clone(),
        }
    }

    async fn run(&self, words: Vec<String>) -> Result<Finished, ToolError> {
        match self {
            Self::There(host, pinned) => {
                let order = Order::new(words);
                host.ssh.run(pinned.clone(), order, PATIENCE).await
            }
            Self::Here(host) => {
                let mut words = words.into_iter();
                let program = words.next().unwrap_or_default();
                host.run(Run::new(program, words).timeout(PATIENCE)).await
            }
        }
    }

    /// A small file of the kernel.
    async fn read(&self, path: &str) -> Result<String, ToolError> {
        let finished = self.run(vec!["cat".to_owned(), path.to_owned()]).await?;
        if finished.succeeded() {
            return Ok(finished.stdout.text());
        }
        Err(ToolError::new(
            Code::BadGateway,
            "the host does not tell its state",
        ))
    }
}
