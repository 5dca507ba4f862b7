//! One connection: opened to a pinned host key, used for one command, closed.

use super::Target;
use russh::client::{self, Handle, Msg};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Disconnect, Preferred, Sig};
use shared::error::Code;
use shared::exec::{Captured, Ended, Finished};
use shared::tool::ToolError;
use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// From the name of the host to a session.
const CONNECT: Duration = Duration::from_secs(10);
/// Between the polite signal and the other one, and after that.
const GRACE: Duration = Duration::from_secs(2);
const KEEPALIVE: Duration = Duration::from_secs(15);
const SYSTEM_OUTPUT: usize = 4096;
/// Before the number of a process, on standard error.
const MARK: &str = "waygate-process ";

/// Why a host was not reached or a command not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// No connection.
    #[error("the host cannot be reached")]
    Unreachable(#[source] std::io::Error),
    /// It did not answer in time.
    #[error("the host did not answer in time")]
    Silent,
    /// The key it showed is not one of those that are known.
    #[error("the host showed another key than the known one")]
    HostKey,
    /// It does not know our key.
    #[error("the host refused the user or the key")]
    Refused,
    /// It is no Linux.
    #[error("the host runs {0}, this tool is for Linux")]
    System(String),
    /// The protocol failed.
    #[error("the connection failed")]
    Protocol(#[from] russh::Error),
    /// The connection ended before the command did.
    #[error("the connection ended before the command did")]
    Cut,
}

impl From<LinkError> for ToolError {
    fn from(error: LinkError) -> Self {
        tracing::warn!(event = "ssh_failed", error = ?error, "a command was not run on a host");
        let message = error.to_string();
        match error {
            LinkError::Unreachable(_) | LinkError::Silent => {
                Self::refused(Code::ProxyError, message).retryable()
            }
            LinkError::HostKey => Self::refused(Code::PolicyViolation, message),
            LinkError::Refused => Self::refused(Code::BadGateway, message),
            LinkError::System(_) => Self::refused(Code::NotSupported, message),
            LinkError::Protocol(_) => Self::new(Code::BadGateway, message),
            LinkError::Cut => Self::new(Code::OutcomeUnknown, message),
        }
    }
}

/// Takes the keys it was given, and no certificate.
struct Pins(Vec<PublicKey>);

impl client::Handler for Pins {
    type Error = LinkError;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, LinkError> {
        let known = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.0.iter().any(|pin| pin.key_data() == key.key_data())
            }
            PublicKeyOrCertificate::Certificate(_) => false,
        };
        if known {
            Ok(true)
        } else {
            Err(LinkError::HostKey)
        }
    }
}

/// An authenticated connection.
pub(super) struct Link(Handle<Pins>);

impl Link {
    pub(super) async fn open(
        target: &Target,
        keys: Vec<PublicKey>,
        key: Arc<PrivateKey>,
        patience: Duration,
    ) -> Result<Self, LinkError> {
        let opening = Self::open_now(target, keys, key);
        let opened = timeout(CONNECT.min(patience), opening).await;
        opened.unwrap_or(Err(LinkError::Silent))
    }

    async fn open_now(
        target: &Target,
        keys: Vec<PublicKey>,
        key: Arc<PrivateKey>,
    ) -> Result<Self, LinkError> {
        // Only kinds of keys that are known, so that the host shows one of them.
        let kinds: Vec<_> = keys.iter().map(PublicKey::algorithm).collect();
        let config = client::Config {
            preferred: Preferred {
                key: Cow::Owned(kinds),
                ..Preferred::default()
            },
            keepalive_interval: Some(KEEPALIVE),
            keepalive_max: 2,
            ..client::Config::default()
        };
        // One look-up; the connection goes to what it found.
        let stream = TcpStream::connect((target.host.as_str(), target.port))
            .await
            .map_err(LinkError::Unreachable)?;
        let mut handle = client::connect_stream(Arc::new(config), stream, Pins(keys)).await?;
        let proof = PrivateKeyWithHashAlg::new(key, None);
        let result = handle.authenticate_publickey(&target.user, proof).await?;
        if result.success() {
            Ok(Self(handle))
        } else {
            Err(LinkError::Refused)
        }
    }

    /// Asks the host what it is.
    pub(super) async fn check_linux(&self) -> Result<(), LinkError> {
        let never = std::future::pending::<()>();
        let finished = self
            .run("'uname' '-s'", CONNECT, SYSTEM_OUTPUT, never)
            .await?;
        let system = finished.stdout.text();
        match system.trim() {
            "Linux" => Ok(()),
            "" => Err(LinkError::System("something without uname".into())),
            other => Err(LinkError::System(shared::command::shown(other))),
        }
    }

