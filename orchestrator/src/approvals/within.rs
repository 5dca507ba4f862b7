//! Requests within a workflow: those its author wants, and those policy opened for a step.
//!
//! An author's request counts no votes here: the run does, by its thresholds, and closes the request in
//! the commit that decides. Such a request carries [`AUTHORS_RULE`].

use super::ask::random_id;
use super::row::checks_json;
use super::show::escaped;
use super::{Approval, ApprovalError, ApprovalState, Approvals, Recorded};
use crate::store::{Statement, micros};
use jiff::Timestamp;
use serde_json::Value;
use shared::id::ToolId;

/// The rule named by requests an author wants.
pub(crate) const AUTHORS_RULE: &str = "metadata.hub.approval";

const INSERT: &str = "INSERT INTO approvals (id, organization_id, namespace_id, principal, requester, \
     tool, service, effect, rule, arguments, arguments_hash, summary, readiness, required, roles, \
     self_approval, token_hash, expires_at, correlation_id, workflow_id, step, created_at, updated_at, \
     form, reason_required) \
     VALUES ($1, $2, $3, $4, $4, $5, $6, 'mutate', $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
     $18, $19, $20, $20, $21, $22)";

/// What an author wants people to decide.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) organization: &'a str,
    pub(crate) namespace: &'a str,
    /// Who started the run.
    pub(crate) requester: &'a str,
    /// What would be called; for a step that calls nothing, the tool that runs workflows.
    pub(crate) tool: &'a ToolId,
    pub(crate) service: &'a str,
    /// Shown with secrets masked.
    pub(crate) arguments: &'a Value,
    pub(crate) digest: &'a str,
    pub(crate) message: &'a str,
    /// For the reader: most yeses any threshold wants.
    pub(crate) required: u32,
    /// Roles that may vote; empty means whoever may approve.
    pub(crate) roles: Vec<String>,
    pub(crate) self_approval: bool,
    /// JSON Schema of what a yes comes with.
    pub(crate) form: Option<&'a Value>,
    pub(crate) reason_required: bool,
    pub(crate) expires: Timestamp,
    pub(crate) correlation_id: &'a str,
    pub(crate) run: &'a str,
    pub(crate) step: &'a str,
}

impl Approvals {
    /// The row of an author's request, and its id.
    ///
    /// # Errors
    /// [`ApprovalError::NoRandomness`].
    pub(crate) fn question(
        &self,
        question: &Question<'_>,
    ) -> Result<(String, Statement), ApprovalError> {
        let id = random_id()?;
        let mut arguments = question.arguments.clone();
        self.redactor.redact_json(&mut arguments);
        let message = self.redactor.redact(question.message);
        let summary: Vec<String> = message.lines().map(escaped).collect();
        let now = micros(self.clock.now());
        let insert = Statement::new(INSERT)
            .bind(id.as_str())
            .bind(question.organization)
            .bind(question.namespace)
            .bind(question.requester)
            .bind(question.tool.as_str())
            .bind(question.service)
            .bind(AUTHORS_RULE)
            .bind(arguments.to_string())
            .bind(question.digest)
            .bind(summary.join("\n"))
            .bind(checks_json(&[]).to_string())
            .bind(i64::from(question.required.max(1)))
            .bind(serde_json::json!(question.roles).to_string())
            .bind(question.self_approval)
            .bind(self.token_hash(&self.token_of(&id)))
            .bind(micros(question.expires))
            .bind(question.correlation_id)
            .bind(question.run)
            .bind(question.step)
            .bind(now)
            .bind(question.form.map(Value::to_string))
            .bind(question.reason_required);
        Ok((id, insert))
    }

    /// Ties a request that policy opened to the step it stopped, which may wait until `until`.
    pub(crate) fn adopt(&self, id: &str, (run, step): (&str, &str), until: Timestamp) -> Statement {
        let sql = "UPDATE approvals SET workflow_id = $2, step = $3, expires_at = $4 \
                   WHERE id = $1 AND state = 'pending'";
        Statement::new(sql)
            .bind(id)
            .bind(run)
            .bind(step)
            .bind(micros(until))
    }

    /// A request with its votes, whoever asks; `None` when there is none.
    pub(crate) async fn known_by_run(&self, id: &str) -> Result<Option<Approval>, ApprovalError> {
        Ok(self.by_id(id, self.clock.now()).await?)
    }

    /// Records and tells that an author's request is open.
    ///
    /// # Errors
    /// [`ApprovalError::Audit`]; the request stands all the same.
    pub(crate) async fn opened_by_run(&self, id: &str) -> Result<(), ApprovalError> {
        let Some(opened) = self.known_by_run(id).await? else {
            return Ok(());
        };
        let record = Recorded {
            action: "approval.requested",
            approval: &opened,
            actor: &opened.requester,
            note: None,
        };
        self.change(Vec::new(), record).await?;
        self.announce(id, ApprovalState::Pending);
        Ok(())
    }
}
