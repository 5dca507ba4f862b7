//! Going somewhere: `navigateTo`, `getCurrentUrl`, `goBack`, `goForward`.

use crate::browser::{Arrival, Milestone, Place, Step, Visit};
use crate::guard::Verdict;
use crate::sessions::{Figures, Open, SessionId, Sessions};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::outbound;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::time::Duration;
use url::Url;

/// `web.browse.navigation.navigateTo`.
pub(crate) struct NavigateTo(pub(crate) Sessions);
/// `web.browse.navigation.getCurrentUrl`.
pub(crate) struct GetCurrentUrl(pub(crate) Sessions);
/// `web.browse.navigation.goBack`.
pub(crate) struct GoBack(pub(crate) Sessions);
/// `web.browse.navigation.goForward`.
pub(crate) struct GoForward(pub(crate) Sessions);

/// Arguments of `web.browse.navigation.navigateTo`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Destination {
    /// Address of the page, http or https, such as `https://example.org/docs`.
    #[schemars(length(min = 1, max = 8192))]
    url: String,
    /// When the page counts as loaded: its text is there (domcontentloaded), its pictures too (load),
    /// or it has asked for nothing for half a second (networkidle).
    #[serde(default)]
    wait_until: WaitUntil,
    /// Longest wait in seconds.
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 1, max = 300))]
    timeout: u32,
    /// Which of your pages; each session has cookies and history of its own. Default: your first.
    session_id: Option<SessionId>,
}

/// When a page counts as loaded.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum WaitUntil {
    #[default]
    Load,
    DomContentLoaded,
    NetworkIdle,
}

const fn half_a_minute() -> u32 {
    30
}

/// Result of `web.browse.navigation.navigateTo`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Arrived {
    /// Whether the status is below 400.
    success: bool,
    /// Where the page is after redirects.
    url: String,
    /// Its title.
    title: String,
    /// HTTP status; 0 when nothing was requested because only the fragment changed.
    status: u16,
}

/// Arguments of tools that only need to know which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichPage {
    /// Which of your pages. Default: your first.
    session_id: Option<SessionId>,
}

/// Where a page is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Location {
    /// Address of the page; `about:blank` when none was loaded.
    url: String,
    /// Its title.
    title: String,
}

impl From<Place> for Location {
    fn from(place: Place) -> Self {
        Self {
            url: place.url,
            title: place.title,
        }
    }
}

#[async_trait]
impl TypedTool for NavigateTo {
    type Arguments = Destination;
    type Output = Arrived;

    fn spec(&self) -> Spec {
        Spec::new(
            "web.browse.navigation.navigateTo",
            Effect::Read,
            "Load a web page in a browser with scripts and cookies of its own, and wait for it. Read it \
             afterwards with web.browse.extraction.getPageContent. Pages on private addresses are \
             refused.",
        )
        .long_running()
        .open_world()
        .live()
    }

    async fn run(&self, arguments: Destination, call: &Call) -> Result<Arrived, ToolError> {
        let url = address(&arguments.url)?;
        self.0
            .guard()
            .check(&url)
            .map_err(|refused| outbound::refusal(&refused))?;
        let wanted = Duration::from_secs(arguments.timeout.into());
        let visit = Visit {
            until: match arguments.wait_until {
                WaitUntil::Load => Milestone::Whole,
                WaitUntil::DomContentLoaded => Milestone::Text,
                WaitUntil::NetworkIdle => Milestone::Quiet,
            },
            timeout: wanted.min(call.remaining()),
        };
        let lease = self.0.page(call, arguments.session_id.as_ref()).await?;
        let open = lease.open()?;
        call.progress.report(0.0, None, "loading the page");
        open.gate.forget();
        let arrived = open.page.navigate(&url, visit).await;
        let status =
            judged(open, arrived).inspect_err(|_| Figures::count(&self.0.figures().errors))?;
        let place = open.page.place().await?;
        Figures::count(&self.0.figures().pages);
        *self.0.figures().last_url.lock() = Some(origin_and_path(&place.url));
        Ok(Arrived {
            success: status < 400,
            url: place.url,
            title: place.title,
            status,
        })
    }
}

