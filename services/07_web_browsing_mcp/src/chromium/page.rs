//! A page of a Chromium: one browser context with one tab.

use super::progress::{ByGuard, Progress};
use super::tab::Tab;
use super::wire::{Wire, field, taken, text};
use crate::browser::{Arrival, Page, Place, Point, Shot, Step, Visit, odd};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::ToolError;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How soon after a click a navigation has to begin to be waited for.
const REACTION: Duration = Duration::from_millis(250);
/// Longest wait for a page that follows a click or a step.
const FOLLOW: Duration = Duration::from_secs(10);
/// Windows a click may have opened that are looked at.
const MAX_WINDOWS: usize = 50;

/// One context of the browser and the tab in it.
pub(super) struct ChromiumPage {
    wire: Wire,
    context: String,
    /// Another one after a click that opened a window.
    tab: Mutex<Arc<Tab>>,
}

impl ChromiumPage {
    /// The page of a context that has this tab.
    pub(super) fn new(wire: Wire, context: String, tab: Tab) -> Self {
        Self {
            wire,
            context,
            tab: Mutex::new(Arc::new(tab)),
        }
    }

    fn tab(&self) -> Arc<Tab> {
        Arc::clone(&self.tab.lock())
    }

    async fn load(&self, tab: &Tab, url: &Url, visit: Visit) -> Result<Arrival, ToolError> {
        let parameters = json!({"url": url.as_str()});
        let answer = tab
            .call_within("Page.navigate", parameters, visit.timeout)
            .await?;
        if *field(&answer, "/isDownload") == true {
            return Ok(Arrival::Download);
        }
        let loader = text(answer.get("loaderId"));
        let failure = text(answer.get("errorText"));
        if loader.is_empty() {
            // The same document: only the fragment is another.
            return Ok(Arrival::Arrived(0));
        }
        if failure.is_empty() {
            tab.reached(&loader, visit.until).await?;
        }
        Ok(arrival(&tab.progress(), &loader, failure))
    }

    async fn history(&self, tab: &Tab) -> Result<(Value, Option<usize>), ToolError> {
        let mut answer = tab.call("Page.getNavigationHistory", json!({})).await?;
        let current = field(&answer, "/currentIndex").as_u64();
        let current = current.and_then(|index| usize::try_from(index).ok());
        Ok((taken(&mut answer, "/entries"), current))
    }

    /// Waits for the page that follows an action, if one follows.
    async fn follow(&self, tab: &Tab, begun: u64) -> Result<(), ToolError> {
        match tokio::time::timeout(REACTION, tab.begins(begun)).await {
            Err(_nothing_follows) => Ok(()),
            Ok(begins) => {
                begins?;
                // What has not come by now is not waited for.
                tokio::time::timeout(FOLLOW, tab.settled())
                    .await
                    .unwrap_or(Ok(()))
            }
        }
    }

    /// A window that was opened takes the place of the tab that opened it; there is always one.
    async fn adopt(&self) -> Result<(), ToolError> {
        let old = self.tab();
        let answer = self.wire.call(None, "Target.getTargets", json!({})).await;
        let answer = answer.map_err(|error| super::tab::said(&error))?;
        let targets = field(&answer, "/targetInfos")
            .as_array()
            .into_iter()
            .flatten();
        let mut opened = targets
            .filter(|it| {
                *field(it, "/type") == "page"
                    && *field(it, "/browserContextId") == self.context.as_str()
            })
            .map(|it| text(it.get("targetId")))
            .filter(|target| *target != old.target)
            .take(MAX_WINDOWS);
        let Some(first) = opened.next() else {
            return Ok(());
        };
        let tab = Tab::attach(&self.wire, &first).await;
        let tab = Arc::new(tab.map_err(|error| super::tab::said(&error))?);
        *self.tab.lock() = Arc::clone(&tab);
        for target in opened.chain([old.target.clone()]) {
            self.wire
                .tell(None, "Target.closeTarget", json!({"targetId": target}));
        }
        tokio::time::timeout(FOLLOW, tab.settled())
            .await
            .unwrap_or(Ok(()))
    }
}

