//! Steps that call services which are not the hub's: judged, recorded and protected like tools.
//!
//! HTTP requests and operations of `OpenAPI` documents have a breaker for each host and organisation.
//! MCP servers are called under the registration that has their address. Where requests may go is the
//! outbound guard's matter, what they look like that of `calls`.

use super::Workflows;
use super::answers;
use super::invoke::{Attempt, SOON, Way};
use crate::auth::Principal;
use crate::calls::{HTTP_TOOL, OPENAPI_TOOL, Outward};
use crate::error::CallError;
use crate::gateway::{Foreign, ListedOffer, OfferAsk};
use crate::policy::{Permit, Reach};
use crate::resilience::{Guarded, ResilienceConfig};
use crate::router::Route;
use crate::servers::Servers;
use crate::upstream::offers::{Bridge, OfferKind, OfferMethod};
use crate::upstream::{Description, Health, ToolFacts, Upstream, UpstreamCall, UpstreamError};
use async_trait::async_trait;
use moka::future::Cache;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use shared::error::Code;
use shared::id::ToolId;
use shared::tool::{Assessment, Output, Progress};
use std::sync::Arc;
use url::Url;
use workflow::core::{Failure, Invocation, Outcome, Problem, Target};
use workflow::dsl::model::Effect;

/// Hosts whose breakers are remembered.
const HOSTS: u64 = 512;
/// How these calls are named in metrics.
const LABEL: &str = "outside";
/// The service they are judged as.
const SERVICE: &str = "00_master_mcp";

/// The way to services that are not the hub's.
pub struct Outside {
    outward: Outward,
    servers: Option<Arc<Servers>>,
    resilience: ResilienceConfig,
    hosts: Cache<String, Arc<Guarded>>,
}

impl Outside {
    /// By way of `outward`; `servers` are the registered MCP servers, `None` where there are none.
    #[must_use]
    pub fn new(
        outward: Outward,
        servers: Option<Arc<Servers>>,
        resilience: ResilienceConfig,
    ) -> Self {
        Self {
            outward,
            servers,
            resilience,
            hosts: Cache::new(HOSTS),
        }
    }
}

/// One host: what a request would do is known without asking it, and must not pass for its answer.
struct Host {
    outward: Outward,
    guarded: Arc<Guarded>,
}

#[async_trait]
impl Upstream for Host {
    async fn describe(&self) -> Result<Description, UpstreamError> {
        self.outward.describe().await
    }

    async fn probe(&self) -> Result<Health, UpstreamError> {
        self.outward.probe().await
    }

    async fn assess(
        &self,
        reach: &Reach,
        call: &UpstreamCall,
    ) -> Result<Assessment, UpstreamError> {
        if call.tool.as_str() == HTTP_TOOL {
            return self.outward.assess(reach, call).await;
        }
        self.guarded.assess(reach, call).await
    }

    async fn call(&self, permit: &Permit, call: &UpstreamCall) -> Result<Output, UpstreamError> {
        self.guarded.call(permit, call).await
    }
}

impl Workflows {
    /// Opens the way to services that are not the hub's; without it steps that need it are refused.
    pub fn reach_out(&self, outside: Outside) {
        if self.outside.set(outside).is_err() {
            tracing::warn!(event = "outside_set_twice", "the way out was set before");
        }
    }

    /// The outcome of an attempt to call something that is no tool.
    pub(super) async fn call_outside(
        self: &Arc<Self>,
        attempt: &Attempt,
        principal: Arc<Principal>,
    ) -> Outcome {
        let call = &attempt.invoke.call;
        let Some(outside) = self.outside.get() else {
            let why = "this hub calls no services but its own";
            return answers::not_sent(Code::NotConfigured, why, None);
        };
        if call.target == Target::Mcp {
            return self.call_server(attempt, principal, outside).await;
        }
        match self.foreign(outside, attempt, &principal).await {
            Ok(foreign) => told(self.under_approval(attempt, principal, &foreign).await),
            Err(why) => answers::not_sent(Code::InvalidInput, why, None),
        }
    }

