//! One element of a page, looked up by a CSS selector.

use crate::browser::{Area, Page, Point, odd};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::ToolError;

const LOOK: &str = include_str!("scripts/element.js");

/// A CSS selector of 1–1000 characters.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String", extend("minLength" = 1, "maxLength" = 1000))]
pub(crate) struct Selector(pub(crate) String);

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Takes {
    /// It is no field.
    Nothing,
    /// Typed text.
    Text,
    /// A value in a form of its own, such as a date.
    Value,
    /// One of its options.
    Choice,
    /// To be on or off.
    Mark,
    /// A file, which is not given.
    File,
}

/// An element as it is now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// Beginning of its text.
    pub(crate) text: String,
    /// Length of the whole text in UTF-16 units.
    pub(crate) length: u64,
    pub(crate) takes: Takes,
    /// Why it cannot be used by mouse or keyboard; `None` when it can.
    pub(crate) hindrance: Option<&'static str>,
    /// Its middle in the window.
    pub(crate) middle: Point,
    /// Its place in the document.
    pub(crate) area: Area,
}

impl Found {
    /// Looks for it; `limit` characters of its text are taken.
    pub(crate) async fn at(
        page: &dyn Page,
        selector: &Selector,
        limit: usize,
    ) -> Result<Self, ToolError> {
        let wanted = json!({"selector": selector, "limit": limit, "prepare": false});
        read(page.evaluate(LOOK, wanted).await?)
    }

    /// Looks for it and brings it into view; a field for text gets the focus, its text selected.
    pub(crate) async fn prepared(page: &dyn Page, selector: &Selector) -> Result<Self, ToolError> {
        let wanted = json!({"selector": selector, "limit": 0, "prepare": true});
        read(page.evaluate(LOOK, wanted).await?)
    }

    /// Refuses an element that a person could not use now.
    pub(crate) fn usable(self) -> Result<Self, ToolError> {
        match self.hindrance {
            None => Ok(self),
            Some(why) => Err(ToolError::refused(Code::Conflict, why)),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    text: String,
    length: u64,
    takes: Takes,
    hindrance: Option<Hindrance>,
    x: f64,
    y: f64,
    area: Rectangle,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Hindrance {
    Hidden,
    Disabled,
    Covered,
}

#[derive(Deserialize)]
struct Rectangle {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

fn read(answer: Value) -> Result<Found, ToolError> {
    if let Some(fault) = answer.get("fault").and_then(Value::as_str) {
        return Err(match fault {
            "selector" => ToolError::invalid("selector", "is not a CSS selector"),
            _ => ToolError::refused(Code::NotFound, "no element of the page fits the selector"),
        });
    }
    let Ok(answer) = serde_json::from_value::<Answer>(answer) else {
        return Err(odd("look at the element"));
    };
    let hindrance = answer.hindrance.map(|hindrance| match hindrance {
        Hindrance::Hidden => "the element is not visible",
        Hindrance::Disabled => "the element is disabled",
        Hindrance::Covered => "the element is covered by another one",
    });
    Ok(Found {
        text: answer.text,
        length: answer.length,
        takes: answer.takes,
        hindrance,
        middle: Point {
            x: answer.x,
            y: answer.y,
        },
        area: Area {
            x: answer.area.x,
            y: answer.area.y,
            width: answer.area.width,
            height: answer.area.height,
        },
    })
}
