//! A request that calls a server or a tool: what it is made of, what it comes to, and how that is put
//! on the wire.
//!
//! The work and its answer are kept apart, since the answer may be asked for by another request than
//! the one that started the work (`held`).

use super::errors::{self, Told};
use super::exchange::Spoken;
use super::frame;
use super::passed::{self, Passing};
use super::render::{self, About};
use super::reports::Reports;
use super::revision::Revision;
use super::settings::HttpSettings;
use crate::error::CallError;
use crate::gateway::Answer;
use crate::upstream::UpstreamError;
use futures::future::BoxFuture;
use proto::mcp::Id;
use serde_json::value::RawValue;
use shared::id::CorrelationId;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What work gives when it succeeds.
pub(super) enum Yield {
    /// Of a tool.
    Output(Answer),
    /// Of a server, as it wrote it.
    Passed(Box<RawValue>),
}

/// What work comes to.
pub(super) type Outcome = Result<Yield, CallError>;

/// Work that can be done.
pub(super) struct Work {
    /// Does it.
    pub(super) run: BoxFuture<'static, Outcome>,
    /// What it reports and asks on the way.
    pub(super) reports: Reports,
    /// Ends it.
    pub(super) cancelled: CancellationToken,
    /// How its outcome is put.
    pub(super) voice: Voice,
}

/// How an outcome is put for one request.
#[derive(Clone)]
pub(super) struct Voice {
    /// The request's id.
    pub(super) id: Id,
    /// The request's revision.
    pub(super) revision: Revision,
    /// Joins everything the request causes.
    pub(super) correlation_id: CorrelationId,
    /// `req_…`.
    pub(super) request_id: Arc<str>,
    /// For the address of the hub.
    pub(super) settings: Arc<HttpSettings>,
    /// The method's results carry caching hints.
    pub(super) hinted: bool,
}

impl Work {
    /// Does the work and puts what it comes to on the wire.
    #[must_use]
    pub(super) fn spoken(self) -> BoxFuture<'static, Spoken> {
        let (run, voice) = (self.run, self.voice);
        Box::pin(async move { voice.spoken(run.await) })
    }
}

impl Voice {
    /// Puts an outcome on the wire.
    #[must_use]
    pub(super) fn spoken(&self, outcome: Outcome) -> Spoken {
        let cached = matches!(&outcome, Ok(Yield::Output(answer)) if answer.cached);
        let about = About {
            revision: self.revision,
            correlation_id: &self.correlation_id,
            cached,
        };
        match outcome {
            Ok(Yield::Output(answer)) => self.success(&render::output(&answer.output, about)),
            Ok(Yield::Passed(json)) => self.success(&passed::result(&json, self.passing())),
            Err(CallError::Upstream(UpstreamError::InputRequired(asks))) => {
                let passing = Passing {
                    hinted: false,
                    ..self.passing()
                };
                self.success(&passed::result(&asks.json, passing))
            }
            Err(error) => {
                let told = Told {
                    about,
                    request_id: &self.request_id,
                    base: self.settings.public_url.as_str(),
                };
                errors::spoken(&error, &self.id, told)
            }
        }
    }

    /// A response with `result`.
    #[must_use]
    pub(super) fn success(&self, result: &[u8]) -> Spoken {
        Spoken::frame(frame::success(&self.id, result))
    }

    fn passing(&self) -> Passing<'_> {
        Passing {
            revision: self.revision,
            correlation_id: Some(&self.correlation_id),
            hinted: self.hinted,
        }
    }
}
