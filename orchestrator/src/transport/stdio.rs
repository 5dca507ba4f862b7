//! MCP on a byte stream: one message a line.
//!
//! The principal is given; there are no credentials and no headers here. At the end of the input the
//! requests in flight are still answered.

mod lines;

use super::Hub;
use super::fault::Fault;
use super::talk::Talk;
use crate::auth::Principal;
use crate::caller::Caller;
use lines::{Line, Lines};
use shared::id::CorrelationId;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// Frames that wait for a slow reader.
const QUEUE: usize = 256;

/// Serves one client until its input ends, or the hub stops.
pub async fn serve<R, W>(hub: Hub, principal: Arc<Principal>, input: R, output: W)
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (out, frames) = mpsc::channel(QUEUE);
    let writer = hub
        .gateway
        .tasks
        .spawn("stdio writer", lines::write_all(frames, output));
    let caller = caller(principal);
    let scope = hub.everything(&caller);
    let mut talk = Talk::new(&hub, caller, scope, out);
    let mut lines = Lines::new(input, hub.settings.body_bytes);
    let stop = hub.gateway.tasks.token();
    loop {
        let line = tokio::select! {
            () = stop.cancelled() => break,
            line = lines.next() => line,
            () = talk.reap() => continue,
        };
        match line {
            Line::Text(line) => talk.message(&line).await,
            Line::TooLong => talk.refuse(&Fault::parse("the message is too large")).await,
            Line::End => break,
        }
    }
    talk.finish().await;
    if writer.await.is_err() {
        tracing::warn!(event = "stdio_writer", "the writer of a client ended badly");
    }
}

fn caller(principal: Arc<Principal>) -> Caller {
    Caller {
        principal,
        correlation_id: CorrelationId::fresh(),
        request_id: "req_stdio".into(),
        traceparent: None,
        address: None,
        door: "stdio",
        depth: 0,
        http: None,
    }
}
