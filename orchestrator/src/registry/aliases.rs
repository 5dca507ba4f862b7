//! The names tools are listed under. Once given, an alias is never given to another tool.

use super::RegistryParts;
use crate::store::{Statement, StoreError, micros};
use shared::id::ToolId;
use shared::tool::{distinct_alias, wire_alias};
use std::collections::HashMap;
use std::sync::Arc;

/// How often it is tried when another hub names tools at the same time.
const ATTEMPTS: u32 = 3;

/// The alias of each tool; those without one are named and kept. A tool for which no name is free is
/// absent.
pub(super) async fn of(
    parts: &RegistryParts,
    tools: impl Iterator<Item = &ToolId> + Clone,
) -> Result<HashMap<ToolId, Arc<str>>, StoreError> {
    for _attempt in 1..ATTEMPTS {
        match named(parts, tools.clone()).await {
            Err(StoreError::Exists(_)) => {}
            done => return done,
        }
    }
    named(parts, tools).await
}

async fn named(
    parts: &RegistryParts,
    tools: impl Iterator<Item = &ToolId>,
) -> Result<HashMap<ToolId, Arc<str>>, StoreError> {
    let rows = parts
        .store
        .read(Statement::new("SELECT alias, tool FROM tool_aliases"))
        .await?;
    let mut by_tool = HashMap::with_capacity(rows.len());
    let mut owner = HashMap::with_capacity(rows.len());
    for row in &rows {
        let (alias, tool) = (row.text("alias")?.to_owned(), row.text("tool")?.to_owned());
        owner.insert(alias.clone(), tool.clone());
        by_tool.insert(tool, alias);
    }
    let now = micros(parts.clock.now());
    let mut names = HashMap::new();
    let mut writes = Vec::new();
    for tool in tools {
        if let Some(alias) = by_tool.get(tool.as_str()) {
            names.insert(tool.clone(), Arc::from(alias.as_str()));
            continue;
        }
        let free = [wire_alias(tool), distinct_alias(tool)]
            .into_iter()
            .find(|alias| !owner.contains_key(alias));
        let Some(alias) = free else {
            tracing::error!(event = "no_alias", %tool, "no name is free for a tool");
            continue;
        };
        owner.insert(alias.clone(), tool.to_string());
        names.insert(tool.clone(), Arc::from(alias.as_str()));
        writes.push(
            Statement::new(
                "INSERT INTO tool_aliases (alias, tool, created_at) VALUES ($1, $2, $3)",
            )
            .bind(alias)
            .bind(tool.as_str())
            .bind(now),
        );
    }
    if !writes.is_empty() {
        parts.store.write(writes).await?;
    }
    Ok(names)
}
