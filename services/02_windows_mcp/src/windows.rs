//! What all tools share: the hosts that may be reached and the scripts that are run there.
//!
//! A script is fixed text of this build, given to `powershell` encoded; what a call says goes to its
//! input as base64 of JSON and never becomes text of a script.

use crate::config::Config;
use crate::places::Places;
use crate::wsman::{self, Endpoint, Job, Proof, Trust, TrustError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::clock::SharedClock;
use shared::error::Code;
use shared::exec::{Ended, Finished};
use shared::files::Roots;
use shared::files::{FilesError, Rules};
use shared::secret::SecretProvider;
use shared::spoke::{BuildError, BuildInput};
use shared::tasks::Tasks;
use shared::tool::{Call, ToolError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Name of the secret that holds the password.
const PASSWORD: &str = "WINRM_PASSWORD";
/// For what this spoke itself asks a host.
const PATIENCE: Duration = Duration::from_secs(25);
/// Output of a script of this spoke, in bytes.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// What every script begins and ends with.
const FRAME: &str = include_str!("scripts/frame.ps1");

/// A script of this build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script(pub(crate) &'static str);

/// The shared parts; tools hold it behind an `Arc`.
pub(crate) struct Windows {
    pub(crate) config: Config,
    pub(crate) read: Places,
    pub(crate) write: Places,
    /// Sizes and types; its places are not used.
    pub(crate) rules: Rules,
    pub(crate) clock: SharedClock,
    trust: Option<Trust>,
    secrets: Arc<dyn SecretProvider>,
    tasks: Tasks,
}

impl Windows {
    /// # Errors
    /// [`BuildError`] when a setting cannot be used.
    pub(crate) fn build(input: &BuildInput) -> Result<Self, BuildError> {
        let config: Config = input.config()?;
        let trust = match (config.winrm.ca_path.as_str(), config.winrm.hosts.is_empty()) {
            ("", true) => None,
            ("", false) => match Trust::of(None) {
                Err(TrustError::Empty) => None,
                trust => Some(trust.map_err(untrusted)?),
            },
            (path, _) => Some(Trust::of(Some(Path::new(path))).map_err(untrusted)?),
        };
        let none = Roots::new(Vec::<String>::new(), "");
        Ok(Self {
            read: Places::parse(&config.files.read_paths, "ALLOWED_READ_PATHS"),
            write: Places::parse(&config.files.write_paths, "ALLOWED_WRITE_PATHS"),
            rules: Rules {
                read: none.clone(),
                write: none,
                max_bytes: config.files.max_bytes,
                types: config.files.allowed_types.clone(),
            },
            clock: Arc::clone(&input.kit.clock),
            trust,
            secrets: Arc::clone(&input.kit.secrets),
            tasks: input.kit.tasks.clone(),
            config,
        })
    }

    /// The host of a call: the one it names, or the only one there is.
    pub(crate) fn host<'a>(&'a self, host: Option<&'a str>) -> Result<&'a str, ToolError> {
        let hosts = self.config.winrm.hosts.as_slice();
        match (host, hosts) {
            (_, []) => Err(ToolError::not_configured("WINRM_HOSTS")),
            (None, [only]) => Ok(only),
            (None, _) => Err(ToolError::invalid(
                "host",
                "there are several hosts; name one of WINRM_HOSTS",
            )),
            (Some(host), hosts) if hosts.iter().any(|known| known == host) => Ok(host),
            (Some(_), _) => Err(ToolError::refused(
                Code::PolicyViolation,
                "host: the host is not in WINRM_HOSTS",
            )),
        }
    }

    /// Where a call goes, for the person who approves.
    pub(crate) fn place(&self, host: Option<&str>) -> Result<String, ToolError> {
        let host = legible(self.host(host)?);
        Ok(format!("{host} as {}", legible(&self.config.winrm.user)))
    }

    /// Runs a script of this build that answers with JSON of this shape.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        host: Option<&str>,
        script: Script,
        parameters: &Value,
        call: &Call,
    ) -> Result<T, ToolError> {
        self.tell(host, script, (parameters, &[]), call).await
    }

    /// The same with bytes besides the parameters.
    pub(crate) async fn tell<T: DeserializeOwned>(
        &self,
        host: Option<&str>,
        script: Script,
        input: (&Value, &[u8]),
        call: &Call,
    ) -> Result<T, ToolError> {
        let job = job(script, input, MAX_ANSWER);
        let timeout = PATIENCE.min(call.remaining());
        let finished = self.run(self.host(host)?, job, timeout).await?;
        answer(&finished)
    }

    /// Runs a job until it ends or the time is over. Dropping the future stops it in the background.
    pub(crate) async fn run(
        &self,
        host: &str,
        job: Job,
        timeout: Duration,
    ) -> Result<Finished, ToolError> {
        let endpoint = self.endpoint(host)?;
        let given_up = CancellationToken::new();
        let guard = given_up.clone().drop_guard();
        let stopping = self.tasks.token();
        let work = async move {
            let stop = async {
                tokio::select! {
                    () = given_up.cancelled() => {}
                    () = stopping.cancelled() => {}
                }
            };
            wsman::run(&endpoint, &job, timeout, stop).await
        };
        let done = self.tasks.spawn("winrm_job", work).await;
        guard.disarm();
        match done {
            Ok(done) => done.map_err(|(error, started)| error.told(started)),
            Err(error) => {
                tracing::error!(event = "winrm_task_lost", %error, "a job was lost");
                Err(ToolError::new(
                    Code::InternalError,
                    "the connection was lost",
                ))
            }
        }
    }

    /// What is missing before a host can be reached.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        let winrm = &self.config.winrm;
        let password = || matches!(self.secrets.get(PASSWORD), Ok(Some(_)));
        match () {
            () if winrm.hosts.is_empty() => Some("WINRM_HOSTS"),
            () if winrm.user.is_empty() => Some("WINRM_USER"),
            () if self.trust.is_none() => Some("WINRM_CA_PATH"),
            () if !password() => Some("WINRM_PASSWORD_SECRET_PATH"),
            () => None,
        }
    }

    fn endpoint(&self, host: &str) -> Result<Endpoint, ToolError> {
        let missing = ToolError::not_configured;
        if let Some(setting) = self.missing() {
            return Err(missing(setting));
        }
        let password = self.secrets.get(PASSWORD).ok().flatten();
        let winrm = &self.config.winrm;
        Ok(Endpoint {
            host: host.to_owned(),
            port: winrm.port,
            trust: self.trust.clone().ok_or_else(|| missing("WINRM_CA_PATH"))?,
            proof: Arc::new(Proof {
                method: winrm.auth,
                user: winrm.user.clone(),
                password: password.ok_or_else(|| missing("WINRM_PASSWORD_SECRET_PATH"))?,
            }),
            clock: Arc::clone(&self.clock),
            tasks: self.tasks.clone(),
        })
    }
}

