//! One incident of `ServiceNow`.

use crate::servicenow::{Condition, Query, Record, ServiceNow};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `cmdb.servicenow.getIncident`.
pub(crate) struct GetIncident(pub(crate) Arc<ServiceNow>);

/// Arguments of `cmdb.servicenow.getIncident`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IncidentArguments {
    /// The incident's number, such as INC0010023.
    #[schemars(length(min = 1, max = 40))]
    number: String,
}

/// Result of `cmdb.servicenow.getIncident`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Incident {
    /// The record; null when there is none.
    incident: Option<Record>,
}

#[async_trait]
impl TypedTool for GetIncident {
    type Arguments = IncidentArguments;
    type Output = Incident;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.servicenow.getIncident",
            Effect::Read,
            "Read an incident of ServiceNow by its number. Gives null when there is none.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: IncidentArguments, _: &Call) -> Result<Incident, ToolError> {
        let number = arguments.number.trim();
        if !number.bytes().all(|b| b.is_ascii_alphanumeric()) || number.is_empty() {
            return Err(ToolError::invalid("number", "is not letters and digits"));
        }
        let query = Query {
            table: "incident".into(),
            conditions: vec![Condition::new("number", "=", number, "number")?],
            fields: Vec::new(),
            limit: 1,
        };
        let found = self.0.ready()?.records(&query).await?;
        Ok(Incident {
            incident: found.into_iter().next(),
        })
    }
}
