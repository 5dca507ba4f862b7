//! The cost of each step of a call, alone and in this process: what authentication, policy, limits,
//! audit, the breaker and the signature add.

use super::spoke::{echo_call, local_caller, read_permit};
use super::{BenchError, echo};
use crate::audit::{Audit, AuditOutcome, Intent};
use crate::auth::{Auth, AuthConfig, NewKey, Presented, Principal};
use crate::caller::Caller;
use crate::keys::HubKey;
use crate::limits::{Limits, LimitsConfig};
use crate::metrics::Metrics;
use crate::policy::{Policy, Rates, Request};
use crate::resilience::{Guarded, ResilienceConfig};
use crate::store::instance::Instance;
use crate::store::{DatabaseUrl, Store, StoreConfig};
use crate::upstream::local::LocalUpstream;
use crate::upstream::{Upstream, UpstreamCall};
use shared::arguments::{self, ArgumentSchema};
use shared::call_token::{self, Claims};
use shared::clock::{SharedClock, SystemClock};
use shared::tool::{Effect, Tool};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// What one step costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub name: &'static str,
    /// Time of one, on average, one after the other.
    pub each: Duration,
}

/// Steps that do not wait for a disk are done this often.
const TIMES: u32 = 5_000;
/// Steps that do.
const DURABLE_TIMES: u32 = 200;

/// Times every step. The store is a file in `folder`, so that what is durable is.
///
/// # Errors
/// [`BenchError::Setup`] when a part cannot be built.
pub async fn steps(folder: &Path) -> Result<Vec<Step>, BenchError> {
    let bench = Bench::new(folder).await?;
    let mut steps = vec![
        bench.authentication().await?,
        bench.arguments()?,
        bench.policy()?,
        bench.limits().await?,
    ];
    steps.push(bench.audit("audit of a read: queued", Effect::Read).await?);
    steps.push(
        bench
            .audit("audit of a change: on disk", Effect::Mutate)
            .await?,
    );
    steps.extend(bench.protection().await?);
    steps.push(bench.signature());
    Ok(steps)
}

struct Bench {
    store: Store,
    clock: SharedClock,
    key: Arc<HubKey>,
    audit: Audit,
    caller: Caller,
    call: UpstreamCall,
}

fn setup(error: impl std::fmt::Display) -> BenchError {
    BenchError::Setup(error.to_string())
}

fn each(name: &'static str, began: Instant, times: u32) -> Step {
    Step {
        name,
        each: began.elapsed() / times,
    }
}

impl Bench {
    async fn new(folder: &Path) -> Result<Self, BenchError> {
        let url = format!("sqlite:{}", folder.join("steps.db").display());
        let url = DatabaseUrl::parse(&url).map_err(setup)?;
        let store = Store::open(StoreConfig { url, pool_size: 4 }).await;
        let store = store.map_err(setup)?;
        let clock = SystemClock::shared();
        let key = Arc::new(HubKey::generate().map_err(setup)?);
        let instance = Instance::visitor(store.clone(), Arc::clone(&clock));
        let audit = Audit::start(&instance, Arc::clone(&key), None).await;
        Ok(Self {
            audit: audit.map_err(setup)?,
            store,
            clock,
            key,
            caller: local_caller(),
            call: echo_call()?,
        })
    }

    async fn authentication(&self) -> Result<Step, BenchError> {
        let auth = Auth::new(
            self.store.clone(),
            Arc::clone(&self.clock),
            AuthConfig::default(),
        );
        let operator = Principal::local("bench");
        let issued = auth.create_key(&operator, NewKey::named("bench")).await;
        let presented = Presented::key(issued.map_err(setup)?.text);
        let began = Instant::now();
        for _ in 0..TIMES {
            auth.authenticate(&presented).await.map_err(setup)?;
        }
        Ok(each("authentication by API key", began, TIMES))
    }

    fn arguments(&self) -> Result<Step, BenchError> {
        let tool = echo_tool()?;
        let schema = ArgumentSchema::compile(tool.definition().input_schema.clone());
        let schema = schema.map_err(setup)?;
        let began = Instant::now();
        for _ in 0..TIMES {
            let parsed =
                arguments::parse_object(&self.call.arguments, arguments::Limits::default());
            let mut parsed = parsed.map_err(setup)?;
            schema.fill_defaults(&mut parsed);
            schema.check(&parsed).map_err(setup)?;
            std::hint::black_box(arguments::hash(&parsed));
        }
        Ok(each("arguments: parse, check, hash", began, TIMES))
    }

