//! What a person at the spoke's host sees of approvals, and what they say to them.

use super::Failed;
use crate::config::Environment;
use crate::spoke::approvals::{Approval, Approvals, Decision, State};
use crate::spoke::server::{self, StartError};
use crate::spoke::service::Service;
use crate::spoke::settings;

/// Approvals shown by `list`.
const LISTED: i64 = 1000;

/// What `approvals list` prints.
pub(crate) async fn waiting(
    service: &Service,
    environment: &Environment,
    now: i64,
) -> Result<String, Failed> {
    let approvals = open(service, environment).await?;
    let pending = approvals.list(State::Pending, LISTED, now).await?;
    let shown: Vec<String> = pending.iter().map(shown).collect();
    Ok(match shown.is_empty() {
        true => "nothing waits for a decision".to_owned(),
        false => shown.join("\n\n"),
    })
}

/// What `approvals approve` and `approvals reject` do.
pub(crate) async fn decided(
    service: &Service,
    environment: &Environment,
    id: &str,
    decision: Decision<'_>,
    now: i64,
) -> Result<String, Failed> {
    let approvals = open(service, environment).await?;
    match approvals.decide(id, decision, now).await? {
        Ok(()) if decision.approve => Ok(format!("{id} is approved")),
        Ok(()) => Ok(format!("{id} is rejected")),
        Err(Some(state)) => Err(format!("{id} is {}, not pending", state.as_str()).into()),
        Err(None) => Err(format!("there is no request {id}").into()),
    }
}

async fn open(service: &Service, environment: &Environment) -> Result<Approvals, StartError> {
    let settings = settings::read(environment)?.config;
    let pool = server::open_store(&settings.folder(service.name)).await?;
    Ok(Approvals::new(pool, server::lives(&settings)))
}

/// One request for a person. What came from the caller is escaped, so that it cannot draw on the
/// terminal.
fn shown(approval: &Approval) -> String {
    let mut text = format!(
        "{}\n  tool       {}\n  effect     {}\n  asked by   {}\n  arguments  {}",
        approval.id,
        approval.tool,
        approval.effect,
        approval.principal.escape_debug(),
        escaped(&approval.arguments),
    );
    for line in approval.summary.lines() {
        text.push_str("\n  ");
        text.push_str(&escaped(line));
    }
    for check in approval.readiness.iter().flatten() {
        let word = if check.ok { "ok" } else { "NOT OK" };
        let line = format!("{} {word}: {}", check.name, check.detail);
        text.push_str("\n  check      ");
        text.push_str(&escaped(&line));
    }
    text
}

/// Letters as they are, also quotes; controls and invisible characters as escapes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => safe.push(character),
            other => safe.extend(other.escape_debug()),
        }
    }
    safe
}
