//! Bodies and queries of plain routes, with errors that name the field.

use crate::store::Page;
use crate::transport::body;
use crate::transport::refusal::Refusal;
use axum::body::Body;
use axum::extract::{FromRequestParts, Query};
use http::HeaderMap;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::arguments::{Limits, Refusal as NotJson, parse_object};
use shared::error::Code;

/// A request body: an object, with the fields that must be there.
pub(super) trait Input: DeserializeOwned {
    /// Fields without a default.
    const REQUIRED: &'static [&'static str];
}

/// Reads a body.
///
/// # Errors
/// 415, 413 or 408 as [`body::read`]; `INVALID_REQUEST` when it is no JSON object;
/// `MISSING_REQUIRED_FIELD` and `INVALID_INPUT` name the field.
pub(super) async fn read<T: Input>(
    headers: &HeaderMap,
    raw: Body,
    limit: usize,
) -> Result<T, Refusal> {
    let bytes = body::read(headers, raw, limit).await?;
    let bounds = Limits {
        bytes: limit,
        ..Limits::default()
    };
    let value = parse_object(&bytes, bounds).map_err(|refused| match refused {
        NotJson::TooLarge(_) => {
            Refusal::new(Code::PayloadTooLarge, "the request body is too large")
        }
        NotJson::Malformed(_) | NotJson::NotAnObject => {
            Refusal::new(Code::InvalidRequest, "the body must be one JSON object")
                .with("reason", refused.to_string())
        }
    })?;
    for field in T::REQUIRED {
        if value.get(field).is_none_or(serde_json::Value::is_null) {
            let message = format!("{field} is required");
            return Err(Refusal::new(Code::MissingRequiredField, message).with("field", *field));
        }
    }
    serde_json::from_value(value).map_err(|error| {
        Refusal::new(Code::InvalidInput, "a field has the wrong type or name")
            .with("reason", error.to_string())
    })
}

/// `page` and `limit` of a list.
pub(super) struct Paging(pub(super) Page);

#[derive(Deserialize)]
struct RawPaging {
    page: Option<u32>,
    limit: Option<u32>,
}

impl<S: Sync> FromRequestParts<S> for Paging {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let refused = |message: &'static str| Refusal::new(Code::InvalidInput, message);
        let Ok(Query(raw)) = Query::<RawPaging>::try_from_uri(&parts.uri) else {
            return Err(refused("page and limit must be whole numbers"));
        };
        let (page, limit) = (raw.page.unwrap_or(1), raw.limit.unwrap_or(50));
        if page == 0 || !(1..=Page::MAX_LIMIT).contains(&limit) {
            return Err(refused("page starts at 1, limit is 1 to 100"));
        }
        Ok(Self(Page::new(page, limit)))
    }
}