    fn policy(&self) -> Result<Step, BenchError> {
        let shipped = include_str!("../../../config/policies.yaml");
        let policy = Policy::parse(shipped).map_err(setup)?;
        let request = Request {
            caller: &self.caller,
            tool: &self.call.tool,
            service: echo::SERVICE.name,
            effect: Effect::Read,
            arguments: None,
            arguments_hash: &self.call.arguments_hash,
            now: self.clock.now().as_second(),
        };
        let began = Instant::now();
        for _ in 0..TIMES {
            std::hint::black_box(policy.decide(&request));
        }
        Ok(each("policy", began, TIMES))
    }

    async fn limits(&self) -> Result<Step, BenchError> {
        let large = Rates {
            per_minute: u32::MAX,
            per_hour: u32::MAX,
            per_day: u32::MAX,
            burst: 0,
        };
        let limits = Limits::new(LimitsConfig {
            user_per_minute: u32::MAX,
            organization: large,
            ..LimitsConfig::default()
        });
        let began = Instant::now();
        for _ in 0..TIMES {
            let admitted = limits
                .admit(&self.caller, &self.call.tool, echo::SERVICE.name)
                .await;
            admitted.map_err(|limited| setup(limited.scope))?;
        }
        Ok(each("limits", began, TIMES))
    }

    async fn audit(&self, name: &'static str, effect: Effect) -> Result<Step, BenchError> {
        let times = if effect == Effect::Read {
            TIMES
        } else {
            DURABLE_TIMES
        };
        let began = Instant::now();
        for _ in 0..times {
            let record = self.audit.open(self.intent(effect)).await.map_err(setup)?;
            record.close(AuditOutcome {
                code: "OK",
                rule: None,
                approval_id: None,
                duration: Duration::from_millis(1),
                output_bytes: 60,
                cached: false,
                replayed: false,
            });
        }
        Ok(each(name, began, times))
    }

    fn intent(&self, effect: Effect) -> Intent {
        let principal = &self.caller.principal;
        Intent {
            call_id: Uuid::now_v7().to_string(),
            principal: Arc::clone(&principal.id),
            organization: Arc::clone(&principal.organization),
            namespace: Arc::clone(&principal.namespace),
            tool: echo::TOOL.into(),
            service: echo::SERVICE.name.into(),
            effect,
            arguments: serde_json::json!({ "text": echo::TEXT }),
            arguments_hash: Arc::clone(&self.call.arguments_hash),
            correlation_id: self.caller.correlation_id.clone(),
            request_id: Arc::clone(&self.caller.request_id),
            address: None,
            door: "bench",
            idempotency_key: None,
        }
    }

    /// The tool itself, then with bulkhead, retry and breaker around it.
    async fn protection(&self) -> Result<[Step; 2], BenchError> {
        let service = echo::SERVICE.name;
        let plain = LocalUpstream::new(service, "1", &["bench"], vec![echo_tool()?]);
        let plain: Arc<dyn Upstream> = Arc::new(plain.map_err(setup)?);
        let metrics = Arc::new(Metrics::new("1"));
        let config = ResilienceConfig::default();
        let guarded = Guarded::new(service.into(), Arc::clone(&plain), &config, metrics);
        let bare = self.calls("the echo tool alone", &*plain).await?;
        let mut around = self.calls("bulkhead, retry, breaker", &guarded).await?;
        around.each = around.each.saturating_sub(bare.each);
        Ok([bare, around])
    }

    async fn calls(&self, name: &'static str, target: &dyn Upstream) -> Result<Step, BenchError> {
        let permit = read_permit(&self.call)?;
        let mut call = self.call.clone();
        call.call.deadline = Instant::now() + Duration::from_secs(60);
        let began = Instant::now();
        for _ in 0..TIMES {
            target.call(&permit, &call).await?;
        }
        Ok(each(name, began, TIMES))
    }

    fn signature(&self) -> Step {
        let mut claims = Claims {
            aud: echo::SERVICE.name.into(),
            boot_id: Uuid::new_v4().to_string(),
            sub: self.call.call.principal.clone(),
            tool: echo::TOOL.into(),
            args: self.call.arguments_hash.to_string(),
            cid: self.call.call.correlation_id.to_string(),
            key: String::new(),
            authority: None,
            iat: 0,
            exp: 30,
            jti: Uuid::nil(),
        };
        let began = Instant::now();
        for _ in 0..TIMES {
            claims.jti = Uuid::new_v4();
            std::hint::black_box(call_token::sign(&claims, &self.key.pair));
        }
        each("signature of a call token", began, TIMES)
    }
}

fn echo_tool() -> Result<Arc<dyn Tool>, BenchError> {
    echo::tool().ok_or_else(|| setup("the echo tool has no canonical id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_step_is_timed() {
        let folder = tempfile::tempdir().unwrap();
        let steps = steps(folder.path()).await.unwrap();
        assert_eq!(steps.len(), 9);
        let zero: Vec<_> = steps.iter().filter(|step| step.each.is_zero()).collect();
        assert!(
            zero.len() <= 1,
            "only a difference may be nothing: {zero:?}"
        );
    }
}
