//! One tab of the browser: its session, and what its events say.

use super::progress::Progress;
use super::wire::{ANSWER, Wire, WireError, field, taken, text};
use crate::browser::{Milestone, lost, odd};
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::ToolError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Longest run of a script of ours, in milliseconds.
const SCRIPT_MS: u64 = 10_000;

/// The browser's words for a moment between two pages, in which it does nothing it is told, how long
/// such a moment may be, and how often it is looked whether it is over.
const BETWEEN: &str = "Not attached to an active page";
const SWAP: Duration = Duration::from_millis(50);
const SWAPS: usize = 60;

/// An open tab; nobody listens to it any more when dropped.
#[derive(Debug)]
pub(super) struct Tab {
    wire: Wire,
    session: String,
    pub(super) target: String,
    progress: watch::Sender<Progress>,
}

impl Tab {
    /// Listens to the tab `target`. Its main frame has the same id.
    pub(super) async fn attach(wire: &Wire, target: &str) -> Result<Self, WireError> {
        let parameters = json!({"targetId": target, "flatten": true});
        let attached = wire.call(None, "Target.attachToTarget", parameters).await?;
        let session = text(attached.get("sessionId"));
        let (progress, _) = watch::channel(Progress::of(target));
        let tab = Self {
            wire: wire.clone(),
            session: session.clone(),
            target: target.to_owned(),
            progress: progress.clone(),
        };
        let dialogs = wire.clone();
        let own = session.clone();
        let listener = move |method: &str, event: &Value| {
            if method == "Page.javascriptDialogOpening" {
                // Nobody looks at it; only leaving a page is agreed to.
                let accept = *field(event, "/type") == "beforeunload";
                let answer = json!({"accept": accept});
                dialogs.tell(Some(&own), "Page.handleJavaScriptDialog", answer);
            }
            progress.send_if_modified(|progress| progress.apply(method, event));
        };
        wire.listen(&session, Arc::new(listener));
        for (method, parameters) in [
            ("Page.enable", json!({})),
            ("Page.setLifecycleEventsEnabled", json!({"enabled": true})),
            ("Network.enable", json!({})),
            ("Inspector.enable", json!({})),
            (
                "Page.setInterceptFileChooserDialog",
                json!({"enabled": true}),
            ),
        ] {
            wire.call(Some(&session), method, parameters).await?;
        }
        Ok(tab)
    }

    /// A command to the tab.
    pub(super) async fn call(
        &self,
        method: &'static str,
        parameters: Value,
    ) -> Result<Value, ToolError> {
        self.call_within(method, parameters, ANSWER).await
    }

    /// A command to the tab that may take long.
    pub(super) async fn call_within(
        &self,
        method: &'static str,
        parameters: Value,
        wait: Duration,
    ) -> Result<Value, ToolError> {
        let session = Some(self.session.as_str());
        for _ in 0..SWAPS {
            let again = parameters.clone();
            match self.wire.call_within(session, method, again, wait).await {
                Err(WireError::Refused { message, .. }) if message.starts_with(BETWEEN) => {
                    tokio::time::sleep(SWAP).await;
                }
                result => return self.judge(result),
            }
        }
        Err(odd("settle on a page"))
    }

    /// A command nobody waits for.
    pub(super) fn tell(&self, method: &'static str, parameters: Value) {
        self.wire.tell(Some(&self.session), method, parameters);
    }

    /// Runs a script apart from the page's own.
    pub(super) async fn evaluate(
        &self,
        function: &str,
        argument: &Value,
    ) -> Result<Value, ToolError> {
        let world = json!({"frameId": self.target, "worldName": "waygate"});
        let world = self.call("Page.createIsolatedWorld", world).await?;
        let expression = format!("({function})({argument})");
        let parameters = json!({
            "expression": expression,
            "contextId": field(&world, "/executionContextId"),
            "returnByValue": true,
            "timeout": SCRIPT_MS,
        });
        let mut answer = self.call("Runtime.evaluate", parameters).await?;
        if let Some(failure) = answer.get("exceptionDetails") {
            let said = text(failure.pointer("/exception/className"));
            tracing::warn!(
                event = "browse.script",
                said,
                "a script of ours failed in a page"
            );
            return Err(odd("look into the page"));
        }
        Ok(taken(&mut answer, "/result/value"))
    }

    /// What is known now.
    pub(super) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits until the document `loader` is as far as `wanted`.
    pub(super) async fn reached(&self, loader: &str, wanted: Milestone) -> Result<(), ToolError> {
        self.until(|progress| progress.has_reached(loader, wanted))
            .await
    }

    /// Waits until nothing is loaded any more.
    pub(super) async fn settled(&self) -> Result<(), ToolError> {
        self.until(Progress::is_settled).await
    }

    /// Waits until another navigation begins than the first `begun`.
    pub(super) async fn begins(&self, begun: u64) -> Result<(), ToolError> {
        self.until(|progress| progress.begun > begun).await
    }

    /// Whether it still answers.
    pub(super) fn is_alive(&self) -> bool {
        self.wire.is_open() && !self.progress.borrow().is_gone
    }

    async fn until(&self, done: impl Fn(&Progress) -> bool) -> Result<(), ToolError> {
        let mut changes = self.progress.subscribe();
        let reached = changes
            .wait_for(|progress| progress.is_gone || done(progress))
            .await;
        match reached {
            Ok(progress) if !progress.is_gone => Ok(()),
            _ => Err(lost()),
        }
    }

    fn judge(&self, result: Result<Value, WireError>) -> Result<Value, ToolError> {
        let error = match result {
            Ok(result) => return Ok(result),
            Err(error) => error,
        };
        tracing::warn!(event = "browse.command", %error, "a command to the browser failed");
        match &error {
            WireError::Refused { message, .. } if message.starts_with("Session with given id") => {
                self.give_up();
            }
            WireError::Silent(_) => self.give_up(),
            _ => {}
        }
        Err(said(&error))
    }

    /// A tab that hangs is not used again.
    fn give_up(&self) {
        self.progress
            .send_modify(|progress| progress.is_gone = true);
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.wire.deafen(&self.session);
    }
}

/// The failure of a command in the terms of a tool.
pub(super) fn said(error: &WireError) -> ToolError {
    match error {
        WireError::Closed | WireError::Connect(_) | WireError::Handshake(_) => lost(),
        WireError::Silent(_) => {
            ToolError::new(Code::Timeout, "the browser did not answer in time").retryable()
        }
        WireError::Refused { .. } => odd("do what was asked"),
    }
}
