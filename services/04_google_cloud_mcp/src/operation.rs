//! Long operations of Compute Engine and Cloud SQL: asked for, then looked at until they are over.

use crate::google::Connection;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use shared::remote::{Operation, Pauses};
use shared::tool::{Call, ToolError};
use url::Url;

/// What is to be done.
pub(crate) struct Work<'a> {
    /// For people, such as `start`.
    pub(crate) action: &'a str,
    /// The name of what is worked on.
    pub(crate) target: &'a str,
    pub(crate) request: RequestBuilder,
    /// Until it is over, or the call's time nearly is.
    pub(crate) wait: bool,
}

/// An operation. Source: discovery documents of compute v1 and sqladmin v1, `Operation`.
#[derive(Deserialize)]
struct Stored {
    name: String,
    status: String,
    #[serde(default)]
    progress: Option<u8>,
    #[serde(default)]
    error: Option<Errors>,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Connection {
    /// Asks for it, and waits for its end when wanted; `look` gives the address of an operation.
    ///
    /// # Errors
    /// When Google does not take it. That it fails later is no error but its state.
    pub(crate) async fn work(
        &self,
        work: Work<'_>,
        look: impl Fn(&str) -> Url,
        call: &Call,
    ) -> Result<Operation, ToolError> {
        let mut operation = Operation::begun(work.action, work.target, self.clock.now());
        let reply = self.ask(work.request).await?;
        self.note(&mut operation, self.read(&reply)?);
        operation.report(call);
        let mut pauses = Pauses::default();
        while work.wait && operation.finished_at.is_none() && pauses.wait(None, call).await {
            let url = look(&operation.operation_id);
            // It goes on, whether or not one look at it works.
            let asked = self.ask(self.request(Method::GET, url)).await;
            if let Ok(reply) = asked {
                self.note(&mut operation, self.read(&reply)?);
            }
            operation.report(call);
        }
        Ok(operation)
    }

    fn note(&self, operation: &mut Operation, stored: Stored) {
        operation.operation_id = stored.name;
        operation.percent = stored.progress.filter(|percent| *percent <= 100);
        let errors = stored.error.map(|it| it.errors).unwrap_or_default();
        let told = errors
            .iter()
            .map(|it| format!("{}: {}", it.code, it.message));
        let told: Vec<String> = told.collect();
        if stored.status == "DONE" {
            let error: Option<String> = (!told.is_empty()).then(|| told.join("; "));
            let error = error.map(|text| text.chars().take(500).collect());
            operation.end(self.clock.now(), error);
        }
    }
}
