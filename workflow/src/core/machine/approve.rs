//! Decisions of people. What is decided about is bound by a digest; no decision in time is a refusal.

use super::super::command::{Command, Granted, Request, Subject};
use super::super::entry::What;
use super::super::event::{TimerKind, Verdict, Vote};
use super::super::path::TaskPath;
use super::super::problem::{Fault, Problem};
use super::super::state::{Asking, Phase, Step};
use super::Machine;
use crate::dsl::model::{Approval, Kind, Task, Threshold};
use serde_json::json;
use std::sync::Arc;

/// What the votes so far come to.
enum Tally {
    Open,
    Approved,
    Denied(String),
}

impl<'a> Machine<'a> {
    /// Asks before a task that is no call begins.
    pub(super) fn ask_step(&mut self, path: &TaskPath, task: &'a Task) -> Result<(), Problem> {
        let Some(approval) = &task.common.hub.approval else {
            return Ok(());
        };
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(());
        };
        let subject = Subject::Step(frame.input.clone());
        let asking = self.ask(path, approval, subject)?;
        self.set_step(path, Step::Asking(asking));
        Ok(())
    }

    /// Asks before a call is sent, about exactly this call.
    pub(super) fn ask_call(&mut self, path: &TaskPath, approval: &Approval) -> Result<(), Problem> {
        let Some(calling) = self.calling_at(path) else {
            return Ok(());
        };
        let subject = Subject::Call(calling.call.clone());
        let asking = self.ask(path, approval, subject)?;
        self.set_phase(path, Phase::Asking(asking));
        Ok(())
    }

    fn ask(
        &mut self,
        path: &TaskPath,
        approval: &Approval,
        subject: Subject,
    ) -> Result<Asking, Problem> {
        let Some(frame) = self.state.frames.get(path) else {
            return Err(Problem::new(Fault::Runtime, "gone", path.as_str()));
        };
        let input = frame.input.clone();
        let expires = match &approval.expires {
            Some(length) => self.length(path, length, &input)?,
            None => self.state.settings.limits.approval,
        };
        let expires = self.later(expires);
        let scope = self.scope(path);
        let message = approval.message.as_ref();
        let message = message
            .map(|text| self.text(text, &input, &scope))
            .transpose()?;
        let attempt = self.next_attempt(path);
        let digest = self.digest(path, &subject);
        self.log(
            path,
            What::ApprovalRequested {
                attempt,
                digest: digest.clone(),
            },
        );
        self.timer(path, TimerKind::Approval, expires);
        self.out.push(Command::Approve(Box::new(Request {
            path: path.clone(),
            attempt,
            subject,
            digest: digest.clone(),
            thresholds: approval.thresholds.clone(),
            self_approval: approval.self_approval,
            reason_required: approval.reason_required,
            message,
            form: approval.form.clone(),
            expires,
        })));
        Ok(Asking {
            attempt,
            digest,
            request: None,
            votes: Vec::new(),
            expires,
        })
    }

    /// Waits for a request that the driver opened because policy wants one.
    pub(super) fn ask_elsewhere(&mut self, path: &TaskPath, attempt: u32, request: String) {
        let expires = self.later(self.state.settings.limits.approval);
        let Some(calling) = self.calling_at(path) else {
            return;
        };
        let subject = Subject::Call(calling.call.clone());
        let digest = self.digest(path, &subject);
        let asking = Asking {
            attempt,
            digest: digest.clone(),
            request: Some(request),
            votes: Vec::new(),
            expires,
        };
        self.set_phase(path, Phase::Asking(asking));
        self.log(path, What::ApprovalRequested { attempt, digest });
        self.timer(path, TimerKind::Approval, expires);
    }

    /// Of what people decide about: another argument, step or run is another digest.
    fn digest(&self, path: &TaskPath, subject: &Subject) -> String {
        let subject = match subject {
            Subject::Call(call) => json!({
                "target": serde_json::to_value(&call.target).unwrap_or_default(),
                "with": call.with,
            }),
            Subject::Step(input) => json!({"input": **input}),
        };
        let bound = json!({
            "run": self.state.id,
            "definition": self.state.digest,
            "path": path.as_str(),
            "subject": subject,
        });
        crate::dsl::digest(&bound)
    }

    pub(super) fn asking(&mut self, path: &TaskPath) -> Option<&mut Asking> {
        match &mut self.state.frames.get_mut(path)?.step {
            Step::Asking(asking) => Some(asking),
            Step::Call(calling) => match &mut calling.phase {
                Phase::Asking(asking) => Some(asking),
                _ => None,
            },
            _ => None,
        }
    }

    /// Somebody voted.
    pub(super) fn decided(&mut self, path: &TaskPath, attempt: u32, vote: Vote) {
        let Some(asking) = self.asking(path).filter(|asking| asking.attempt == attempt) else {
            return;
        };
        let asking = asking.clone();
        if vote.verdict == Verdict::Lapsed {
            let why = vote
                .reason
                .unwrap_or_else(|| "nobody decided in time".to_owned());
            self.denied(path, &asking, why);
            return;
        }
        let rules = self
            .task(path)
            .and_then(|task| task.common.hub.approval.as_ref());
        // A request that policy opened has its rules where it was opened; what comes is the decision.
        let rules = rules.filter(|_| asking.request.is_none());
        let refused = rules.and_then(|rules| self.refused(rules, &asking, &vote));
        self.log(
            path,
            What::Voted {
                vote: vote.clone(),
                refused,
            },
        );
        if refused.is_some() {
            return;
        }
        let Some(asking) = self.asking(path) else {
            return;
        };
        asking.votes.push(vote);
        let asking = asking.clone();
        let any = [Threshold {
            approve: 1,
            deny: 1,
            group: None,
        }];
        match tally(
            rules.map_or(&any, |rules| rules.thresholds.as_slice()),
            &asking.votes,
        ) {
            Tally::Open => {}
            Tally::Denied(why) => self.denied(path, &asking, why),
            Tally::Approved => self.approved(path, asking),
        }
    }

    /// Why a vote does not count; `None` when it does.
    fn refused(&self, rules: &Approval, asking: &Asking, vote: &Vote) -> Option<&'static str> {
        if vote.digest.as_deref() != Some(asking.digest.as_str()) {
            return Some("it is about something else");
        }
        if asking.votes.iter().any(|other| other.by == vote.by) {
            return Some("they have voted");
        }
        if vote.by == self.state.settings.starter && !rules.self_approval {
            return Some("the starter may not decide");
        }
        if rules.reason_required
            && vote
                .reason
                .as_deref()
                .is_none_or(|why| why.trim().is_empty())
        {
            return Some("a reason is required");
        }
        None
    }

    fn settled(&mut self, path: &TaskPath, asking: &Asking) {
        self.stop_timer(path, TimerKind::Approval);
        self.out.push(Command::Withdraw {
            path: path.clone(),
            attempt: asking.attempt,
        });
    }

    fn approved(&mut self, path: &TaskPath, asking: Asking) {
        self.settled(path, &asking);
        let votes = asking
            .votes
            .iter()
            .filter(|vote| vote.verdict == Verdict::Approve);
        let by: Vec<_> = votes.map(|vote| vote.by.clone()).collect();
        self.log(path, What::Approved { by: by.clone() });
        if self.calling_at(path).is_some() {
            let granted = Granted {
                request: asking.request,
                digest: asking.digest,
                by,
            };
            self.granted(path, granted);
            return;
        }
        let listens = matches!(
            self.task(path).map(|task| &task.kind),
            Some(Kind::Listen(_))
        );
        if !listens {
            self.set_step(path, Step::Approved);
            self.push_proceed(path);
            return;
        }
        // An approval spelled as `listen`: the decision is what was listened for.
        let last = asking.votes.last();
        let decision = json!([{
            "decision": "approve",
            "by": by,
            "reason": last.and_then(|vote| vote.reason.clone()),
            "form": last.and_then(|vote| vote.form.clone()),
        }]);
        self.set_step(path, Step::Ready);
        self.push_done(path, Arc::new(decision));
    }

    fn denied(&mut self, path: &TaskPath, asking: &Asking, why: String) {
        self.settled(path, asking);
        self.log(path, What::Denied { why: why.clone() });
        let problem = Problem::new(Fault::Authorization, "approval denied", why);
        match self.calling_at(path) {
            Some(calling) => calling.phase = Phase::Ready,
            None => self.set_step(path, Step::Ready),
        }
        self.push_fail(path, problem, false);
    }

    pub(super) fn approval_expired(&mut self, path: &TaskPath) {
        if let Some(asking) = self.asking(path).cloned() {
            self.denied(path, &asking, "nobody decided in time".to_owned());
        }
    }
}

/// Any threshold that is met decides; a refusal before an approval.
fn tally(thresholds: &[Threshold], votes: &[Vote]) -> Tally {
    let count = |threshold: &Threshold, verdict| {
        let counts = |vote: &&Vote| {
            vote.verdict == verdict
                && threshold
                    .group
                    .as_ref()
                    .is_none_or(|group| vote.groups.contains(group))
        };
        u32::try_from(votes.iter().filter(counts).count()).unwrap_or(u32::MAX)
    };
    for threshold in thresholds {
        if count(threshold, Verdict::Deny) >= threshold.deny {
            let mut denials = votes.iter().filter(|vote| vote.verdict == Verdict::Deny);
            let last = denials.next_back();
            let by = last.map_or("somebody", |vote| vote.by.as_str());
            let why = last
                .and_then(|vote| vote.reason.as_deref())
                .unwrap_or("no reason given");
            return Tally::Denied(format!("denied by {by}: {why}"));
        }
    }
    let approved = |threshold| count(threshold, Verdict::Approve) >= threshold.approve;
    if thresholds.iter().any(approved) {
        Tally::Approved
    } else {
        Tally::Open
    }
}