/// Text for people, as [`shared::command::shown`] writes it, with backslashes doubled: they stand in
/// every path here, and as numbers nobody could read them.
pub(crate) fn legible(text: &str) -> String {
    shared::command::shown(text).replace("\\u{5c}", "\\\\")
}

/// A job that runs a script of this build.
pub(crate) fn job(script: Script, input: (&Value, &[u8]), limit: usize) -> Job {
    let text = FRAME.replace("#BODY#", script.0.trim_end());
    let encoded: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut stdin = STANDARD.encode(input.0.to_string());
    if !input.1.is_empty() {
        stdin.push('\n');
        STANDARD.encode_string(input.1, &mut stdin);
    }
    stdin.push('\n');
    let words = ["-NoProfile", "-NonInteractive", "-EncodedCommand"].map(str::to_owned);
    Job {
        program: "powershell",
        arguments: words
            .into_iter()
            .chain([STANDARD.encode(encoded)])
            .collect(),
        stdin: stdin.into_bytes(),
        limit,
    }
}

/// The JSON a script answered.
fn answer<T: DeserializeOwned>(finished: &Finished) -> Result<T, ToolError> {
    #[derive(Deserialize)]
    struct Failed {
        error: Failure,
    }
    #[derive(Deserialize)]
    struct Failure {
        kind: String,
        message: String,
    }
    match finished.ended {
        Ended::TimedOut => {
            return Err(ToolError::new(
                Code::Timeout,
                "the host did not end in time",
            ));
        }
        Ended::Stopped => {
            return Err(ToolError::new(
                Code::ServiceUnavailable,
                "the call was stopped",
            ));
        }
        Ended::Exited(_) | Ended::Signalled(_) => {}
    }
    if let Ok(Failed { error }) = serde_json::from_slice(&finished.stdout.bytes) {
        return Err(failure(&error.kind, &error.message));
    }
    serde_json::from_slice(&finished.stdout.bytes).map_err(|error| {
        let said = finished.stderr.text();
        let said = said.lines().next().unwrap_or_default();
        tracing::warn!(event = "winrm_odd_result", %error, said, "a script answered oddly");
        let code = finished.exit_code();
        let message = format!("the script on the host failed with exit code {code}");
        ToolError::new(Code::BadGateway, message)
    })
}

fn failure(kind: &str, message: &str) -> ToolError {
    let files = match kind {
        "ObjectNotFound" => return ToolError::refused(Code::NotFound, legible(message)),
        "PermissionDenied" | "SecurityError" => FilesError::Denied,
        "link" => {
            let message = "path: it goes through a link, which is not followed";
            return ToolError::refused(Code::PolicyViolation, message);
        }
        "kind" => {
            return ToolError::refused(Code::InvalidInput, format!("path: {}", legible(message)));
        }
        "large" => return ToolError::refused(Code::PayloadTooLarge, legible(message)),
        "InvalidArgument" => return ToolError::refused(Code::InvalidInput, legible(message)),
        _ => {
            return ToolError::new(
                Code::BadGateway,
                format!("the host says: {}", legible(message)),
            );
        }
    };
    files.into()
}

fn untrusted(error: TrustError) -> BuildError {
    BuildError::setup("WINRM_CA_PATH", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_stay_legible_and_tricks_visible() {
        assert_eq!(legible("C:\\Logs\u{202e}"), "C:\\\\Logs\\u{202e}");
        assert_eq!(legible("\\u{5c}"), "\\\\u{5c}");
    }

    #[test]
    fn what_a_call_says_is_no_part_of_the_script() {
        let script = Script(include_str!("scripts/run.ps1"));
        let command = "Write-Output '; Remove-Item x #'";
        let one = job(script, (&json!({"script": command}), &[]), 1);
        let other = job(script, (&json!({"script": "y"}), &[1, 2]), 1);
        assert_eq!(one.arguments, other.arguments);
        let text = String::from_utf8(one.stdin).unwrap();
        assert!(
            text.bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"+/=\n".contains(&it))
        );
        // Without `cmd`, a command line may have 32,767 characters; with it 8191.
        assert!(one.arguments.iter().map(String::len).sum::<usize>() < 8000);
    }
}
