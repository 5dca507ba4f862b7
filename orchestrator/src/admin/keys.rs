//! API keys. The text of a key is in one answer only: that to its creation.

use super::input::{self, Input, Paging};
use super::output;
use super::table::Route;
use crate::audit::Event;
use crate::auth::{KeyError, KeyKind, KeyRecord, NewKey, Role};
use crate::caller::Caller;
use crate::transport::Hub;
use crate::transport::access::Need;
use crate::transport::refusal::Refusal;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::error::Code;
use std::sync::Arc;
use utoipa::ToSchema;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/auth/api-keys", list)
            .needs(Need::Credential)
            .envelopes::<Vec<Key>>()
            .says("Keys: all for an admin, the own ones for others"),
        Route::post("/auth/api-keys", create)
            .needs(Need::Credential)
            .takes::<Create>()
            .envelopes::<Key>()
            .once()
            .says("Make a key; its text is in this answer only"),
        Route::delete("/auth/api-keys/{id}", revoke)
            .needs(Need::Credential)
            .envelopes::<Key>()
            .says("Revoke a key for good"),
    ]
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    #[serde(default)]
    description: Option<String>,
    /// user or a2a.
    #[serde(default = "user")]
    key_type: String,
    /// Id or email address of the person it belongs to; the caller's own when left out.
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    namespace_id: Option<String>,
    #[serde(default = "read")]
    permissions: Vec<String>,
    /// Calls a minute; 0 means unlimited.
    #[serde(default = "hundred")]
    rate_limit: u32,
    #[serde(default = "year")]
    expires_in_days: u32,
    /// admin, user, viewer or `api_user`.
    #[serde(default)]
    role: Option<String>,
}

fn user() -> String {
    "user".to_owned()
}

fn read() -> Vec<String> {
    vec!["read".to_owned()]
}

const fn hundred() -> u32 {
    100
}

const fn year() -> u32 {
    365
}

impl Input for Create {
    const REQUIRED: &'static [&'static str] = &["name"];
}

/// What is kept of a key.
#[derive(Serialize, ToSchema)]
struct Key {
    id: String,
    name: String,
    description: Option<String>,
    prefix: String,
    key_type: &'static str,
    role: &'static str,
    user_id: Option<String>,
    organization_id: String,
    namespace_id: Option<String>,
    permissions: Vec<String>,
    rate_limit: i64,
    is_active: bool,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    last_used: Option<String>,
    created_by: String,
    created_at: String,
    revoked_at: Option<String>,
    /// The key itself; only on creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Key {
    fn of(record: KeyRecord) -> Self {
        let date = |at: Option<jiff::Timestamp>| at.map(|at| format!("{at:.3}"));
        Self {
            permissions: record.permissions.texts().collect(),
            key_type: record.kind.as_str(),
            role: record.role.as_str(),
            id: record.id,
            name: record.name,
            description: record.description,
            prefix: record.prefix,
            user_id: record.user,
            organization_id: record.organization,
            namespace_id: record.namespace,
            rate_limit: record.rate_limit,
            is_active: record.is_active,
            expires_at: date(record.expires_at),
            last_used_at: date(record.last_used_at),
            last_used: date(record.last_used_at),
            created_by: record.created_by,
            created_at: format!("{:.3}", record.created_at),
            revoked_at: date(record.revoked_at),
            key: None,
        }
    }
}

async fn list(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Paging(page): Paging,
    uri: Uri,
) -> Result<Response, Refusal> {
    let listed = hub.gateway.auth.list_keys(&caller.principal, page).await;
    let listed = listed.map_err(refused)?;
    let keys: Vec<Key> = listed.rows.into_iter().map(Key::of).collect();
    Ok(output::page(&keys, listed.total, page, &uri))
}

async fn create(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Create = input::read(&headers, body, hub.settings.body_bytes).await?;
    let new = new_key(asked)?;
    let issued = hub
        .gateway
        .auth
        .create_key(&caller.principal, new)
        .await
        .map_err(refused)?;
    let details = json!({
        "name": issued.record.name,
        "permissions": issued.record.permissions.texts().collect::<Vec<_>>(),
    });
    record(&hub, &caller, "key.created", &issued.record.id, details).await?;
    let location = format!("/auth/api-keys/{}", issued.record.id);
    let mut key = Key::of(issued.record);
    key.key = Some(issued.text.expose().to_owned());
    Ok(output::created(key, &location))
}

async fn revoke(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let revoked = hub
        .gateway
        .auth
        .revoke_key(&caller.principal, &id, None)
        .await;
    let revoked = revoked.map_err(refused)?;
    record(&hub, &caller, "key.revoked", &id, json!({})).await?;
    Ok(output::data(Key::of(revoked)))
}

fn new_key(asked: Create) -> Result<NewKey, Refusal> {
    let invalid = |field: &'static str, rule: &'static str| {
        Refusal::new(Code::ValidationFailed, format!("{field}: {rule}"))
            .with("fields", json!({ field: rule }))
    };
    let kind = KeyKind::parse(&asked.key_type)
        .ok_or_else(|| invalid("key_type", "must be user or a2a"))?;
    let role = match asked.role.as_deref() {
        None => Role::ApiUser,
        Some(word) => Role::parse(word).ok_or_else(|| invalid("role", "is no role"))?,
    };
    Ok(NewKey {
        description: asked.description,
        user: asked.user_id,
        kind,
        namespace: asked.namespace_id,
        permissions: asked.permissions,
        rate_limit: asked.rate_limit,
        expires_in_days: asked.expires_in_days,
        role,
        ..NewKey::named(asked.name)
    })
}

/// Writes down what was done to a key.
async fn record(
    hub: &Hub,
    caller: &Caller,
    action: &'static str,
    id: &str,
    details: Value,
) -> Result<(), Refusal> {
    let event = Event {
        action,
        resource_type: "api_key",
        resource_id: id.to_owned(),
        actor: Arc::clone(&caller.principal.id),
        organization: Arc::clone(&caller.principal.organization),
        address: caller.address,
        details,
        correlation_id: Some(caller.correlation_id.clone()),
    };
    super::audit::written(hub.gateway.audit.event(event).await)
}

fn refused(error: KeyError) -> Refusal {
    match error {
        KeyError::Invalid { field, rule } => {
            Refusal::new(Code::ValidationFailed, format!("{field}: {rule}"))
                .with("fields", json!({ field: rule }))
        }
        KeyError::Permission(cause) => Refusal::new(Code::ValidationFailed, cause.to_string())
            .with("fields", json!({"permissions": cause.to_string()})),
        error @ KeyError::Escalation(_) => {
            Refusal::new(Code::InsufficientRights, error.to_string())
        }
        KeyError::NotFound => Refusal::new(Code::NotFound, "there is no such key"),
        error @ (KeyError::Randomness(_) | KeyError::Store(_)) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(event = "keys_failed", %error, ?cause, "keys could not be used");
            Refusal::new(
                Code::ServiceUnavailable,
                "keys cannot be read or written now",
            )
        }
    }
}