    /// Runs a line until it ends, the time is over, or `stop` does.
    pub(super) async fn run(
        &self,
        line: &str,
        patience: Duration,
        limit: usize,
        stop: impl Future<Output = ()>,
    ) -> Result<Finished, LinkError> {
        let started = Instant::now();
        let mut channel = self.0.channel_open_session().await?;
        // The shell tells its number and then becomes the program, so that it can be signalled. (The
        // protocol has a message for that, which servers do not take from root.)
        let line = format!("printf '{MARK}%s\\n' \"$$\" >&2; exec {line}");
        channel.exec(true, line).await?;
        let mut said = Said {
            limit,
            ..Said::default()
        };
        let ended = tokio::select! {
            ended = said.read(&mut channel) => ended?,
            () = tokio::time::sleep(patience) => Ended::TimedOut,
            () = stop => Ended::Stopped,
        };
        let process = said.take_process();
        if matches!(ended, Ended::TimedOut | Ended::Stopped) {
            self.end(process, &mut said, &mut channel).await;
        }
        Ok(Finished {
            ended,
            stdout: said.stdout,
            stderr: said.stderr,
            duration: started.elapsed(),
            survivors: 0,
        })
    }

    /// Ends a command and its process group, first politely.
    async fn end(&self, process: Option<u32>, said: &mut Said, channel: &mut Channel<Msg>) {
        for signal in ["TERM", "KILL"] {
            let Some(process) = process else { break };
            // What it still writes is read meanwhile: a full channel would hold the others up.
            let both = async { tokio::join!(self.signal(signal, process), said.read(channel)).1 };
            if timeout(GRACE, both).await.is_ok() {
                return;
            }
        }
        tracing::warn!(
            event = "ssh_stubborn",
            "a command on another host did not end"
        );
    }

    async fn signal(&self, signal: &str, process: u32) {
        let sent = async {
            let mut channel = self.0.channel_open_session().await?;
            channel
                .exec(true, format!("kill -{signal} -- -{process}"))
                .await?;
            while channel.wait().await.is_some() {}
            Ok::<_, russh::Error>(())
        };
        if let Err(error) = sent.await {
            tracing::debug!(event = "ssh_signal", %error, "a command could not be signalled");
        }
    }

    pub(super) async fn close(self) {
        let bye = self.0.disconnect(Disconnect::ByApplication, "", "");
        if let Err(error) = bye.await {
            tracing::debug!(event = "ssh_goodbye", %error, "a connection was already closed");
        }
    }
}

/// What the command said so far.
#[derive(Default)]
struct Said {
    limit: usize,
    stdout: Captured,
    stderr: Captured,
}

impl Said {
    /// Reads until the channel is closed.
    async fn read(&mut self, channel: &mut Channel<Msg>) -> Result<Ended, LinkError> {
        let mut ended = None;
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => keep(&mut self.stdout, &data, self.limit),
                ChannelMsg::ExtendedData { data, ext: 1 } => {
                    keep(&mut self.stderr, &data, self.limit);
                }
                ChannelMsg::ExitStatus { exit_status } => {
                    ended = Some(Ended::Exited(i32::try_from(exit_status).unwrap_or(255)));
                }
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    ended = Some(Ended::Signalled(number(&signal_name)));
                }
                ChannelMsg::Failure => return Err(LinkError::Refused),
                _ => {}
            }
        }
        ended.ok_or(LinkError::Cut)
    }

    /// The number the shell told, taken out of the output; `None` when it did not come that far.
    fn take_process(&mut self) -> Option<u32> {
        let bytes = &self.stderr.bytes;
        let start = bytes
            .windows(MARK.len())
            .position(|part| part == MARK.as_bytes())?;
        let digits = start.checked_add(MARK.len())?;
        let rest = bytes.get(digits..)?;
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        let process = std::str::from_utf8(rest.get(..length)?)
            .ok()?
            .parse()
            .ok()?;
        let end = digits.checked_add(length)?.checked_add(1)?;
        let told = self.stderr.bytes.drain(start..end).len();
        let told = u64::try_from(told).unwrap_or_default();
        self.stderr.total = self.stderr.total.saturating_sub(told);
        Some(process)
    }
}

fn keep(stream: &mut Captured, data: &[u8], limit: usize) {
    stream.total = stream
        .total
        .saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
    let room = limit.saturating_sub(stream.bytes.len()).min(data.len());
    stream
        .bytes
        .extend_from_slice(data.get(..room).unwrap_or_default());
}

/// The number of a signal on Linux; 0 for one without a common number.
const fn number(signal: &Sig) -> i32 {
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(_) => 0,
    }
}
