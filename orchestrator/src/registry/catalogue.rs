//! From a description to routes: the namespace wall, pins, aliases, compiled schemas.

use super::target::Target;
use super::{Registry, aliases, pins};
use crate::router::{Route, Snapshot};
use crate::store::StoreError;
use crate::upstream::ToolFacts;
use serde_json::Value;
use shared::arguments::ArgumentSchema;
use std::collections::HashMap;
use std::sync::Arc;

impl Registry {
    /// Makes routes of the last description of `target` and publishes them.
    pub(super) async fn integrate(&self, target: &Target) -> Result<(), StoreError> {
        let _one_at_a_time = target.integrating.lock().await;
        let Some(description) = target.description() else {
            return Ok(());
        };
        let tools = self.own_tools(target, &description.tools);
        let quarantined = match &target.guarded {
            None => Vec::new(),
            Some(_) => pins::compare(&self.parts, &target.service, &tools).await?,
        };
        let offered = tools.into_iter().map(|tool| {
            let waits = quarantined.contains(&tool.id);
            (tool, waits)
        });
        self.offer(target, offered.collect()).await?;
        target.settled();
        Ok(())
    }

    /// The tools of spokes that were seen by an earlier hub, from their pins.
    pub(super) async fn restore(&self) -> Result<(), StoreError> {
        for target in self.targets() {
            if target.guarded.is_none() || target.description().is_some() {
                continue;
            }
            let known = pins::definitions(&self.parts.store, &target.service).await?;
            let known: Vec<_> = known
                .into_iter()
                .map(|(tool, waits)| (Arc::new(tool), waits))
                .collect();
            let tools: Vec<_> = known.iter().map(|(tool, _)| Arc::clone(tool)).collect();
            let allowed = self.own_tools(&target, &tools);
            let waits: HashMap<_, _> = known
                .iter()
                .map(|(tool, waits)| (&tool.id, *waits))
                .collect();
            let offered = allowed.into_iter().map(|tool| {
                let waits = waits.get(&tool.id).copied().unwrap_or(true);
                (tool, waits)
            });
            self.offer(&target, offered.collect()).await?;
        }
        Ok(())
    }

    async fn offer(
        &self,
        target: &Target,
        tools: Vec<(Arc<ToolFacts>, bool)>,
    ) -> Result<(), StoreError> {
        let ids = tools.iter().map(|(tool, _)| &tool.id);
        let aliases = aliases::of(&self.parts, ids).await?;
        let routes = tools.into_iter().filter_map(|(tool, quarantined)| {
            let alias = Arc::clone(aliases.get(&tool.id)?);
            Some(Arc::new(Route {
                alias,
                owner: target.owner(),
                service: Arc::clone(&target.service),
                schema: compiled(&tool),
                upstream: Arc::clone(&target.upstream),
                quarantined,
                tool,
            }))
        });
        if target.offer(routes.collect()) {
            self.publish();
        }
        Ok(())
    }

    /// Only tools, and other ids, for whose prefix the target is the one configured service: a spoke
    /// cannot offer `secrets.x` in the place of the one that holds secrets.
    fn own_tools(&self, target: &Target, tools: &[Arc<ToolFacts>]) -> Vec<Arc<ToolFacts>> {
        let wall = Snapshot::new(Vec::new(), self.namespaces());
        // Servers' tools may also be called `<server>__<tool>`.
        let joined = |id: &str| {
            let server = id.split_once("__").map(|(server, _)| server);
            target.is_third_party() && server == Some(&*target.service)
        };
        let owns = |id: &str| wall.service_for(id) == Some(&target.service) || joined(id);
        let mut own = Vec::with_capacity(tools.len());
        for tool in tools {
            if !owns(tool.id.as_str()) {
                tracing::warn!(event = "tool_outside_namespace", of_service = %target.service,
                    tool = %tool.id, "a spoke offers a tool of a namespace that is not its own");
                continue;
            }
            let longer =
                !tool.long_running && target.long_running.iter().any(|id| id == tool.id.as_str());
            if !longer && tool.aliases.iter().all(|alias| owns(alias)) {
                own.push(Arc::clone(tool));
                continue;
            }
            let mut changed = ToolFacts::clone(tool);
            changed.aliases.retain(|alias| owns(alias));
            changed.long_running |= longer;
            own.push(Arc::new(changed));
        }
        own
    }
}

/// `None` when the schema cannot be compiled: such a tool is listed, and its spoke checks arguments.
fn compiled(tool: &ToolFacts) -> Option<Arc<ArgumentSchema>> {
    let schema: Result<Value, _> = serde_json::from_str(tool.input_schema.get());
    let compiled = schema.ok().map(ArgumentSchema::compile)?;
    compiled
        .inspect_err(|error| {
            tracing::warn!(event = "schema_not_compiled", tool = %tool.id, %error,
                "the hub cannot check the arguments of a tool");
        })
        .ok()
        .map(Arc::new)
}
