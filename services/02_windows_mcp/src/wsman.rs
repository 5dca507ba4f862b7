//! WS-Management as Windows speaks it: a connection that is let in (`wire`), messages in XML
//! (`envelope`, `answer`), and programs run in a shell of the host (`shell`).
//!
//! Source: the open specifications MS-WSMV and DSP0226. Which programs run is not decided here.

mod answer;
mod envelope;
mod shell;
mod tls;
mod wire;

pub(crate) use shell::{Job, run};
pub(crate) use tls::{Trust, TrustError};
pub(crate) use wire::{Endpoint, Method, Proof};

use answer::Fault;
use shared::error::Code;
use shared::remote::ConnectionError;
use shared::tool::ToolError;

/// Why a host was not asked, or what it said instead of an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WsmanError {
    /// No connection, or no answer on it.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// It did not open a shell in time.
    #[error("the host did not answer in time")]
    Silent,
    /// It does not take our credentials.
    #[error("the host refused the user or the password")]
    Refused,
    /// It is no Windows.
    #[error("the host runs {0}, this tool is for Windows")]
    System(String),
    /// Something else than an answer of this protocol.
    #[error("the host answered something else than was expected: {0}")]
    Odd(&'static str),
    /// It refused what was asked.
    #[error("the host refused: {0}")]
    Fault(Fault),
}

impl WsmanError {
    /// The same for the caller. `started`: whether the program may have begun.
    pub(crate) fn told(self, started: bool) -> ToolError {
        tracing::warn!(event = "winrm_failed", error = ?self, started, "a host did not do as asked");
        let message = self.to_string();
        let (code, retryable) = match &self {
            _ if started => (Code::OutcomeUnknown, false),
            Self::Connection(ConnectionError::Certificate(_)) => (Code::PolicyViolation, false),
            Self::Connection(ConnectionError::Unreachable(_) | ConnectionError::Silent)
            | Self::Silent => (Code::ProxyError, true),
            Self::System(_) => (Code::NotSupported, false),
            Self::Connection(ConnectionError::Broken(_) | ConnectionError::Body(_))
            | Self::Refused
            | Self::Odd(_)
            | Self::Fault(_) => (Code::BadGateway, false),
        };
        let error = match started {
            true => ToolError::new(code, message),
            false => ToolError::refused(code, message),
        };
        match retryable {
            true => error.retryable(),
            false => error,
        }
    }
}
