//! `getScreenshot`: a picture of the window, of the whole page or of one element.
//!
//! A result is bounded, so a picture that would be larger is taken again at a smaller scale.

use crate::browser::{Area, Page, Shot, odd};
use crate::element::{Found, Selector};
use crate::sessions::{Figures, SessionId, Sessions};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::error::Code;
use shared::id::InvalidId;
use shared::tool::{
    Assessment, Call, Content, ContentKind, Effect, Output, Spec, Tool, ToolDefinition, ToolError,
    Typed, TypedTool,
};
use std::sync::Arc;

/// Most bytes of a picture: as base64 it is a text of the result, which has at most 1 MiB.
const MAX_BYTES: usize = 768 * 1024;
/// Longest side of the document that is shown, in pixels.
const MAX_SIDE: f64 = 16_384.0;
/// How much smaller a picture is taken when it was too large, time after time.
const SCALES: [f64; 5] = [1.0, 0.7, 0.5, 0.3, 0.15];
const VIEW: &str = include_str!("scripts/view.js");

/// `web.browse.extraction.getScreenshot`, as the harness takes it.
///
/// # Errors
/// When its id is not canonical.
pub(crate) fn tool(sessions: Sessions) -> Result<Arc<dyn Tool>, InvalidId> {
    let typed = Typed::new(GetScreenshot(sessions))?;
    Ok(Arc::new(WithPicture(typed)))
}

struct GetScreenshot(Sessions);

/// Arguments of `web.browse.extraction.getScreenshot`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScreenshotArguments {
    /// CSS selector of an element to show alone. Default: the page.
    selector: Option<Selector>,
    /// Show the whole page and not only what the window shows.
    #[serde(default)]
    full_page: bool,
    /// Which of your pages. Default: your first.
    session_id: Option<SessionId>,
}

/// Result of `web.browse.extraction.getScreenshot`.
#[derive(Debug, Serialize, JsonSchema)]
struct Screenshot {
    /// The picture as base64; it is also there as an image.
    screenshot: String,
    /// Always `png`.
    format: &'static str,
    /// What it shows.
    #[serde(rename = "type")]
    kind: Kind,
    /// Bytes of the picture.
    size: usize,
    /// Width in pixels; a large page is shown smaller than it is.
    width: u32,
    /// Height in pixels.
    height: u32,
}

/// What a picture shows.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Page,
    Element,
}

#[async_trait]
impl TypedTool for GetScreenshot {
    type Arguments = ScreenshotArguments;
    type Output = Screenshot;

    fn spec(&self) -> Spec {
        Spec::new(
            "web.browse.extraction.getScreenshot",
            Effect::Read,
            "Take a picture of the page you are on, of all of it, or of one element.",
        )
        .open_world()
        .live()
    }

    async fn run(
        &self,
        arguments: ScreenshotArguments,
        call: &Call,
    ) -> Result<Screenshot, ToolError> {
        if arguments.full_page && arguments.selector.is_some() {
            return Err(ToolError::invalid("full_page", "does not go with selector"));
        }
        let lease = self.0.page(call, arguments.session_id.as_ref()).await?;
        let page = lease.page()?;
        let (kind, area) = match &arguments.selector {
            Some(selector) => (Kind::Element, element(page, selector).await?),
            None => (Kind::Page, view(page, arguments.full_page).await?),
        };
        let shot = Shot {
            selector: arguments.selector.map(|selector| selector.0),
            area: within(area),
            scale: 1.0,
        };
        let picture = small_enough(page, shot).await?;
        let (width, height) = size(&picture).ok_or_else(|| odd("take a picture"))?;
        Figures::count(&self.0.figures().pictures);
        Ok(Screenshot {
            screenshot: STANDARD.encode(&picture),
            format: "png",
            kind,
            size: picture.len(),
            width,
            height,
        })
    }
}

async fn element(page: &dyn Page, selector: &Selector) -> Result<Area, ToolError> {
    let found = Found::prepared(page, selector).await?;
    match found.area.width >= 1.0 && found.area.height >= 1.0 {
        true => Ok(found.area),
        false => Err(ToolError::refused(
            Code::Conflict,
            "the element is not visible",
        )),
    }
}

async fn view(page: &dyn Page, is_full: bool) -> Result<Area, ToolError> {
    let view = page.evaluate(VIEW, Value::Null).await?;
    let number = |name: &str| view.get(name).and_then(Value::as_f64).unwrap_or_default();
    Ok(match is_full {
        true => Area {
            x: 0.0,
            y: 0.0,
            width: number("full_width"),
            height: number("full_height"),
        },
        false => Area {
            x: number("x"),
            y: number("y"),
            width: number("width"),
            height: number("height"),
        },
    })
}

fn within(area: Area) -> Area {
    Area {
        width: area.width.clamp(1.0, MAX_SIDE),
        height: area.height.clamp(1.0, MAX_SIDE),
        ..area
    }
}

async fn small_enough(page: &dyn Page, mut shot: Shot) -> Result<Bytes, ToolError> {
    for scale in SCALES {
        shot.scale = scale;
        let picture = page.picture(&shot).await?;
        if picture.len() <= MAX_BYTES {
            return Ok(picture);
        }
    }
    let message = "the picture is too large even when made small: show one element";
    Err(ToolError::new(Code::PayloadTooLarge, message))
}

/// Width and height as the picture's first chunk says.
fn size(picture: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| {
        let bytes = picture.get(at..at.checked_add(4)?)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    (picture.get(..8)? == b"\x89PNG\r\n\x1a\n").then_some((number(16)?, number(20)?))
}

/// Adds the picture as an image beside the structured result.
struct WithPicture(Typed<GetScreenshot>);

#[async_trait]
impl Tool for WithPicture {
    fn definition(&self) -> &ToolDefinition {
        self.0.definition()
    }

    async fn assess(&self, arguments: &Value, call: &Call) -> Result<Assessment, ToolError> {
        self.0.assess(arguments, call).await
    }

    async fn call(&self, arguments: Value, call: &Call) -> Result<Output, ToolError> {
        let mut output = self.0.call(arguments, call).await?;
        let shown: Option<Value> = serde_json::from_str(output.structured.get()).ok();
        let picture = shown.and_then(|it| STANDARD.decode(it.get("screenshot")?.as_str()?).ok());
        output.content.extend(picture.map(|data| Content {
            kind: ContentKind::Image,
            mime_type: "image/png".into(),
            data: data.into(),
        }));
        Ok(output)
    }
}

/// Scrolls by so many pixels, or not at all; where the page is then.
pub(crate) async fn scrolled(page: &dyn Page, x: i64, y: i64) -> Result<(i64, i64), ToolError> {
    let view = page.evaluate(VIEW, json!({"x": x, "y": y})).await?;
    let number = |name: &str| {
        let value = view.get(name)?;
        value
            .as_i64()
            .or_else(|| value.to_string().split('.').next()?.parse().ok())
    };
    match (number("x"), number("y")) {
        (Some(x), Some(y)) => Ok((x, y)),
        _ => Err(odd("scroll the page")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_read_from_the_picture_itself() {
        let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        picture.extend([0, 0, 5, 0, 0, 0, 3, 32, 8, 6]);
        assert_eq!(size(&picture), Some((1280, 800)));
        assert_eq!(size(b"GIF89a..............................."), None);
        assert_eq!(size(b""), None);
    }
}
