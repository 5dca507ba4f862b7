//! The client against the real harness of the spokes: what one signs and sends, the other accepts.

use super::*;
use crate::auth::Principal;
use crate::caller::Caller;
use crate::caller::testing::{caller, principal};
use crate::policy::{Decision, Policy, Request};
use serde_json::{Value, json};
use shared::grant::Grant;
use shared::id::ToolId;
use shared::testkit::{SPOKE_TOKEN, TestSpoke};

/// Reads run, changes of `test.set` are waived, all others ask.
const RULES: &str = r"
policies:
  - name: waived
    type: access
    description: Setting is harmless here.
    priority: 200
    conditions: {field: tool, op: eq, value: test.set}
    actions: [waive_approval]
";

struct Hub {
    spoke: TestSpoke,
    client: SpokeClient,
    key: Arc<HubKey>,
    policy: Policy,
    description: Description,
    caller: Caller,
}

async fn hub() -> Hub {
    let key = Arc::new(HubKey::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call_key.pub");
    std::fs::write(&path, key.public_key()).unwrap();
    let path = path.display().to_string();
    let spoke = TestSpoke::with(&[("WAYGATE_CALL_PUBLIC_KEY_PATH", path.as_str())]).await;
    let target = SpokeTarget {
        service: "99_test_mcp".into(),
        url: spoke.url("").trim_end_matches('/').to_owned(),
        token: Some(Secret::new(SPOKE_TOKEN)),
    };
    let clock = spoke.clock.shared();
    let client = SpokeClient::new(&target, Arc::clone(&key), clock, Arc::default()).unwrap();
    let shipped = include_str!("../../../../../config/policies.yaml");
    let rules = format!(
        "{shipped}\n{}",
        RULES.trim_start().trim_start_matches("policies:\n")
    );
    let description = client.describe().await.unwrap();
    Hub {
        spoke,
        client,
        key,
        policy: Policy::parse(&rules).unwrap(),
        description,
        caller: caller(Principal {
            permissions: crate::caller::testing::permissions("read execute"),
            ..principal("key:1")
        }),
    }
}

impl Hub {
    fn prepared(&self, tool: &str, arguments: &Value) -> UpstreamCall {
        let id = ToolId::parse(tool).unwrap();
        let facts = self
            .description
            .tools
            .iter()
            .find(|facts| facts.id == id)
            .unwrap();
        let schema = serde_json::from_str(facts.input_schema.get()).unwrap();
        let schema = shared::arguments::ArgumentSchema::compile(schema).unwrap();
        let mut complete = arguments.clone();
        schema.fill_defaults(&mut complete);
        let mut call = call_of(facts.effect);
        call.tool = id;
        call.arguments = arguments.to_string().into();
        call.arguments_hash = shared::arguments::hash(&complete).into();
        call.call.principal = "key:1".into();
        if facts.effect != Effect::Read {
            call.call.idempotency_key = Some(Uuid::new_v4().to_string());
        }
        call
    }

    fn now(&self) -> i64 {
        self.client.clock.now().as_second()
    }

    fn decide(&self, call: &UpstreamCall) -> Decision {
        self.policy.decide(&Request {
            caller: &self.caller,
            tool: &call.tool,
            service: "99_test_mcp",
            effect: call.effect,
            arguments: Some(&json!({})),
            arguments_hash: &call.arguments_hash,
            now: self.now(),
        })
    }

    async fn call(&self, tool: &str, arguments: Value) -> Result<Value, UpstreamError> {
        let call = self.prepared(tool, &arguments);
        let permit = match self.decide(&call) {
            Decision::Allow(permit) => permit,
            Decision::Ask(ask) => {
                let grant = self.grant(&call);
                ask.permit(grant, self.key.public_key(), self.now())
                    .unwrap()
            }
            Decision::Deny(denial) => panic!("denied: {}", denial.message),
        };
        let output = self.client.call(&permit, &call).await?;
        Ok(serde_json::from_str(output.structured.get()).unwrap())
    }

    fn grant(&self, call: &UpstreamCall) -> Grant {
        let mut grant = Grant {
            approval_id: "apr_1".into(),
            principal: call.call.principal.clone(),
            tool: call.tool.to_string(),
            arguments_hash: call.arguments_hash.to_string(),
            effect: call.effect.as_str().into(),
            approvers: vec!["user:2".into()],
            expires_at: self.now() + 300,
            nonce: Uuid::new_v4().simple().to_string(),
            signatures: Vec::new(),
        };
        grant.sign(&self.key.key_id, &self.key.pair);
        grant
    }
}

fn code(error: &UpstreamError) -> (&'static str, bool) {
    match error {
        UpstreamError::Tool(error) => (error.code.as_str(), error.did_not_run),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reads_waived_changes_and_approved_changes_run() {
    let hub = hub().await;
    let said = hub
        .call("test.echo", json!({"text": "ab", "times": 2}))
        .await
        .unwrap();
    assert_eq!(said["text"], "abab");
    let said = hub.call("test.note", json!({})).await.unwrap();
    assert_eq!(said["total"], 0);
    let said = hub.call("test.set", json!({"amount": 5})).await.unwrap();
    assert_eq!(said["total"], 5);
    let said = hub.call("test.add", json!({"amount": 2})).await.unwrap();
    assert_eq!(said["total"], 7);
    let said = hub.call("test.destroy", json!({})).await.unwrap();
    assert_eq!(said["total"], 0);
}

#[tokio::test]
async fn a_change_without_authority_does_not_run() {
    let hub = hub().await;
    let call = hub.prepared("test.add", &json!({"amount": 2}));
    let permit = unproven::permit(&call.tool, call.effect);
    let error = hub.client.call(&permit, &call).await.unwrap_err();
    assert!(code(&error).1, "{error:?}");
    assert_eq!(hub.spoke.script.runs("test.add"), 0);
}

#[tokio::test]
async fn failures_of_a_tool_are_told_as_they_are() {
    let hub = hub().await;
    let failed = hub
        .call("test.fail", json!({"code": "NOT_FOUND"}))
        .await
        .unwrap_err();
    assert_eq!(code(&failed), ("NOT_FOUND", false));
    let invalid = hub
        .call("test.echo", json!({"times": 0}))
        .await
        .unwrap_err();
    assert_eq!(code(&invalid), ("INVALID_INPUT", true));
    let panicked = hub.call("test.panic", json!({})).await.unwrap_err();
    assert_eq!(code(&panicked).0, "INTERNAL_ERROR");
    assert!(!panicked.to_string().contains("secret"));
    let large = json!({"text": "x".repeat(1000), "times": 50_000});
    let error = hub.call("test.echo", large).await.unwrap_err();
    assert!(
        matches!(error, UpstreamError::Tool(_) | UpstreamError::BadAnswer(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_effect_of_a_call_is_asked_for() {
    let hub = hub().await;
    for (change, effect) in [(false, Effect::Read), (true, Effect::Mutate)] {
        let call = hub.prepared("test.judge", &json!({"change": change}));
        let reach = unproven::reach(&call.tool);
        let assessment = hub.client.assess(&reach, &call).await.unwrap();
        assert_eq!(assessment.effect, effect);
    }
    hub.spoke.script.set_ready(false);
    let call = hub.prepared("test.destroy", &json!({}));
    let reach = unproven::reach(&call.tool);
    let assessment = hub.client.assess(&reach, &call).await.unwrap();
    assert!(!assessment.ready());
    let refused = hub.call("test.destroy", json!({})).await.unwrap_err();
    assert_eq!(code(&refused), ("NOT_READY", true));
}

#[tokio::test]
async fn a_dropped_call_ends_in_the_spoke() {
    let hub = hub().await;
    let call = hub.prepared("test.slow", &json!({}));
    let permit = unproven::permit(&call.tool, call.effect);
    tokio::select! {
        _ended = hub.client.call(&permit, &call) => panic!("nobody released it"),
        () = hub.spoke.script.waiting() => {}
    }
    hub.spoke.script.dropped().await;
}

#[tokio::test]
async fn tools_and_health_are_described() {
    let hub = hub().await;
    assert_eq!(hub.client.probe().await.unwrap(), Health::Healthy);
    let judge = hub
        .description
        .tools
        .iter()
        .find(|tool| tool.id.as_str() == "test.judge");
    assert!(judge.unwrap().effect_per_call);
    assert_eq!(
        hub.description.canary.as_ref().map(ToolId::as_str),
        Some("test.echo")
    );
    assert_eq!(hub.client.describe().await.unwrap(), hub.description);
}
