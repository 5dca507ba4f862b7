//! Long operations: asked for, then looked at through `Azure-AsyncOperation` or `Location`.
//!
//! Source: Azure REST guidelines, "Track asynchronous Azure operations".

use super::{Arm, Failure};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use shared::remote::{Operation, Pauses, Reply};
use shared::tool::{Call, ToolError};
use url::Url;

/// What is to be done.
pub(crate) struct Work<'a> {
    /// For people, such as `start`.
    pub(crate) action: &'a str,
    /// The name of what is worked on.
    pub(crate) target: &'a str,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<Value>,
    /// Until it is over, or the call's time nearly is.
    pub(crate) wait: bool,
}

/// Where to look at it.
enum Look {
    /// Answers a document with the state.
    State(Url),
    /// Answers 202 until it is over.
    Location(Url),
}

/// The document behind `Azure-AsyncOperation`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    status: String,
    #[serde(default)]
    percent_complete: Option<f64>,
    #[serde(default)]
    error: Option<Failure>,
}

impl Arm {
    /// Asks for it, and waits for its end when wanted.
    ///
    /// # Errors
    /// When Azure does not take it. That it fails later is no error but its state.
    pub(crate) async fn work(&self, work: Work<'_>, call: &Call) -> Result<Operation, ToolError> {
        let mut operation = Operation::begun(work.action, work.target, self.clock.now());
        let reply = self.send(work.method, work.url, work.body.as_ref()).await?;
        let reply = self.success(reply)?;
        operation.operation_id = name_of(&reply);
        let Some(look) = self.look(&reply)? else {
            operation.end(self.clock.now(), None);
            return Ok(operation);
        };
        operation.report(call);
        if work.wait {
            self.follow(&mut operation, look, reply, call).await?;
        }
        Ok(operation)
    }

    /// A link elsewhere is an error only where nobody can say any more what becomes of the work.
    fn look(&self, reply: &Reply) -> Result<Option<Look>, ToolError> {
        if let Some(link) = reply.header("azure-asyncoperation") {
            return Ok(Some(Look::State(self.own(link)?)));
        }
        match (reply.status, reply.header("location")) {
            (StatusCode::ACCEPTED, Some(link)) => Ok(Some(Look::Location(self.own(link)?))),
            _ => Ok(None),
        }
    }

    async fn follow(
        &self,
        operation: &mut Operation,
        look: Look,
        mut last: Reply,
        call: &Call,
    ) -> Result<(), ToolError> {
        let mut pauses = Pauses::default();
        while pauses.wait(last.retry_after(), call).await {
            let (Look::State(url) | Look::Location(url)) = &look;
            let asked = self.send(Method::GET, url.clone(), None).await;
            // It goes on, whether or not one look at it works.
            let Ok(reply) = asked else { continue };
            let troubled = reply.status.is_server_error() || reply.status.as_u16() == 429;
            if !troubled {
                self.note(operation, &look, &reply)?;
            }
            operation.report(call);
            if operation.finished_at.is_some() {
                return Ok(());
            }
            last = reply;
        }
        Ok(())
    }

    fn note(&self, operation: &mut Operation, look: &Look, reply: &Reply) -> Result<(), ToolError> {
        let now = self.clock.now();
        if let Look::Location(_) = look {
            match reply.status {
                StatusCode::ACCEPTED => {}
                status if status.is_success() => operation.end(now, None),
                _ => {
                    let error = self.remote.refused(reply, super::message(reply).as_deref());
                    operation.end(now, Some(error.message));
                }
            }
            return Ok(());
        }
        if !reply.status.is_success() {
            let error = self.remote.refused(reply, super::message(reply).as_deref());
            return Err(error);
        }
        let status: Status = self.remote.read(reply)?;
        operation.percent = status.percent_complete.and_then(percent);
        match status.status.as_str() {
            "Succeeded" => operation.end(now, None),
            "Failed" | "Canceled" | "Cancelled" => {
                let said = status.error.map(|error| error.text());
                operation.end(now, Some(said.unwrap_or(status.status)));
            }
            _ => {}
        }
        Ok(())
    }
}

fn percent(value: f64) -> Option<u8> {
    (0..=100u8).find(|whole| f64::from(*whole) + 1.0 > value)
}

/// The last part of where it is looked at, or the id of the request.
fn name_of(reply: &Reply) -> String {
    let link = ["azure-asyncoperation", "location"];
    let url = link
        .iter()
        .find_map(|name| reply.header(name))
        .and_then(|link| Url::parse(link).ok());
    let last = url
        .as_ref()
        .and_then(|url| url.path_segments()?.next_back());
    let id = last.or_else(|| reply.header("x-ms-request-id"));
    id.unwrap_or_default().chars().take(200).collect()
}
