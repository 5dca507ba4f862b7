//! People within a run: what they are asked, and bringing what they say to the run.
//!
//! Questions and votes are rows of `approvals`, so nothing said is lost with a hub; the run is told again
//! of what it may have missed, and counts nobody twice.

use super::Workflows;
use super::mailbox::Letter;
use super::runner::Facts;
use crate::approvals::{Approval, ApprovalState, Change, Question, Verdict as Said};
use crate::store::{Statement, StoreError};
use shared::id::ToolId;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use workflow::core::{Event, Request, Subject, Target, TaskPath, Verdict, Vote};

/// The tool questions name that are about no call.
const ASKING: &str = "orchestrator.executeWorkflow";
/// Questions brought at once.
const PAGE: i64 = 1000;

/// A question and the step that waits for its answer.
struct Asked {
    approval: String,
    run: Arc<str>,
    path: String,
    attempt: u32,
    /// Digest votes are bound to; `None` for what policy asks.
    digest: Option<String>,
    by_policy: bool,
}

impl Workflows {
    /// The rows of an author's question, and its id (empty when it cannot be asked: it then expires).
    pub(super) fn ask(&self, facts: &Facts, request: &Request) -> (String, Vec<Statement>) {
        let (tool, arguments) = match &request.subject {
            Subject::Call(call) => match &call.target {
                Target::Tool { id, .. } => (id.as_str(), &call.with),
                _ => (ASKING, &call.with),
            },
            Subject::Step(input) => (ASKING, input.as_ref()),
        };
        let asked = || -> Option<(String, Statement)> {
            let tool = ToolId::parse(tool)
                .or_else(|_| ToolId::parse(ASKING))
                .ok()?;
            let snapshot = self.gateway.router.snapshot();
            let service = snapshot.service_for(tool.as_str());
            let most = request.thresholds.iter().map(|threshold| threshold.approve);
            let everybody = request
                .thresholds
                .iter()
                .any(|threshold| threshold.group.is_none());
            let groups = request
                .thresholds
                .iter()
                .filter_map(|threshold| threshold.group.clone());
            let unnamed = format!("step {} of workflow {}", request.path, facts.name);
            let question = Question {
                organization: &facts.organization,
                namespace: &facts.namespace,
                requester: &facts.principal,
                tool: &tool,
                service: service.map_or("00_master_mcp", |service| service),
                arguments,
                digest: &request.digest,
                message: request.message.as_deref().unwrap_or(&unnamed),
                required: most.max().unwrap_or(1),
                roles: if everybody {
                    Vec::new()
                } else {
                    groups.collect()
                },
                self_approval: request.self_approval,
                form: request.form.as_ref(),
                reason_required: request.reason_required,
                expires: request.expires,
                correlation_id: &facts.correlation_id,
                run: &facts.id,
                step: request.path.as_str(),
            };
            self.gateway.approvals.question(&question).ok()
        };
        let Some((id, insert)) = asked() else {
            tracing::error!(
                event = "workflow_question",
                workflow_id = &*facts.id,
                "a question could not be asked"
            );
            return (String::new(), Vec::new());
        };
        let place = (facts.id.as_ref(), request.path.as_str(), request.attempt);
        let link = link(&id, place, Some(&request.digest));
        (id, vec![insert, link])
    }

    /// The rows of a step that waits for a request policy opened.
    pub(super) fn adopted(
        &self,
        facts: &Facts,
        (path, attempt): (&TaskPath, u32),
        request: &str,
    ) -> Vec<Statement> {
        let until = self.now().checked_add(self.config.limits.approval);
        let until = until.unwrap_or(jiff::Timestamp::MAX);
        let place = (facts.id.as_ref(), path.as_str());
        vec![
            self.gateway.approvals.adopt(request, place, until),
            link(request, (place.0, place.1, attempt), None),
        ]
    }

    /// Closes what a step asked.
    pub(super) fn withdraw(
        &self,
        run: &str,
        path: &TaskPath,
        attempt: u32,
        state: &'static str,
    ) -> Vec<Statement> {
        let close = "UPDATE approvals SET state = $4, decided_at = $5, updated_at = $5 \
                     WHERE state = 'pending' AND id IN (SELECT approval_id FROM workflow_approvals \
                     WHERE workflow_id = $1 AND path = $2 AND attempt = $3)";
        let unlink = "DELETE FROM workflow_approvals \
                      WHERE workflow_id = $1 AND path = $2 AND attempt = $3";
        let bound = |sql| {
            Statement::new(sql)
                .bind(run)
                .bind(path.as_str())
                .bind(i64::from(attempt))
        };
        let now = crate::store::micros(self.now());
        vec![bound(close).bind(state).bind(now), bound(unlink)]
    }

    /// Records that people were asked; their listeners hear of it.
    pub(super) async fn announce_question(&self, id: &str) {
        if id.is_empty() {
            return;
        }
        if let Err(error) = self.gateway.approvals.opened_by_run(id).await {
            tracing::error!(event = "approval_unrecorded", %error, "a question could not be recorded");
        }
    }

