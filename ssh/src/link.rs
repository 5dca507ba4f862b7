//! One connection: opened to a pinned host key, used, closed.

use crate::hosts::Pinned;
use crate::order::{Order, System};
use russh::client::{self, Handle, Msg};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{
    ChannelMsg, ChannelReadHalf, ChannelStream, ChannelWriteHalf, Disconnect, Preferred, Sig,
};
use shared::error::Code;
use shared::exec::{Captured, Ended, Finished};
use shared::tool::ToolError;
use std::borrow::Cow;
use std::fmt;
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
pub enum LinkError {
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
    /// It has another operating system.
    #[error("the host runs {found}, this tool is for {wanted}")]
    System {
        /// What it says it is.
        found: String,
        /// What it should be.
        wanted: System,
    },
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
            LinkError::System { .. } => Self::refused(Code::NotSupported, message),
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
pub struct Link(Handle<Pins>);

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    /// Opens one and makes sure of the system of the host.
    pub(crate) async fn open(
        pinned: Pinned,
        key: Arc<PrivateKey>,
        system: System,
        patience: Duration,
    ) -> Result<Self, LinkError> {
        let opening = Self::open_now(pinned, key);
        let opened = timeout(CONNECT.min(patience), opening).await;
        let link = opened.unwrap_or(Err(LinkError::Silent))?;
        link.check_system(system).await?;
        Ok(link)
    }

    async fn open_now(pinned: Pinned, key: Arc<PrivateKey>) -> Result<Self, LinkError> {
        let Pinned { target, keys } = pinned;
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
    async fn check_system(&self, wanted: System) -> Result<(), LinkError> {
        let never = std::future::pending::<()>();
        let order = Order::new(["uname", "-s"]).keeping(SYSTEM_OUTPUT);
        let finished = self.run(&order, CONNECT, never).await?;
        let said = finished.stdout.text();
        let found = match said.trim() {
            said if said == wanted.kernel() => return Ok(()),
            "" => "something without uname".into(),
            said => shared::command::shown(said),
        };
        Err(LinkError::System { found, wanted })
    }

    /// Runs a program until it ends, the time is over, or `stop` does.
    ///
    /// # Errors
    /// [`LinkError`]; a program that was stopped is none.
    pub async fn run(
        &self,
        order: &Order,
        patience: Duration,
        stop: impl Future<Output = ()>,
    ) -> Result<Finished, LinkError> {
        let started = Instant::now();
        let channel = self.0.channel_open_session().await?;
        // The shell tells its number and then becomes the program, so that it can be signalled. (The
        // protocol has a message for that, which servers do not take from root.)
        let line = format!("printf '{MARK}%s\\n' \"$$\" >&2; {}", order.line());
        channel.exec(true, line).await?;
        let (mut reader, writer) = channel.split();
        let mut said = Said {
            limit: order.limit(),
            ..Said::default()
        };
        // Both at once: a program that writes before it has read everything would wait for ever.
        let both = async {
            let (ended, ()) = tokio::join!(said.read(&mut reader), feed(&writer, order.stdin()));
            ended
        };
        let ended = tokio::select! {
            ended = both => ended?,
            () = tokio::time::sleep(patience) => Ended::TimedOut,
            () = stop => Ended::Stopped,
        };
        match ended {
            Ended::TimedOut | Ended::Stopped => self.end(&mut said, &mut reader).await,
            Ended::Exited(_) | Ended::Signalled(_) => {
                said.take_process();
            }
        }
        Ok(Finished {
            ended,
            stdout: said.stdout,
            stderr: said.stderr,
            duration: started.elapsed(),
            survivors: 0,
        })
    }

    /// Starts a subsystem of the server, such as `sftp`; its bytes both ways.
    ///
    /// # Errors
    /// [`LinkError::Protocol`] when the connection fails; a server without it closes the stream.
    pub async fn subsystem(&self, name: &str) -> Result<ChannelStream<Msg>, LinkError> {
        let channel = self.0.channel_open_session().await?;
        channel.request_subsystem(true, name).await?;
        Ok(channel.into_stream())
    }

    /// Says goodbye.
    pub async fn close(self) {
        let bye = self.0.disconnect(Disconnect::ByApplication, "", "");
        if let Err(error) = bye.await {
            tracing::debug!(event = "ssh_goodbye", %error, "a connection was already closed");
        }
    }

    /// Ends a command and its process group, first politely.
    async fn end(&self, said: &mut Said, channel: &mut ChannelReadHalf) {
        // It may run already although its number is still on the way.
        let process = timeout(GRACE, said.process(channel)).await.ok().flatten();
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
}

/// Gives a program its input, and the end of it.
async fn feed(writer: &ChannelWriteHalf<Msg>, stdin: &[u8]) {
    let fed = async {
        writer.data(stdin).await?;
        writer.eof().await
    };
    // It may have ended without reading everything.
    if let Err(error) = fed.await {
        tracing::debug!(event = "ssh_input", %error, "a program did not take its input");
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
    async fn read(&mut self, channel: &mut ChannelReadHalf) -> Result<Ended, LinkError> {
        let mut ended = None;
        while let Some(message) = channel.wait().await {
            ended = self.hear(&message)?.or(ended);
        }
        ended.ok_or(LinkError::Cut)
    }

    /// The number the shell told; reads until it did. `None` when the channel is closed before.
    async fn process(&mut self, channel: &mut ChannelReadHalf) -> Option<u32> {
        loop {
            if let Some(process) = self.take_process() {
                return Some(process);
            }
            self.hear(&channel.wait().await?).ok()?;
        }
    }

    /// Takes one message in; how the command ended, if it says so.
    fn hear(&mut self, message: &ChannelMsg) -> Result<Option<Ended>, LinkError> {
        match message {
            ChannelMsg::Data { data } => keep(&mut self.stdout, data, self.limit),
            ChannelMsg::ExtendedData { data, ext: 1 } => keep(&mut self.stderr, data, self.limit),
            ChannelMsg::ExitStatus { exit_status } => {
                let code = i32::try_from(*exit_status).unwrap_or(255);
                return Ok(Some(Ended::Exited(code)));
            }
            ChannelMsg::ExitSignal { signal_name, .. } => {
                return Ok(Some(Ended::Signalled(number(signal_name))));
            }
            ChannelMsg::Failure => return Err(LinkError::Refused),
            _ => {}
        }
        Ok(None)
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
