//! Answers: bare documents, and documents in the envelope of management routes.

use crate::store::Page;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{LINK, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use serde::Serialize;
use serde_json::json;

const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");
const PAGE_COUNT: HeaderName = HeaderName::from_static("x-page-count");

/// `{"success":true,"data":…}`.
pub(super) fn data(document: impl Serialize) -> Response {
    Json(json!({"success": true, "data": document})).into_response()
}

/// The same for something that was made, with its address.
pub(super) fn created(document: impl Serialize, location: &str) -> Response {
    let mut answer = (StatusCode::CREATED, data(document)).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

/// One page of a list, with the headers and `meta` of lists.
pub(super) fn page(rows: &[impl Serialize], total: u64, page: Page, uri: &Uri) -> Response {
    let limit = u64::try_from(page.limit()).unwrap_or(1).max(1);
    let number = u64::from(page.number());
    let pages = total.div_ceil(limit);
    let meta = json!({"page": number, "limit": limit, "total": total});
    let mut answer = Json(json!({"success": true, "data": rows, "meta": meta})).into_response();
    let headers = answer.headers_mut();
    headers.insert(TOTAL_COUNT, total.into());
    headers.insert(PAGE_COUNT, pages.into());
    let to = |number: u64, rel: &str| {
        format!(
            "<{}?{}>; rel=\"{rel}\"",
            uri.path(),
            query(uri, number, limit)
        )
    };
    let before = (number > 1).then(|| to(number - 1, "prev"));
    let after = (number < pages).then(|| to(number + 1, "next"));
    let links: Vec<String> = before.into_iter().chain(after).collect();
    if let Ok(value) = HeaderValue::from_str(&links.join(", "))
        && !links.is_empty()
    {
        headers.insert(LINK, value);
    }
    answer
}

/// The query of another page: everything but the page stays.
fn query(uri: &Uri, page: u64, limit: u64) -> String {
    let kept = uri.query().unwrap_or_default().split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && name != "page" && name != "limit"
    });
    let mut pairs: Vec<String> = kept.map(str::to_owned).collect();
    pairs.push(format!("page={page}"));
    pairs.push(format!("limit={limit}"));
    pairs.join("&")
}