#[async_trait]
impl Page for ChromiumPage {
    async fn navigate(&self, url: &Url, visit: Visit) -> Result<Arrival, ToolError> {
        let tab = self.tab();
        let loaded = tokio::time::timeout(visit.timeout, self.load(&tab, url, visit)).await;
        loaded.unwrap_or_else(|_elapsed| {
            tab.tell("Page.stopLoading", json!({}));
            let message = "the page did not load in time; what has come can be read";
            Err(ToolError::new(Code::Timeout, message).retryable())
        })
    }

    async fn place(&self) -> Result<Place, ToolError> {
        let (entries, current) = self.history(&self.tab()).await?;
        let entry = current.and_then(|index| entries.get(index));
        let part = |name: &str| text(entry.and_then(|entry| entry.get(name)));
        Ok(Place {
            url: part("url"),
            title: part("title"),
        })
    }

    async fn step(&self, step: Step) -> Result<bool, ToolError> {
        let tab = self.tab();
        let (entries, current) = self.history(&tab).await?;
        let wanted = current.and_then(|index| match step {
            Step::Back => index.checked_sub(1),
            Step::Forward => index.checked_add(1),
        });
        let Some(entry) = wanted.and_then(|index| entries.get(index)) else {
            return Ok(false);
        };
        // The empty page every context begins with is not one the caller saw.
        if step == Step::Back && *field(entry, "/url") == "about:blank" {
            return Ok(false);
        }
        let begun = tab.progress().begun;
        let parameters = json!({"entryId": field(entry, "/id")});
        tab.call("Page.navigateToHistoryEntry", parameters).await?;
        self.follow(&tab, begun).await?;
        Ok(true)
    }

    async fn evaluate(&self, function: &str, argument: Value) -> Result<Value, ToolError> {
        self.tab().evaluate(function, &argument).await
    }

    async fn picture(&self, shot: &Shot) -> Result<Bytes, ToolError> {
        let area = shot.area;
        let clip = json!({
            "x": area.x, "y": area.y, "width": area.width, "height": area.height,
            "scale": shot.scale,
        });
        let parameters = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let answer = self
            .tab()
            .call("Page.captureScreenshot", parameters)
            .await?;
        match STANDARD.decode(text(answer.get("data"))) {
            Ok(picture) => Ok(picture.into()),
            Err(_) => Err(odd("take a picture")),
        }
    }

    async fn click(&self, _: &str, at: Point) -> Result<(), ToolError> {
        let tab = self.tab();
        let begun = tab.progress().begun;
        for (kind, buttons) in [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let parameters = json!({
                "type": kind, "x": at.x, "y": at.y, "button": button, "buttons": buttons,
                "clickCount": i32::from(kind != "mouseMoved"),
            });
            tab.call("Input.dispatchMouseEvent", parameters).await?;
        }
        self.follow(&tab, begun).await?;
        self.adopt().await
    }

    async fn enter(&self, _: &str, content: &str) -> Result<(), ToolError> {
        let tab = self.tab();
        if !content.is_empty() {
            tab.call("Input.insertText", json!({"text": content}))
                .await?;
            return Ok(());
        }
        for kind in ["rawKeyDown", "keyUp"] {
            let parameters = json!({
                "type": kind, "key": "Delete", "code": "Delete", "windowsVirtualKeyCode": 46,
            });
            tab.call("Input.dispatchKeyEvent", parameters).await?;
        }
        Ok(())
    }

    fn is_alive(&self) -> bool {
        self.tab().is_alive()
    }

    async fn close(&self) {
        let parameters = json!({"browserContextId": self.context});
        let disposed = self
            .wire
            .call(None, "Target.disposeBrowserContext", parameters)
            .await;
        if let Err(error) = disposed {
            tracing::debug!(event = "browse.close", %error, "a context was gone already");
        }
    }
}

fn arrival(progress: &Progress, loader: &str, failure: String) -> Arrival {
    let response = progress.response_to(loader);
    match response.map(|response| (response.status, response.by_guard)) {
        Some((_, Some(ByGuard::Refused))) => Arrival::Stopped,
        Some((_, Some(ByGuard::Unreachable))) => Arrival::Failed("unreachable".into()),
        Some((status, None)) => Arrival::Arrived(status),
        None if failure.is_empty() => Arrival::Arrived(0),
        None => Arrival::Failed(failure),
    }
}