/// The address of a page, which a person may have written without its scheme.
fn address(text: &str) -> Result<Url, ToolError> {
    let url = Url::parse(text.trim()).map_err(|error| ToolError::invalid("url", error))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(ToolError::invalid("url", "is not an http or https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ToolError::invalid("url", "holds a user or a password"));
    }
    Ok(url)
}

/// The status, or why there is none.
fn judged(open: &Open, arrived: Result<Arrival, ToolError>) -> Result<u16, ToolError> {
    let refused = |host: Option<String>| {
        let host = host.unwrap_or_else(|| "the page".into());
        outbound::refusal(&outbound::Refused::Address(host))
    };
    let last = open.gate.last();
    match arrived? {
        Arrival::Arrived(status) => Ok(status),
        Arrival::Stopped => Err(refused(last.map(|(host, _)| host))),
        Arrival::Download => Err(ToolError::new(
            Code::UnsupportedMediaType,
            "the address is a file to save, not a page",
        )),
        Arrival::Failed(why) => match last {
            Some((host, Verdict::Refused)) if why.contains("TUNNEL") => Err(refused(Some(host))),
            Some((host, Verdict::Unreachable)) => {
                let message = format!("{host} cannot be reached");
                Err(ToolError::new(Code::BadGateway, message).retryable())
            }
            _ => {
                let message = format!("the page did not load: {why}");
                Err(ToolError::new(Code::BadGateway, message).retryable())
            }
        },
    }
}

/// An address without what may be secret in it.
fn origin_and_path(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return String::new();
    };
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[async_trait]
impl TypedTool for GetCurrentUrl {
    type Arguments = WhichPage;
    type Output = Location;

    fn spec(&self) -> Spec {
        Spec::new(
            "web.browse.navigation.getCurrentUrl",
            Effect::Read,
            "Tell where your page is, after redirects and clicks. Gives about:blank when no page was \
             loaded.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: WhichPage, call: &Call) -> Result<Location, ToolError> {
        let place = self.0.place(call, arguments.session_id.as_ref()).await?;
        Ok(place.into())
    }
}

#[async_trait]
impl TypedTool for GoBack {
    type Arguments = WhichPage;
    type Output = Location;

    fn spec(&self) -> Spec {
        step_spec(
            "web.browse.navigation.goBack",
            "Go back to the page before this one.",
        )
    }

    async fn run(&self, arguments: WhichPage, call: &Call) -> Result<Location, ToolError> {
        step(&self.0, arguments, call, Step::Back).await
    }
}

#[async_trait]
impl TypedTool for GoForward {
    type Arguments = WhichPage;
    type Output = Location;

    fn spec(&self) -> Spec {
        step_spec(
            "web.browse.navigation.goForward",
            "Go forward again to the page you came back from.",
        )
    }

    async fn run(&self, arguments: WhichPage, call: &Call) -> Result<Location, ToolError> {
        step(&self.0, arguments, call, Step::Forward).await
    }
}

/// A read that is not the same twice.
fn step_spec(id: &'static str, description: &'static str) -> Spec {
    let mut spec = Spec::new(id, Effect::Read, description).open_world().live();
    spec.idempotent = false;
    spec
}

async fn step(
    sessions: &Sessions,
    arguments: WhichPage,
    call: &Call,
    step: Step,
) -> Result<Location, ToolError> {
    let lease = sessions.page(call, arguments.session_id.as_ref()).await?;
    if !lease.page()?.step(step).await? {
        let message = match step {
            Step::Back => "there is no earlier page",
            Step::Forward => "there is no later page",
        };
        return Err(ToolError::refused(Code::NotFound, message));
    }
    Ok(lease.page()?.place().await?.into())
}
