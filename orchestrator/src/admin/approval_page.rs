//! The page that links of approvals lead to: it shows the exact request to a person who signs in, and
//! takes the decision.
//!
//! No script, no cookie: the key comes with every form, so no other page can send one in a person's
//! name. Who opens the page without a key learns nothing of the request.

use super::table::Route;
use crate::approvals::{ApprovalError, ApprovalState, Said, Verdict};
use crate::auth::Principal;
use crate::transport::Hub;
use crate::transport::access::Need;
use crate::transport::refusal::Refusal;
use crate::transport::seen::Seen;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Form};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use std::fmt::Write;

/// Longest note, in characters.
const MAX_NOTE: usize = 500;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/approvals/{id}", ask)
            .needs(Need::Nothing)
            .says("A page to look at and decide one request"),
        Route::post("/approvals/{id}", answer)
            .needs(Need::Nothing)
            .says("What the page sends"),
    ]
}

#[derive(Deserialize)]
struct Sent {
    key: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    note: String,
    /// JSON; empty means none.
    #[serde(default)]
    form: String,
}

async fn ask() -> Response {
    page("Sign in to see the request.", None, false)
}

async fn answer(
    State(hub): State<Hub>,
    Extension(seen): Extension<Seen>,
    Path(id): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let principal = match signed_in(&hub, &seen, sent.key.trim()).await {
        Ok(principal) => principal,
        Err(refusal) => return page(&refusal.message, None, false),
    };
    let verdict = match sent.action.as_str() {
        "approve" => Some(Verdict::Approve),
        "reject" => Some(Verdict::Reject),
        _ => None,
    };
    let said = match verdict {
        None => None,
        Some(verdict) => {
            let note: String = sent.note.trim().chars().take(MAX_NOTE).collect();
            let form = match sent.form.trim() {
                "" => None,
                form => Some(serde_json::from_str(form)),
            };
            let Ok(form) = form.transpose() else {
                return page("Not done: the form is no JSON.", None, false);
            };
            let said = Said {
                verdict,
                note: (!note.is_empty()).then_some(note.as_str()),
                form: form.as_ref(),
            };
            let decided = hub.gateway.approvals.decide(&id, &principal, said).await;
            Some(match decided {
                Ok(_) => "Your decision is recorded.".to_owned(),
                Err(error) => told(&error),
            })
        }
    };
    match hub.gateway.approvals.get(&id, &principal).await {
        Err(error) => page(&told(&error), None, false),
        Ok(approval) => {
            let pending = approval.state == ApprovalState::Pending;
            let said = said.unwrap_or_else(|| "This is exactly what would be done.".to_owned());
            page(&said, Some(&approval.text()), pending)
        }
    }
}

async fn signed_in(
    hub: &Hub,
    seen: &Seen,
    key: &str,
) -> Result<std::sync::Arc<Principal>, Refusal> {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(key) {
        headers.insert(hub.settings.api_key_header.clone(), value);
    }
    hub.authenticate(seen, &headers).await
}

/// What a person reads of an error: never its cause.
fn told(error: &ApprovalError) -> String {
    match error {
        ApprovalError::Store(_) => "The request could not be looked up; try again.".to_owned(),
        other => format!("Not done: {other}."),
    }
}

fn page(said: &str, request: Option<&str>, pending: bool) -> Response {
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Approval</title></head>\
         <body><main><h1>Approval</h1>",
    );
    // Writing to a String cannot fail.
    let _written = write!(html, "<p role=\"status\">{}</p>", text(said));
    if let Some(request) = request {
        let _written = write!(html, "<pre>{}</pre>", text(request));
    }
    html.push_str(
        "<form method=\"post\"><p><label>API key <input name=\"key\" type=\"password\" \
         autocomplete=\"off\" required></label></p>",
    );
    if pending {
        html.push_str(
            "<p><label>Note <input name=\"note\" maxlength=\"500\"></label></p>\
             <p><label>Form, as JSON, where the request has one \
             <textarea name=\"form\" rows=\"4\"></textarea></label></p>\
             <p><button name=\"action\" value=\"approve\">Approve</button> \
             <button name=\"action\" value=\"reject\">Reject</button></p>",
        );
    } else {
        html.push_str("<p><button name=\"action\" value=\"show\">Show the request</button></p>");
    }
    html.push_str("</form></main></body></html>");
    Html(html).into_response()
}

/// Text inside an element.
fn text(raw: &str) -> String {
    raw.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
