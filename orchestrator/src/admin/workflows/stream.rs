//! The lifecycle events of one run as a stream: what has happened, then what happens, until the run ends.
//!
//! Ids are line numbers of the history, so a reader that comes back with the last one it saw misses
//! nothing.

use super::{refused, workflows};
use crate::caller::Caller;
use crate::transport::Hub;
use crate::transport::refusal::Refusal;
use crate::transport::sse;
use crate::workflow::{HistoryEntry, Listener, Reader, Workflows, cloud_event};
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a reader looks for itself: another hub may move the run on.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn events(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let workflows = Arc::clone(workflows(&hub)?);
    workflows
        .run(&caller.principal, &id)
        .await
        .map_err(refused)?;
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let stream = Events {
        changes: workflows.changes(&id),
        reader: Reader {
            principal: Arc::clone(&caller.principal),
            after: last.unwrap_or_default(),
        },
        stop: hub.gateway.tasks.token(),
        hub,
        workflows,
        id,
        over: false,
        silent: Duration::ZERO,
    };
    Ok(sse::answer(futures::stream::unfold(stream, Events::step)))
}

struct Events {
    hub: Hub,
    workflows: Arc<Workflows>,
    changes: Listener,
    reader: Reader,
    id: String,
    stop: CancellationToken,
    over: bool,
    silent: Duration,
}

impl Events {
    /// The next events; `None` at the end.
    async fn step(mut self) -> Option<(Bytes, Self)> {
        loop {
            if self.over || self.stop.is_cancelled() {
                return None;
            }
            if !self.hub.gateway.auth.still_valid(&self.reader.principal) {
                return None;
            }
            let row = self
                .workflows
                .run(&self.reader.principal, &self.id)
                .await
                .ok()?;
            let lines = self.workflows.history(&self.reader, &self.id).await.ok()?;
            if let Some(last) = lines.last() {
                self.reader.after = last.seq;
                self.silent = Duration::ZERO;
                return Some((self.frames(&lines), self));
            }
            if row.finished() {
                self.over = true;
                continue;
            }
            self.rest().await;
            if self.silent >= sse::KEEP_ALIVE {
                self.silent = Duration::ZERO;
                return Some((sse::COMMENT, self));
            }
        }
    }

    fn frames(&self, lines: &[HistoryEntry]) -> Bytes {
        let mut frames = BytesMut::new();
        for line in lines {
            let event = cloud_event(&self.id, line).to_string();
            frames.extend_from_slice(&sse::event(Some(line.seq), event.as_bytes()));
        }
        frames.freeze()
    }

    /// Until the run goes on, or may have.
    async fn rest(&mut self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => self.silent += LOOK_EVERY,
            () = self.changes.changed() => {}
        }
    }
}
