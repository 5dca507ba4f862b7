//! How messages travel to one server: the seam between the protocol and stdio, Streamable HTTP and
//! HTTP with SSE.

use crate::upstream::UpstreamError;
use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

/// Carries messages. What comes back goes to the inbox the carrier was made with.
#[async_trait]
pub(super) trait Carrier: Send + Sync {
    /// Sends one message. Ends when it is on its way, or, where the answer comes on the same stream,
    /// when that stream ends.
    ///
    /// # Errors
    /// [`UpstreamError`]; the request is not answered then.
    async fn send(&self, frame: Frame) -> Result<(), UpstreamError>;

    /// Which revision was agreed on, for carriers that say it with every message.
    fn agreed(&self, version: &str);

    /// Whether the answer has come when [`Carrier::send`] ends.
    fn answers_at_once(&self) -> bool {
        false
    }

    /// Whether dropping [`Carrier::send`] tells the server that a request is cancelled.
    fn drop_cancels(&self) -> bool;

    /// Where requests of the server arrive without a request of ours, so that it can be listened to.
    async fn listen(&self);

    /// Fires once the server can be listened to, or it turned out that it cannot; `None` where that is
    /// always so.
    fn listening(&self) -> Option<CancellationToken> {
        None
    }

    /// Ends the connection in the server's manner.
    async fn close(&self);
}

/// One message with what its headers repeat.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) json: Bytes,
    /// The method; `None` for responses.
    pub(super) method: Option<&'static str>,
    /// The tool, prompt or resource of the request.
    pub(super) name: Option<String>,
    /// Arguments that are repeated in headers (2026-07-28).
    pub(super) params: Vec<(String, String)>,
    /// The request; `None` for notifications and responses.
    pub(super) id: Option<u64>,
}
