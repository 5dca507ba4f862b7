//! A hub's approvals with the people around it.

use jiff::Timestamp;
use orchestrator::approvals::{
    Approval, ApprovalError, ApprovalRequest, Approvals, ApprovalsConfig, ApprovalsParts, Said,
    Verdict,
};
use orchestrator::audit::{Audit, Filter};
use orchestrator::auth::{CredentialKind, Permissions, Principal, Role};
use orchestrator::caller::Caller;
use orchestrator::keys::HubKey;
use orchestrator::policy::{Ask, Decision, Policy, Request};
use orchestrator::store::instance::Instance;
use orchestrator::store::{Page, Statement, Store};
use serde_json::{Value, json};
use shared::clock::TestClock;
use shared::grant::Grant;
use shared::id::{CorrelationId, ToolId};
use shared::redact::Redactor;
use shared::tool::{Assessment, Check, Effect};
use std::sync::Arc;

pub(crate) struct Desk {
    pub(crate) approvals: Arc<Approvals>,
    pub(crate) clock: TestClock,
    audit: Arc<Audit>,
    organization: String,
    /// One approver; compiled once, since that takes a while.
    usual: Policy,
}

const USUAL: &str = "{approvers: 1}";

/// One call that asks.
pub(crate) struct Asked<'a> {
    pub(crate) requester: &'a str,
    /// Id of the person behind the requester.
    pub(crate) person: Option<&'a str>,
    pub(crate) tool: &'a str,
    pub(crate) hash: &'a str,
    pub(crate) effect: Effect,
    /// Of the rule that asks.
    pub(crate) terms: &'a str,
    pub(crate) arguments: Value,
    pub(crate) summary: &'a str,
}

impl<'a> Asked<'a> {
    pub(crate) fn by(requester: &'a str, hash: &'a str) -> Self {
        Self {
            requester,
            person: None,
            tool: "os.linux.runCommand",
            hash,
            effect: Effect::Mutate,
            terms: USUAL,
            arguments: json!({"command": "true"}),
            summary: "Runs true.",
        }
    }
}

impl Desk {
    /// In a new organisation of this name.
    pub(crate) async fn open(store: Store, organization: &str) -> Self {
        let sql = "INSERT INTO organizations (id, name, slug, created_at, updated_at) \
                   VALUES ($1, $1, $1, 0, 0)";
        let insert = Statement::new(sql).bind(organization);
        store.write(vec![insert]).await.unwrap();
        let clock = TestClock::at(Timestamp::from_second(1_800_000_000).unwrap());
        Self::reopen(store, organization, clock).await
    }

    /// Another hub, or the same one after a restart.
    pub(crate) async fn reopen(store: Store, organization: &str, clock: TestClock) -> Self {
        let key = Arc::new(HubKey::from_bytes(&[0xa5; 32]).unwrap());
        let instance = Instance::register(store.clone(), clock.shared())
            .await
            .unwrap();
        let audit = Arc::new(
            Audit::start(&instance, Arc::clone(&key), None)
                .await
                .unwrap(),
        );
        let parts = ApprovalsParts {
            store,
            audit: Arc::clone(&audit),
            key,
            redactor: Arc::new(Redactor::new()),
            clock: clock.shared(),
        };
        Self {
            approvals: Arc::new(Approvals::new(parts, ApprovalsConfig::default())),
            clock,
            audit,
            organization: organization.to_owned(),
            usual: policy(USUAL),
        }
    }

    /// Somebody of this organisation; who is called boss or helper may approve.
    pub(crate) fn principal(&self, id: &str) -> Principal {
        let may_approve = id.contains("boss") || id.contains("helper");
        let words = if may_approve {
            "read execute approvals:approve"
        } else {
            "read execute"
        };
        Principal {
            id: id.into(),
            name: format!("name of {id}").as_str().into(),
            person: None,
            organization: self.organization.as_str().into(),
            namespace: "default".into(),
            role: if id.contains("boss") {
                Role::Admin
            } else {
                Role::User
            },
            kind: CredentialKind::UserKey,
            permissions: Permissions::parse(words.split(' ')).unwrap(),
            rate_limit: 0,
        }
    }

