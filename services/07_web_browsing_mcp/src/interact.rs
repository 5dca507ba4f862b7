//! Acting on a page: `clickElement`, `fillForm`, `scrollPage`.
//!
//! Clicks and entries may do anything the site lets a visitor do, so a person says yes first and is
//! shown where and what; what is entered is shown to nobody.

use crate::browser::odd;
use crate::element::{Found, Selector, Takes};
use crate::screenshot::scrolled;
use crate::sessions::{Figures, SessionId, Sessions};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};

const SETTLE: &str = include_str!("scripts/settle.js");

/// `web.browse.interaction.clickElement`.
pub(crate) struct ClickElement(pub(crate) Sessions);
/// `web.browse.interaction.fillForm`.
pub(crate) struct FillForm(pub(crate) Sessions);
/// `web.browse.interaction.scrollPage`.
pub(crate) struct ScrollPage(pub(crate) Sessions);

/// Arguments of `web.browse.interaction.clickElement`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClickArguments {
    /// CSS selector of the element; the first that fits is taken.
    selector: Selector,
    /// The token of the approved request; also taken from `_meta` `waygate/approvalToken`.
    approval_token: Option<String>,
    /// Which of your pages. Default: your first.
    session_id: Option<SessionId>,
}

/// Result of `web.browse.interaction.clickElement`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Clicked {
    /// Whether it was clicked.
    success: bool,
    /// The selector.
    selector: Selector,
    /// Where the page is afterwards.
    url: String,
}

#[async_trait]
impl TypedTool for ClickElement {
    type Arguments = ClickArguments;
    type Output = Clicked;

    fn spec(&self) -> Spec {
        Spec::new(
            "web.browse.interaction.clickElement",
            Effect::Mutate,
            "Click an element of the page you are on, as a person with a mouse, and wait for the page \
             that may follow. A window that opens takes the page's place.",
        )
        .open_world()
    }

    async fn assess(
        &self,
        arguments: &ClickArguments,
        call: &Call,
    ) -> Result<Assessment, ToolError> {
        let place = self.0.place(call, arguments.session_id.as_ref()).await?;
        let summary = format!(
            "click {}\non {}\n{}",
            arguments.selector.0, place.url, place.title
        );
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: ClickArguments, call: &Call) -> Result<Clicked, ToolError> {
        no_stray_token(arguments.approval_token.as_deref())?;
        let lease = self.0.page(call, arguments.session_id.as_ref()).await?;
        let page = lease.page()?;
        let found = Found::prepared(page, &arguments.selector).await?.usable()?;
        page.click(&arguments.selector.0, found.middle).await?;
        Figures::count(&self.0.figures().actions);
        Ok(Clicked {
            success: true,
            selector: arguments.selector,
            url: page.place().await?.url,
        })
    }
}

/// Arguments of `web.browse.interaction.fillForm`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FillArguments {
    /// CSS selector of the field; the first that fits is taken.
    selector: Selector,
    /// What it is to hold: text; for a list the value or label of an option; for a box `true` or
    /// `false`. Not shown in logs, audit or approvals.
    #[schemars(length(max = 65536), extend("writeOnly" = true))]
    value: String,
    /// The token of the approved request; also taken from `_meta` `waygate/approvalToken`.
    approval_token: Option<String>,
    /// Which of your pages. Default: your first.
    session_id: Option<SessionId>,
}

/// Result of `web.browse.interaction.fillForm`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Filled {
    /// Whether the field holds the value now; the page may have changed it.
    success: bool,
    /// The selector.
    selector: Selector,
}

#[async_trait]
impl TypedTool for FillForm {
    type Arguments = FillArguments;
    type Output = Filled;

    fn spec(&self) -> Spec {
        Spec::new(
            "web.browse.interaction.fillForm",
            Effect::Mutate,
            "Fill in one field of the page you are on, replacing what it holds. Send the form by \
             clicking its button with web.browse.interaction.clickElement.",
        )
        .idempotent()
        .open_world()
    }

