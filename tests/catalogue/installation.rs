//! A hub as a process of its own in front of spokes in this process, whose bodies are counted.

use crate::counted::{SPOKES, Spoke};
use crate::described::Described;
use crate::door::{Door, Way};
use serde_json::{Value, json};
use shared::spoke::Service;
use shared::testkit::HubClient;
use shared::tool::Tool;
use std::sync::Arc;
use std::time::Duration;
use tests::ground::Ground;
use tests::host::{Host, Reply};
use tests::stack::Stack;
use tokio::time::Instant;

/// How long the hub may take to describe its spokes.
const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN_PATH: &str = "WAYGATE_SPOKE_TOKEN_PATH";

/// A service, and tools that stand for those it would build.
pub(crate) type Offer = (&'static Service, Option<Vec<Arc<dyn Tool>>>);

/// Hub and spokes.
pub(crate) struct Installation {
    pub(crate) stack: Stack,
    pub(crate) spokes: Vec<Spoke>,
}

impl Installation {
    /// A hub in front of every spoke there is.
    pub(crate) async fn open() -> Self {
        Self::of(SPOKES.map(|service| (service, None)).into()).await
    }

    /// A hub in front of these services.
    pub(crate) async fn of(services: Vec<Offer>) -> Self {
        // Rates are the matter of other tests.
        let mut ground = Ground::prepare(&[
            ("WAYGATE_RATE_LIMIT", "100000"),
            ("WAYGATE_IP_RATE_LIMIT", "100000"),
        ]);
        let mut spokes = Vec::new();
        for (service, tools) in services {
            let spoke = Spoke::behind(service, ground.environment(), tools).await;
            ground.offer(service.name, service.namespaces, &spoke.url());
            spokes.push(spoke);
        }
        let all = Self {
            stack: ground.open(),
            spokes,
        };
        all.until_every_spoke_is_known().await;
        all
    }

    /// A hub does not wait long for its spokes when it starts.
    async fn until_every_spoke_is_known(&self) {
        let door = self.door(Way::Modern).await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = door.ask("tools/list", json!({})).await;
            let listed = answer["result"]["tools"].as_array().unwrap();
            let ids = listed
                .iter()
                .filter_map(|tool| tool["_meta"]["waygate/id"].as_str());
            let ids: Vec<&str> = ids.collect();
            let mut namespaces = self
                .spokes
                .iter()
                .flat_map(|spoke| spoke.service.namespaces);
            let missing =
                namespaces.find(|namespace| ids.iter().all(|id| !id.starts_with(**namespace)));
            let Some(missing) = missing else { return };
            assert!(
                Instant::now() < deadline,
                "no tool of {missing}:\n{}",
                self.stack.hub.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An MCP client of the hub with the key of an agent.
    pub(crate) async fn door(&self, way: Way) -> Door {
        Door::open(
            &self.stack.url,
            way,
            ("x-api-key", self.stack.agent.clone()),
        )
        .await
    }

    /// Calls a tool over `/mcp/execute` and `/mcp/tools/execute`: what came back, and its error code.
    pub(crate) async fn over_rest(
        &self,
        service: &str,
        tool: &str,
        arguments: &Value,
    ) -> [Reply; 2] {
        let host = Host::new(&self.stack.url, &self.stack.agent);
        let engine = json!({"action": "execute", "params": {"tool": tool, "arguments": arguments}});
        let direct = json!({"server_name": service, "tool_name": tool, "parameters": arguments});
        [
            host.post("/mcp/execute", engine).await,
            host.post("/mcp/tools/execute", direct).await,
        ]
    }

    /// What a service describes, asked directly.
    pub(crate) async fn described(&self, spoke: &Spoke) -> Vec<Described> {
        let token = self
            .stack
            .environment()
            .iter()
            .find(|(name, _)| name == TOKEN_PATH)
            .unwrap();
        let token = std::fs::read_to_string(&token.1).unwrap();
        let hub = spoke.place.hub.clone();
        let client = HubClient::connect(spoke.running.address, Some(token.trim()), hub).await;
        Described::all(&client)
    }

    /// Requests that wait for somebody.
    pub(crate) async fn waiting(&self) -> Vec<Value> {
        let operator = Host::new(&self.stack.url, &self.stack.operator);
        let waiting = operator.get("/api/approvals?state=pending").await;
        let list = waiting.body["data"].as_array();
        list.unwrap_or_else(|| panic!("{}", waiting.body)).clone()
    }

    /// Says no to everything that waits, since only so many requests may wait at once.
    pub(crate) async fn reject_all(&self) {
        let operator = Host::new(&self.stack.url, &self.stack.operator);
        for approval in self.waiting().await {
            let id = approval["request_id"].as_str().unwrap();
            let rejected = operator
                .post(&format!("/api/approvals/{id}/reject"), json!({}))
                .await;
            assert_eq!(rejected.status, 200, "{}", rejected.body);
        }
    }

    /// How often any body of any spoke began.
    pub(crate) fn runs(&self) -> u64 {
        self.spokes.iter().map(|spoke| spoke.runs.all()).sum()
    }
}