    async fn foreign(
        &self,
        outside: &Outside,
        attempt: &Attempt,
        principal: &Principal,
    ) -> Result<Way, String> {
        let call = &attempt.invoke.call;
        let (id, address) = match call.target {
            Target::OpenApi => (OPENAPI_TOOL, "document"),
            _ => (HTTP_TOOL, "endpoint"),
        };
        let address = call.with.get(address).and_then(Value::as_str);
        let url = Url::parse(address.unwrap_or_default());
        let url = url.map_err(|error| format!("the address cannot be used: {error}"))?;
        let host = format!(
            "{} {}",
            principal.organization,
            url.origin().ascii_serialization()
        );
        let guarded = async {
            let inner = Arc::new(outside.outward.clone());
            let metrics = Arc::clone(&self.gateway.metrics);
            let guarded = Guarded::new(LABEL.into(), inner, &outside.resilience, metrics);
            Arc::new(guarded)
        };
        let upstream = Arc::new(Host {
            guarded: outside.hosts.get_with(host, guarded).await,
            outward: outside.outward.clone(),
        });
        let tool = ToolId::parse(id).map_err(|error| error.to_string())?;
        let route = Route {
            alias: id.replace('.', "_").into(),
            tool: Arc::new(facts(tool, attempt.invoke.effect != Effect::Once)),
            service: SERVICE.into(),
            schema: None,
            owner: None,
            upstream,
            quarantined: false,
        };
        Ok(Way::Foreign(Foreign {
            route: Arc::new(route),
            shown: shown(&call.with),
            whole: call.with.clone(),
        }))
    }

    async fn call_server(
        self: &Arc<Self>,
        attempt: &Attempt,
        principal: Arc<Principal>,
        outside: &Outside,
    ) -> Outcome {
        let asked = match Asked::of(&attempt.invoke.call) {
            Ok(asked) => asked,
            Err(why) => return answers::not_sent(Code::InvalidInput, why, None),
        };
        let server = match &outside.servers {
            None => Ok(None),
            Some(servers) => servers.at(&asked.address, &principal.organization).await,
        };
        let server = match server {
            Ok(Some(server)) => server,
            Ok(None) => {
                let why = "no registered MCP server has this address; register it first";
                return answers::not_sent(Code::NotFound, why, None);
            }
            Err(error) => {
                return answers::not_sent(Code::ServiceUnavailable, error.to_string(), Some(SOON));
            }
        };
        if asked.method == "tools/call" {
            let Some(way) = self.tool_of(&server, asked.parameters) else {
                return Outcome::Parked {
                    detail: format!("{server} has no tool of this name now"),
                };
            };
            return answers::verbatim(self.under_approval(attempt, principal, &way).await);
        }
        match self.asked_of(&server, &asked, attempt, principal).await {
            Ok(result) => Outcome::Completed(Arc::new(result)),
            Err(error) => answers::outcome(Err(error)),
        }
    }

    /// The tool a server knows by the name in `tools/call`.
    fn tool_of(&self, server: &str, parameters: &Map<String, Value>) -> Option<Way> {
        let name = parameters.get("name").and_then(Value::as_str)?;
        let snapshot = self.gateway.router.snapshot();
        let mut own = snapshot.routes().iter().filter(|it| &*it.service == server);
        let route = own.find(|it| it.tool.wire.as_ref().is_some_and(|it| &*it.name == name))?;
        let arguments = parameters.get("arguments");
        Some(Way::Tool {
            id: route.tool.id.as_str().to_owned(),
            arguments: arguments.unwrap_or(&json!({})).to_string().into(),
        })
    }

