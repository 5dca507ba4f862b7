//! The hub as OAuth client of third-party servers: an operator begins, a browser comes back.

use super::output;
use super::servers::{refused, servers};
use super::table::Route;
use crate::auth::Verb;
use crate::caller::Caller;
use crate::servers::Callback;
use crate::transport::Hub;
use crate::transport::access::Need;
use crate::transport::refusal::Refusal;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::CONTENT_TYPE;
use serde_json::json;
use shared::error::Code;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/gateway/servers/{id}/authorize", authorize)
            .needs(Need::Permission("servers", Verb::Write))
            .says("The address at which a person lets the hub use a server"),
        Route::get("/oauth/callback", callback)
            .needs(Need::Nothing)
            .says("Where an authorization server sends that person back"),
        Route::get("/client-metadata.json", metadata)
            .needs(Need::Nothing)
            .says("Who the hub is to authorization servers"),
    ]
}

async fn authorize(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let address = servers(&hub)?.authorize(&id, &caller).await;
    let address = address.map_err(refused)?;
    Ok(output::data(json!({"authorization_url": address.as_str()})))
}

async fn callback(
    State(hub): State<Hub>,
    Query(callback): Query<Callback>,
) -> Result<Response, Refusal> {
    let name = servers(&hub)?.authorized(&callback).await;
    let name = name.map_err(refused)?;
    let text = format!("The hub may use {name} now. This page can be closed.\n");
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

async fn metadata(State(hub): State<Hub>) -> Result<Response, Refusal> {
    let public = &hub.settings.public_url;
    if public.is_empty() {
        return Err(Refusal::new(
            Code::NotFound,
            "the hub has no public address",
        ));
    }
    Ok(Json(json!({
        "client_id": format!("{public}/client-metadata.json"),
        "client_name": "Waygate",
        "client_uri": public,
        "redirect_uris": [format!("{public}/oauth/callback")],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
    }))
    .into_response())
}