    async fn assess(
        &self,
        arguments: &FillArguments,
        call: &Call,
    ) -> Result<Assessment, ToolError> {
        let place = self.0.place(call, arguments.session_id.as_ref()).await?;
        let summary = format!(
            "fill in {} with {} characters\non {}\n{}",
            arguments.selector.0,
            arguments.value.chars().count(),
            place.url,
            place.title
        );
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: FillArguments, call: &Call) -> Result<Filled, ToolError> {
        no_stray_token(arguments.approval_token.as_deref())?;
        let lease = self.0.page(call, arguments.session_id.as_ref()).await?;
        let page = lease.page()?;
        let selector = &arguments.selector;
        let found = Found::prepared(page, selector).await?.usable()?;
        match found.takes {
            Takes::Nothing => return Err(conflict("the element is not a field")),
            Takes::File => return Err(conflict("files are not given to pages")),
            Takes::Text => page.enter(&selector.0, &arguments.value).await?,
            Takes::Value | Takes::Choice | Takes::Mark => {}
        }
        let wanted = json!({"selector": selector, "takes": found.takes, "value": arguments.value});
        let answer = page.evaluate(SETTLE, wanted).await?;
        Figures::count(&self.0.figures().actions);
        let success = match answer.get("fault").and_then(Value::as_str) {
            Some("choice") => return Err(conflict("the list has no such option")),
            Some("mark") => return Err(conflict("a box takes true or false")),
            Some(_) => return Err(conflict("the field went away")),
            None => answer.get("holds").and_then(Value::as_bool),
        };
        Ok(Filled {
            success: success.ok_or_else(|| odd("fill in the field"))?,
            selector: arguments.selector,
        })
    }
}

/// The harness takes a token that is one out of the arguments before they come here.
fn no_stray_token(token: Option<&str>) -> Result<(), ToolError> {
    match token {
        None => Ok(()),
        Some(_) => Err(ToolError::refused(
            Code::ApprovalInvalid,
            "the approval token is not one of an approved request",
        )),
    }
}

fn conflict(why: &str) -> ToolError {
    ToolError::new(Code::Conflict, why)
}

/// Arguments of `web.browse.interaction.scrollPage`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScrollArguments {
    /// Where to.
    #[serde(default)]
    direction: Direction,
    /// How far, in pixels.
    #[serde(default = "half_a_window")]
    #[schemars(range(min = 0, max = 1_000_000))]
    amount: u32,
    /// Which of your pages. Default: your first.
    session_id: Option<SessionId>,
}

/// Where a page is scrolled to.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Up,
    #[default]
    Down,
    Left,
    Right,
}

const fn half_a_window() -> u32 {
    500
}

/// Result of `web.browse.interaction.scrollPage`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Scrolled {
    /// Whether the page was scrolled as far as it goes that way.
    success: bool,
    /// Distance from the left edge in pixels.
    scroll_x: i64,
    /// Distance from the top in pixels.
    scroll_y: i64,
}

#[async_trait]
impl TypedTool for ScrollPage {
    type Arguments = ScrollArguments;
    type Output = Scrolled;

    fn spec(&self) -> Spec {
        let mut spec = Spec::new(
            "web.browse.interaction.scrollPage",
            Effect::Read,
            "Scroll the page you are on, for pages that load more when scrolled and for screenshots.",
        )
        .open_world()
        .live();
        spec.idempotent = false;
        spec
    }

    async fn run(&self, arguments: ScrollArguments, call: &Call) -> Result<Scrolled, ToolError> {
        let lease = self.0.page(call, arguments.session_id.as_ref()).await?;
        let amount = i64::from(arguments.amount);
        let (x, y) = match arguments.direction {
            Direction::Up => (0, -amount),
            Direction::Down => (0, amount),
            Direction::Left => (-amount, 0),
            Direction::Right => (amount, 0),
        };
        let (scroll_x, scroll_y) = scrolled(lease.page()?, x, y).await?;
        Figures::count(&self.0.figures().actions);
        Ok(Scrolled {
            success: true,
            scroll_x,
            scroll_y,
        })
    }
}