    pub(crate) fn caller(&self, id: &str) -> Caller {
        Caller {
            principal: Arc::new(self.principal(id)),
            correlation_id: CorrelationId::parse("test").unwrap(),
            request_id: "req_test".into(),
            traceparent: None,
            address: None,
            door: "mcp",
            depth: 0,
            http: None,
        }
    }

    pub(crate) async fn ask(&self, requester: &str, hash: &str) -> Result<Approval, ApprovalError> {
        self.ask_for(Asked::by(requester, hash)).await
    }

    pub(crate) async fn ask_for(&self, asked: Asked<'_>) -> Result<Approval, ApprovalError> {
        let mut caller = self.caller(asked.requester);
        if asked.person.is_some() {
            let principal = Arc::make_mut(&mut caller.principal);
            principal.person = asked.person.map(Into::into);
        }
        let tool = ToolId::parse(asked.tool).unwrap();
        let ask = self.question(&caller, &tool, &asked);
        let assessment = Assessment {
            effect: asked.effect,
            summary: asked.summary.to_owned(),
            checks: vec![Check {
                name: "reachable".into(),
                ok: true,
                detail: "answers".into(),
            }],
        };
        let request = ApprovalRequest {
            caller: &caller,
            ask: &ask,
            tool: &tool,
            service: &"01_linux_cli_mcp".into(),
            effect: asked.effect,
            arguments: &asked.arguments,
            arguments_hash: &asked.hash.into(),
            assessment: &assessment,
        };
        self.approvals.request(request).await
    }

    /// What policy says to the call.
    pub(crate) fn question(&self, caller: &Caller, tool: &ToolId, asked: &Asked<'_>) -> Ask {
        let request = request(caller, tool, asked);
        let decision = if asked.terms == USUAL {
            self.usual.decide(&request)
        } else {
            policy(asked.terms).decide(&request)
        };
        match decision {
            Decision::Ask(ask) => ask,
            other => unreachable!("the rule asks, got {other:?}"),
        }
    }

    pub(crate) async fn decide(
        &self,
        id: &str,
        approver: &str,
        verdict: Verdict,
    ) -> Result<Approval, ApprovalError> {
        let approver = self.principal(approver);
        self.approvals
            .decide(id, &approver, Said::plain(verdict, Some("because")))
            .await
    }

    /// What `reader` is shown as the token.
    pub(crate) async fn token(&self, id: &str, reader: &str) -> Option<String> {
        let reader = self.principal(reader);
        let approval = self.approvals.get(id, &reader).await.unwrap();
        self.approvals.token_for(&approval, &reader)
    }

    pub(crate) async fn redeem(
        &self,
        token: &str,
        requester: &str,
        hash: &str,
    ) -> Result<Grant, ApprovalError> {
        let asked = Asked::by(requester, hash);
        self.redeem_for(token, &self.caller(requester), &asked)
            .await
    }

    pub(crate) async fn redeem_for(
        &self,
        token: &str,
        caller: &Caller,
        asked: &Asked<'_>,
    ) -> Result<Grant, ApprovalError> {
        let tool = ToolId::parse(asked.tool).unwrap();
        self.approvals
            .redeem(token, &request(caller, &tool, asked))
            .await
    }

    /// What the trail says of one request: action and actor, oldest first.
    pub(crate) async fn trail(&self, id: &str) -> Vec<String> {
        let filter = Filter {
            resource_id: Some(id.to_owned()),
            ..Filter::default()
        };
        let listed = self.audit.list(&filter, Page::new(1, 100)).await.unwrap();
        let mut rows = listed.rows;
        rows.sort_by_key(|row| row.seq);
        rows.iter()
            .map(|row| format!("{} {}", row.action, row.actor))
            .collect()
    }
}

fn request<'a>(caller: &'a Caller, tool: &'a ToolId, asked: &'a Asked<'_>) -> Request<'a> {
    Request {
        caller,
        tool,
        service: "01_linux_cli_mcp",
        effect: asked.effect,
        arguments: Some(&asked.arguments),
        arguments_hash: asked.hash,
        now: 0,
    }
}

fn policy(terms: &str) -> Policy {
    let rule = "name: asks, type: access, priority: 1";
    Policy::parse(&format!(
        "policies: [{{{rule}, actions: [require_approval: {terms}]}}]"
    ))
    .unwrap()
}
