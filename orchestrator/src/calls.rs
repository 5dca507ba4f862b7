//! Calls of workflow steps to services the hub does not own: HTTP requests and operations of `OpenAPI`
//! documents.
//!
//! Each passes the outbound guard, has a time limit and a bounded answer, and carries the key of its
//! step, so that a server that knows keys does nothing twice. [`Outward`] makes them an upstream, so
//! that the gateway decides, records and protects them like tools. Foreign MCP servers are not called
//! from here, nor are policies of OAuth 2, `OpenID` Connect and digest used: a step that asks for one
//! fails and says so.

mod credentials;
mod http;
mod openapi;
mod outward;
mod web;

pub use outward::{HTTP_TOOL, OPENAPI_TOOL, Outward};
pub use web::{Guarded, Lost, Web, WebRequest, WebResponse};

use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use workflow::core::{Failure, Fault, Invocation, Outcome, Problem, Target};

/// Makes the calls. Cheap to clone.
#[derive(Clone)]
pub struct Calls {
    web: Arc<dyn Web>,
}

/// Why a call gives no output.
#[derive(Debug)]
enum Trouble {
    /// It cannot be made as written.
    Wrong(String),
    /// It did not get there, or no answer came back.
    Lost(Lost),
    /// The answer is an error, by its status.
    Refused(WebResponse),
    /// The answer cannot be used.
    Odd(String),
}

impl Calls {
    /// By way of something that sends requests, [`Guarded`] in the hub.
    #[must_use]
    pub fn new(web: Arc<dyn Web>) -> Self {
        Self { web }
    }

    /// Makes one attempt of a call that is no tool's. `key` is the same when the same attempt is made
    /// again. Dropping the future gives the call up; whether it took place is unknown then.
    pub async fn perform(&self, call: &Invocation, key: &str, timeout: Duration) -> Outcome {
        let made = self.made(&call.target, &call.with, key);
        match tokio::time::timeout(timeout, made).await {
            Ok(Ok(output)) => Outcome::Completed(Arc::new(output)),
            Ok(Err(trouble)) => outcome(trouble),
            Err(_elapsed) => Outcome::Unknown {
                detail: "no answer came in time".to_owned(),
            },
        }
    }

    async fn made(&self, target: &Target, with: &Value, key: &str) -> Result<Value, Trouble> {
        match target {
            Target::Http => self.http(with, key).await,
            Target::OpenApi => self.openapi(with, key).await,
            other => Err(Trouble::Wrong(format!("{other:?} cannot be called"))),
        }
    }
}

fn outcome(trouble: Trouble) -> Outcome {
    let failed = |problem, ran, transient, retry_after| {
        Outcome::Failed(Failure {
            problem,
            ran,
            transient,
            retry_after,
        })
    };
    match trouble {
        Trouble::Wrong(detail) => {
            let problem = Problem::new(Fault::Configuration, "the call cannot be made", detail);
            failed(problem, false, false, None)
        }
        Trouble::Lost(Lost::Unsent { detail, transient }) => {
            let title = "the service could not be reached";
            let problem = Problem::new(Fault::Communication, title, detail);
            failed(problem, false, transient, None)
        }
        Trouble::Lost(Lost::Unanswered(detail)) => Outcome::Unknown { detail },
        Trouble::Refused(response) => {
            let detail = format!("the service answered with status {}", response.status);
            let title = reason(response.status);
            let problem = Problem::new(Fault::Communication, title, detail);
            let transient = matches!(response.status, 408 | 429 | 500..=599);
            let after = response
                .header("retry-after")
                .and_then(|it| it.parse().ok());
            let after = after.map(Duration::from_secs);
            failed(problem.with_status(response.status), true, transient, after)
        }
        Trouble::Odd(detail) => {
            let problem = Problem::new(Fault::Communication, "the answer cannot be used", detail);
            failed(problem, true, false, None)
        }
    }
}

fn reason(status: u16) -> &'static str {
    let status = ::http::StatusCode::from_u16(status).ok();
    status
        .and_then(|status| status.canonical_reason())
        .unwrap_or("an error of the service")
}

/// A text of the call; missing ones are mistakes of the definition that were found when it was read.
fn text<'v>(with: &'v Value, name: &str) -> Result<&'v str, Trouble> {
    let found = with.get(name).and_then(Value::as_str);
    found.ok_or_else(|| Trouble::Wrong(format!("{name} is not a text")))
}

#[cfg(test)]
mod tests;
