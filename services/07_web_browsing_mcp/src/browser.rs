//! What the tools ask of a browser: a seam, because browsers are other programs.
//!
//! `chromium` speaks the `DevTools` protocol to a browser of our own or of others, `webdriver` the W3C
//! protocol to a grid. Which page belongs to whom is not known here.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use shared::error::Code;
use shared::tool::ToolError;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Opens pages.
#[async_trait]
pub(crate) trait Browser: Send + Sync {
    /// Opens an empty page with cookies and storage of its own, whose requests go through the proxy
    /// at `port`. Starts the browser when it does not run.
    async fn open(&self, port: u16) -> Result<Arc<dyn Page>, ToolError>;

    /// Whether pages can be opened, as far as that can be told without opening one.
    async fn ready(&self) -> Result<(), ToolError>;

    /// Whether a browser runs for us now.
    fn is_active(&self) -> bool;

    /// Ends the browser if it is ours; it starts again with the next page.
    async fn rest(&self);
}

/// One page.
#[async_trait]
pub(crate) trait Page: Send + Sync {
    /// Loads a document.
    async fn navigate(&self, url: &Url, visit: Visit) -> Result<Arrival, ToolError>;

    /// Where the page is.
    async fn place(&self) -> Result<Place, ToolError>;

    /// Goes back or forward; `false` when there is nothing there.
    async fn step(&self, step: Step) -> Result<bool, ToolError>;

    /// Calls `function`, the text of a JavaScript function of one argument, out of reach of the
    /// page's own scripts where the browser can do that.
    async fn evaluate(&self, function: &str, argument: Value) -> Result<Value, ToolError>;

    /// A picture of it as PNG.
    async fn picture(&self, shot: &Shot) -> Result<Bytes, ToolError>;

    /// Presses the mouse on the element at `selector`, which `at` says is visible, and waits for the
    /// page that may follow.
    async fn click(&self, selector: &str, at: Point) -> Result<(), ToolError>;

    /// Types into the element at `selector`, which has the focus and whose old text is selected.
    async fn enter(&self, selector: &str, text: &str) -> Result<(), ToolError>;

    /// Whether it can still be used.
    fn is_alive(&self) -> bool;

    /// Closes it with its cookies and storage.
    async fn close(&self);
}

/// How far a document has to be loaded, and how long that may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    /// How far.
    pub(crate) until: Milestone,
    /// How long.
    pub(crate) timeout: Duration,
}

/// How far a document is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Milestone {
    /// Its text is there.
    Text,
    /// Its pictures and frames too.
    Whole,
    /// No request for half a second.
    Quiet,
}

/// What became of a navigation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The document came, with this HTTP status; 0 when there was no request.
    Arrived(u16),
    /// The guard did not let it through.
    Stopped,
    /// It did not come; the browser's word for why, such as `net::ERR_CONNECTION_REFUSED`.
    Failed(String),
    /// It is a file to save, which is not done.
    Download,
}

/// Where a page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Address of the document.
    pub(crate) url: String,
    /// Its title.
    pub(crate) title: String,
}

/// A step through the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Back,
    Forward,
}

/// A place in the window, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// What a picture shows. Lengths are in pixels of the document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shot {
    /// Of one element; `None` for the page.
    pub(crate) selector: Option<String>,
    /// The part of the document to show.
    pub(crate) area: Area,
    /// Size of the picture in relation to the document, 0–1.
    pub(crate) scale: f64,
}

/// A rectangle of a document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// A browser that went away in the middle of something.
pub(crate) fn lost() -> ToolError {
    ToolError::new(Code::ServiceUnavailable, "the browser went away").retryable()
}

/// A browser that said something we do not understand, or refused what it should not.
pub(crate) fn odd(what: &str) -> ToolError {
    let message = format!("the browser could not {what}");
    ToolError::new(Code::BadGateway, message)
}