    /// What a server lists, or one of the things it lists.
    async fn asked_of(
        &self,
        server: &str,
        asked: &Asked<'_>,
        attempt: &Attempt,
        principal: Arc<Principal>,
    ) -> Result<Value, CallError> {
        let caller = attempt.caller(principal);
        let listed = |key: &str, kind| {
            let offers = self.gateway.offers(&caller, kind, Some(server));
            Ok(json!({key: offers.iter().map(definition_of).collect::<Vec<_>>()}))
        };
        let method = match asked.method {
            "tools/list" => {
                let listing = self.gateway.list(&caller);
                let own = listing.tools.iter().map(|it| &it.route);
                let own = own.filter(|it| &*it.service == server);
                let own = own.filter_map(|it| Some(parsed(&it.tool.wire.as_ref()?.definition)));
                return Ok(json!({"tools": own.collect::<Vec<_>>()}));
            }
            "prompts/list" => return listed("prompts", OfferKind::Prompt),
            "resources/list" => return listed("resources", OfferKind::Resource),
            "resources/templates/list" => return listed("resourceTemplates", OfferKind::Template),
            "prompts/get" => OfferMethod::GetPrompt,
            _ => OfferMethod::ReadResource,
        };
        let params = Value::Object(asked.parameters.clone()).to_string();
        let ask = OfferAsk {
            caller,
            method,
            params: RawValue::from_string(params).map_err(|_odd| CallError::Internal)?,
            only: Some(server.into()),
            progress: Progress::ignored(),
            cancelled: attempt.cancelled.clone(),
            bridge: Bridge::none(),
        };
        Ok(parsed(&self.gateway.offer(ask).await?))
    }
}

/// A request to an MCP server.
struct Asked<'a> {
    address: Url,
    method: &'a str,
    parameters: &'a Map<String, Value>,
}

impl<'a> Asked<'a> {
    fn of(call: &'a Invocation) -> Result<Self, String> {
        static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let text = |name: &str| call.with.get(name).and_then(Value::as_str);
        let address = Url::parse(text("endpoint").unwrap_or_default());
        let parameters = match call.with.get("parameters") {
            None => &NONE,
            Some(Value::Object(parameters)) => parameters,
            Some(_) => return Err("the parameters are no object".to_owned()),
        };
        Ok(Self {
            address: address.map_err(|error| format!("the address cannot be used: {error}"))?,
            method: text("method").unwrap_or_default(),
            parameters,
        })
    }
}

/// What the hub knows of a call to the outside, as of a tool.
fn facts(id: ToolId, idempotent: bool) -> ToolFacts {
    ToolFacts {
        title: id.as_str().to_owned(),
        id,
        description: "A request of a workflow to a service outside".to_owned(),
        input_schema: RawValue::from_string("{}".to_owned()).expect("an object is JSON"),
        output_schema: None,
        effect: shared::tool::Effect::Mutate,
        effect_per_call: true,
        idempotent,
        long_running: true,
        destructive: true,
        open_world: true,
        sensitive: false,
        live: true,
        aliases: Vec::new(),
        wire: None,
        digest: String::new(),
    }
}

/// The arguments without credentials: of a policy its scheme is left, of such headers their names.
fn shown(with: &Value) -> Value {
    const HIDDEN: &str = "***";
    let mut shown = with.clone();
    for policy in ["authentication", "documentAuthentication"] {
        if let Some(Value::Object(schemes)) = shown.get_mut(policy) {
            schemes.values_mut().for_each(|it| *it = json!(HIDDEN));
        }
    }
    if let Some(Value::Object(headers)) = shown.get_mut("headers") {
        for (name, value) in headers {
            let secret = ["authorization", "proxy-authorization", "cookie"];
            if secret.contains(&name.to_ascii_lowercase().as_str()) {
                *value = json!(HIDDEN);
            }
        }
    }
    shown
}

/// The outcome in the words of the standard, where the call brought them.
fn told(answer: Result<crate::gateway::Answer, CallError>) -> Outcome {
    let Err(CallError::Upstream(UpstreamError::Tool(error))) = &answer else {
        return answers::outcome(answer);
    };
    let problem = error.details.as_ref().and_then(|it| it.get("problem"));
    let problem: Option<Problem> = problem.and_then(|it| serde_json::from_value(it.clone()).ok());
    match problem {
        None => answers::outcome(answer),
        Some(problem) => Outcome::Failed(Failure {
            problem,
            ran: !error.did_not_run,
            transient: error.retryable,
            retry_after: error.retry_after,
        }),
    }
}

fn definition_of(listed: &ListedOffer) -> Value {
    parsed(&listed.offer.definition)
}

fn parsed(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_default()
}