    /// Brings what people say to the runs that wait for it, until the tasks stop.
    pub(super) async fn listen_to_people(self: Arc<Self>) {
        let stop = self.gateway.tasks.token();
        let mut changes = self.gateway.approvals.changes();
        loop {
            let change = tokio::select! {
                () = stop.cancelled() => return,
                change = changes.recv() => change,
            };
            let brought = match change {
                Ok(Change { id, .. }) => self.bring(&id).await,
                Err(RecvError::Lagged(_)) => self.bring_all().await,
                Err(RecvError::Closed) => return,
            };
            if let Err(error) = brought {
                tracing::error!(event = "workflow_vote_lost", %error, "a vote waits for the next look");
            }
        }
    }

    /// Brings everything people have said to open runs, which may have missed it.
    pub(super) async fn bring_all(self: &Arc<Self>) -> Result<(), StoreError> {
        let sql = "SELECT w.approval_id FROM workflow_approvals w \
                   JOIN approvals a ON a.id = w.approval_id \
                   JOIN workflow_states s ON s.workflow_id = w.workflow_id \
                   WHERE s.owner = $1 AND (a.state <> 'pending' OR EXISTS \
                   (SELECT 1 FROM approval_votes v WHERE v.approval_id = a.id)) LIMIT $2";
        let select = Statement::new(sql)
            .bind(self.instance.id().as_ref())
            .bind(PAGE);
        for row in &self.instance.store().read(select).await? {
            self.bring(row.text("approval_id")?).await?;
        }
        Ok(())
    }

    /// Brings what was said about one request, if a run waits for it.
    pub(super) async fn bring(self: &Arc<Self>, approval: &str) -> Result<(), StoreError> {
        let Some(asked) = self.asked(approval).await? else {
            return Ok(());
        };
        let known = self.gateway.approvals.known_by_run(approval).await;
        let Ok(Some(known)) = known else {
            return Ok(());
        };
        let votes = if asked.by_policy {
            verdict_of(&known).into_iter().collect()
        } else {
            self.votes_of(&asked, &known).await
        };
        for vote in votes {
            let decided = Event::Decided {
                path: TaskPath::new(&asked.path),
                attempt: asked.attempt,
                vote,
            };
            drop(self.deliver(&asked.run, Letter::Event(decided)).await);
        }
        Ok(())
    }

    async fn asked(&self, approval: &str) -> Result<Option<Asked>, StoreError> {
        let sql = "SELECT approval_id, workflow_id, path, attempt, asked_by, digest \
                   FROM workflow_approvals WHERE approval_id = $1";
        let rows = self
            .instance
            .store()
            .read(Statement::new(sql).bind(approval))
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        Ok(Some(Asked {
            approval: row.text("approval_id")?.to_owned(),
            run: row.text("workflow_id")?.into(),
            path: row.text("path")?.to_owned(),
            attempt: u32::try_from(row.integer("attempt")?)
                .or(Err(StoreError::Column("attempt")))?,
            digest: row.optional_text("digest")?.map(str::to_owned),
            by_policy: row.text("asked_by")? == "policy",
        }))
    }

    /// Every vote on an author's question; the voter's role is their group.
    async fn votes_of(&self, asked: &Asked, approval: &Approval) -> Vec<Vote> {
        let mut votes = Vec::with_capacity(approval.votes.len());
        for said in &approval.votes {
            let known = self.gateway.auth.recall(&said.approver).await;
            let groups = known.map(|principal| vec![principal.role.as_str().to_owned()]);
            votes.push(Vote {
                by: said.approver.clone(),
                groups: groups.unwrap_or_default(),
                verdict: match said.verdict {
                    Said::Approve => Verdict::Approve,
                    Said::Reject => Verdict::Deny,
                },
                reason: said.note.clone(),
                digest: asked.digest.clone(),
                form: said.form.clone(),
            });
        }
        if approval.state == ApprovalState::Expired {
            tracing::debug!(
                event = "workflow_question_expired",
                approval = asked.approval,
                "nobody decided"
            );
        }
        votes
    }
}

/// What came of a request policy opened; `None` while it is open.
fn verdict_of(approval: &Approval) -> Option<Vote> {
    let verdict = match approval.state {
        ApprovalState::Pending => return None,
        ApprovalState::Approved | ApprovalState::Consumed => Verdict::Approve,
        ApprovalState::Rejected => Verdict::Deny,
        ApprovalState::Expired => Verdict::Lapsed,
    };
    let last = approval.votes.last();
    Some(Vote {
        by: last.map_or("system:hub", |vote| &vote.approver).to_owned(),
        groups: Vec::new(),
        verdict,
        reason: last.and_then(|vote| vote.note.clone()),
        digest: None,
        form: None,
    })
}

fn link(id: &str, (run, path, attempt): (&str, &str, u32), digest: Option<&str>) -> Statement {
    let sql = "INSERT INTO workflow_approvals (approval_id, workflow_id, path, attempt, asked_by, digest) \
               VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (approval_id) DO UPDATE SET attempt = excluded.attempt";
    Statement::new(sql)
        .bind(id)
        .bind(run)
        .bind(path)
        .bind(i64::from(attempt))
        .bind(if digest.is_some() { "author" } else { "policy" })
        .bind(digest.map(str::to_owned))
}
