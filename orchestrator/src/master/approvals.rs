//! `approvals.get`, `approvals.list`, `approvals.wait`: what a requester can know of its requests.
//!
//! Nothing is decided here: an AI host that could approve its own calls would make approvals void.

use crate::approvals::{Approval, ApprovalError, ApprovalState, Approvals};
use crate::auth::{CredentialKind, Permissions, Principal, Role};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::error::Code;
use shared::id::InvalidId;
use shared::tool::{Call, Effect, Spec, Tool, ToolError, TypedTool, boxed};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait of one call, in seconds.
const MAX_WAIT_SECONDS: u64 = 300;

/// The tools about approvals.
///
/// # Errors
/// [`InvalidId`] when a definition is wrong.
pub fn approval_tools(approvals: &Arc<Approvals>) -> Result<Vec<Arc<dyn Tool>>, InvalidId> {
    Ok(vec![
        boxed(Get(Arc::clone(approvals)))?,
        boxed(List(Arc::clone(approvals)))?,
        boxed(Wait(Arc::clone(approvals)))?,
    ])
}

struct Get(Arc<Approvals>);
struct List(Arc<Approvals>);
struct Wait(Arc<Approvals>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetArguments {
    /// Id of the request, as the refused call gave it.
    request_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListArguments {
    /// Which requests.
    #[serde(default = "pending")]
    state: StateWord,
    /// Most requests, newest first.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 200))]
    limit: u32,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum StateWord {
    Pending,
    Approved,
    Rejected,
    Expired,
    Consumed,
}

const fn pending() -> StateWord {
    StateWord::Pending
}

const fn fifty() -> u32 {
    50
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WaitArguments {
    /// Id of the request, as the refused call gave it.
    request_id: String,
    /// Longest wait, in seconds.
    #[serde(default = "sixty")]
    #[schemars(range(min = 1, max = 300))]
    timeout: u64,
}

const fn sixty() -> u64 {
    60
}

/// One approval request.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Shown {
    /// Id of the request.
    request_id: String,
    /// Canonical id of the tool.
    tool: String,
    /// Folder name of the service.
    service: String,
    /// The effect people are shown.
    effect: String,
    /// The arguments, secrets masked.
    arguments: Value,
    /// SHA-256 over the canonical arguments.
    arguments_hash: String,
    /// What would happen.
    summary: String,
    /// Where it stands.
    state: StateWord,
    /// Who asked.
    requester: String,
    /// How many people must say yes.
    required: u32,
    /// When it was asked.
    requested_at: String,
    /// Until when it can be decided or, once approved, used.
    expires_at: String,
    /// Preconditions of critical work.
    #[serde(default)]
    readiness: Option<Readiness>,
    /// Where people decide.
    url: String,
    /// Only for the requester, once approved: repeat the call with it as `_meta` `waygate/approvalToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Readiness {
    /// Whether every check holds.
    ready: bool,
    /// What was looked at.
    checks: Vec<CheckShown>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct CheckShown {
    /// What was looked at.
    name: String,
    /// Whether it holds.
    ok: bool,
    /// What was seen.
    detail: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    /// The requests, newest first.
    approvals: Vec<Shown>,
    /// How many.
    count: usize,
}

#[async_trait]
impl TypedTool for Get {
    type Arguments = GetArguments;
    type Output = Shown;

    fn spec(&self) -> Spec {
        let text = "Show one approval request of yours: what was asked, where it stands, and the token \
                    once people have said yes.";
        Spec::new("approvals.get", Effect::Read, text)
            .sensitive()
            .live()
    }

    async fn run(&self, arguments: GetArguments, call: &Call) -> Result<Shown, ToolError> {
        let reader = reader(call)?;
        let approval = self
            .0
            .get(&arguments.request_id, &reader)
            .await
            .map_err(refusal)?;
        shown(&self.0, &approval, &reader)
    }
}

#[async_trait]
impl TypedTool for List {
    type Arguments = ListArguments;
    type Output = Listed;

    fn spec(&self) -> Spec {
        let text = "List approval requests in one state: your own, or all of the organisation for those \
                    who may approve.";
        Spec::new("approvals.list", Effect::Read, text)
            .sensitive()
            .live()
    }

    async fn run(&self, arguments: ListArguments, call: &Call) -> Result<Listed, ToolError> {
        let reader = reader(call)?;
        let state = match arguments.state {
            StateWord::Pending => ApprovalState::Pending,
            StateWord::Approved => ApprovalState::Approved,
            StateWord::Rejected => ApprovalState::Rejected,
            StateWord::Expired => ApprovalState::Expired,
            StateWord::Consumed => ApprovalState::Consumed,
        };
        let found = self
            .0
            .list(&reader, Some(state), arguments.limit)
            .await
            .map_err(refusal)?;
        let approvals: Vec<Shown> = found
            .iter()
            .map(|approval| shown(&self.0, approval, &reader))
            .collect::<Result<_, _>>()?;
        Ok(Listed {
            count: approvals.len(),
            approvals,
        })
    }
}

#[async_trait]
impl TypedTool for Wait {
    type Arguments = WaitArguments;
    type Output = Shown;

    fn spec(&self) -> Spec {
        let text = "Wait until somebody decides an approval request of yours, or the timeout passes; then \
                    show it as approvals.get does.";
        Spec::new("approvals.wait", Effect::Read, text)
            .long_running()
            .sensitive()
            .live()
    }

    async fn run(&self, arguments: WaitArguments, call: &Call) -> Result<Shown, ToolError> {
        let reader = reader(call)?;
        let timeout = Duration::from_secs(arguments.timeout.min(MAX_WAIT_SECONDS));
        // Answer before the call itself runs out of time.
        let timeout = timeout.min(call.remaining().saturating_sub(Duration::from_millis(200)));
        let approval = self
            .0
            .wait(&arguments.request_id, &reader, timeout)
            .await
            .map_err(refusal)?;
        shown(&self.0, &approval, &reader)
    }
}

/// The caller as the approvals know principals.
fn reader(call: &Call) -> Result<Principal, ToolError> {
    let permissions =
        Permissions::parse(call.permissions.iter().map(String::as_str)).map_err(|_invalid| {
            ToolError::refused(Code::InternalError, "the caller's rights are unclear")
        })?;
    Ok(Principal {
        id: call.principal.as_str().into(),
        name: call.principal.as_str().into(),
        person: None,
        organization: call.organization.as_str().into(),
        namespace: call.namespace.as_str().into(),
        role: Role::Viewer,
        kind: CredentialKind::Local,
        permissions,
        rate_limit: 0,
    })
}

fn shown(
    approvals: &Approvals,
    approval: &Approval,
    reader: &Principal,
) -> Result<Shown, ToolError> {
    serde_json::from_value(approvals.to_json(approval, reader)).map_err(|error| {
        tracing::error!(event = "approval_shape", %error, "an approval could not be shown");
        ToolError::refused(Code::InternalError, "the request could not be shown")
    })
}

fn refusal(error: ApprovalError) -> ToolError {
    match error {
        ApprovalError::NotFound => ToolError::refused(Code::NotFound, "unknown approval request"),
        other => {
            tracing::error!(event = "approvals_failed", error = %other, "approvals could not be read");
            ToolError::refused(Code::ServiceUnavailable, "approvals cannot be read now").retryable()
        }
    }
}
