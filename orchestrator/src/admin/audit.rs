//! Reading and checking the audit trail.

use super::input::Paging;
use super::output;
use super::table::Route;
use crate::audit::{AuditError, AuditRow, Filter};
use crate::auth::Verb;
use crate::caller::Caller;
use crate::transport::Hub;
use crate::transport::refusal::Refusal;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use http::Uri;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::error::Code;
use utoipa::ToSchema;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/admin/audit", list)
            .envelopes::<Vec<Entry>>()
            .says("Audit records, newest first"),
        Route::get("/api/admin/audit/verify", verify)
            .envelopes::<Verified>()
            .says("Check the chain of audit records"),
    ]
}

/// One record.
#[derive(Serialize, ToSchema)]
struct Entry {
    seq: i64,
    id: String,
    /// intent, outcome or event.
    phase: &'static str,
    organization_id: String,
    namespace_id: Option<String>,
    action: String,
    resource_type: String,
    resource_id: String,
    actor_id: String,
    actor_ip: Option<String>,
    code: Option<String>,
    #[schema(value_type = Object)]
    metadata: Value,
    correlation_id: Option<String>,
    created_at: String,
    hash: String,
}

impl Entry {
    fn of(row: AuditRow) -> Self {
        Self {
            seq: row.seq,
            id: row.id,
            phase: row.phase.as_str(),
            organization_id: row.organization,
            namespace_id: row.namespace,
            action: row.action,
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            actor_id: row.actor,
            actor_ip: row.address,
            code: row.code,
            metadata: serde_json::from_str(&row.metadata).unwrap_or_default(),
            correlation_id: row.correlation_id,
            created_at: format!("{:.3}", row.at),
            hash: row.hash,
        }
    }
}

#[derive(Default, Deserialize)]
struct Wanted {
    action: Option<String>,
    tool: Option<String>,
    actor: Option<String>,
    correlation_id: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

async fn list(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Paging(page): Paging,
    uri: Uri,
) -> Result<Response, Refusal> {
    let Ok(Query(wanted)) = Query::<Wanted>::try_from_uri(&uri) else {
        let message = "from and to must be dates such as 2026-11-20T12:00:00Z";
        return Err(Refusal::new(Code::InvalidInput, message));
    };
    let filter = Filter {
        organization: Some(caller.principal.organization.to_string()),
        action: wanted.action,
        resource_id: wanted.tool,
        actor: wanted.actor,
        correlation_id: wanted.correlation_id,
        phase: None,
        since: wanted.from,
        until: wanted.to,
    };
    let listed = hub
        .gateway
        .audit
        .list(&filter, page)
        .await
        .map_err(|error| unreadable(&error))?;
    let entries: Vec<Entry> = listed.rows.into_iter().map(Entry::of).collect();
    Ok(output::page(&entries, listed.total, page, &uri))
}

/// What the check found.
#[derive(Serialize, ToSchema)]
struct Verified {
    valid: bool,
    records: u64,
    first_bad: Option<FirstBad>,
}

/// The first record that is not as it was written.
#[derive(Serialize, ToSchema)]
struct FirstBad {
    seq: i64,
    reason: String,
}

/// Looks at the records of every organisation, so it is for operators of the installation.
async fn verify(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Refusal> {
    if !caller.principal.permissions.allow("system", Verb::Manage) {
        return Err(Refusal::new(
            Code::InsufficientRights,
            "this needs permission system:manage",
        ));
    }
    let report = hub
        .gateway
        .audit
        .verify()
        .await
        .map_err(|error| unreadable(&error))?;
    Ok(output::data(Verified {
        valid: report.first_bad.is_none(),
        records: report.records,
        first_bad: report.first_bad.map(|bad| FirstBad {
            seq: bad.seq,
            reason: bad.reason,
        }),
    }))
}

/// What an operator did is only done when it is written down.
pub(super) fn written(result: Result<(), AuditError>) -> Result<(), Refusal> {
    result.map_err(|error| {
        tracing::error!(event = "audit_failed", %error, "an operator's action was not recorded");
        Refusal::new(
            Code::ServiceUnavailable,
            "the action was done, but could not be recorded",
        )
    })
}

fn unreadable(error: &AuditError) -> Refusal {
    tracing::error!(event = "audit_unreadable", %error, "the audit trail could not be read");
    Refusal::new(
        Code::ServiceUnavailable,
        "the audit trail cannot be read now",
    )
}
