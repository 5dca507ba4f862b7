//! One configuration item of `ServiceNow`.

use crate::servicenow::{Condition, Query, Record, ServiceNow, is_table};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// How many items of one name are looked at, to tell whether the name is unique.
const MAX_MATCHES: usize = 10;

/// `cmdb.servicenow.getCiDetails`.
pub(crate) struct GetCiDetails(pub(crate) Arc<ServiceNow>);

/// Arguments of `cmdb.servicenow.getCiDetails`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CiArguments {
    /// The item's id: 32 hexadecimal digits. Give this or a name.
    #[serde(default)]
    #[schemars(length(min = 32, max = 32))]
    sys_id: Option<String>,
    /// The item's name. Give this or an id.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1024))]
    name: Option<String>,
    /// Table of the CMDB; `cmdb_ci` holds every kind of item.
    #[serde(default = "default_table")]
    #[schemars(length(min = 1, max = 80))]
    table: String,
}

/// Result of `cmdb.servicenow.getCiDetails`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CiDetails {
    /// The record; null when there is none.
    ci: Option<Record>,
    /// The table it was looked for in.
    table: String,
    /// The record's id; null when there is none.
    sys_id: Option<String>,
    /// How many items have the name, counted up to 10; the first is shown.
    matches: usize,
}

fn default_table() -> String {
    "cmdb_ci".into()
}

#[async_trait]
impl TypedTool for GetCiDetails {
    type Arguments = CiArguments;
    type Output = CiDetails;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.servicenow.getCiDetails",
            Effect::Read,
            "Read a configuration item of ServiceNow by its sys_id or its name. Gives null when \
             there is none.",
        )
        .aliases(&["cmdb.servicenow.ci.getCiDetails"])
        .open_world()
    }

    async fn run(&self, arguments: CiArguments, _: &Call) -> Result<CiDetails, ToolError> {
        let CiArguments {
            sys_id,
            name,
            table,
        } = arguments;
        if !is_table(&table) {
            let rule = "is not a table of the CMDB (cmdb… or u_cmdb…)";
            return Err(ToolError::invalid("table", rule));
        }
        let (ci, matches) = match (sys_id, name) {
            (Some(sys_id), None) => {
                let sys_id = checked_id(&sys_id)?;
                let ci = self.0.ready()?.record(&table, &sys_id).await?;
                let matches = usize::from(ci.is_some());
                (ci, matches)
            }
            (None, Some(name)) => {
                let query = Query {
                    table: table.clone(),
                    conditions: vec![Condition::new("name", "=", &name, "name")?],
                    fields: Vec::new(),
                    limit: MAX_MATCHES,
                };
                let found = self.0.ready()?.records(&query).await?;
                let matches = found.len();
                (found.into_iter().next(), matches)
            }
            _ => return Err(ToolError::invalid("sys_id", "give either sys_id or name")),
        };
        let sys_id = ci.as_ref().and_then(|ci| ci.get("sys_id"));
        Ok(CiDetails {
            sys_id: sys_id.and_then(Value::as_str).map(str::to_owned),
            ci,
            table,
            matches,
        })
    }
}

fn checked_id(sys_id: &str) -> Result<String, ToolError> {
    let hexadecimal = sys_id.bytes().all(|b| b.is_ascii_hexdigit());
    match hexadecimal && sys_id.len() == 32 {
        true => Ok(sys_id.to_ascii_lowercase()),
        false => Err(ToolError::invalid("sys_id", "is not 32 hexadecimal digits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servicenow::Missing;
    use crate::testing::run;
    use serde_json::json;
    use shared::error::Code;

    fn tool() -> GetCiDetails {
        GetCiDetails(Arc::new(ServiceNow::Missing(Missing {
            setting: "SERVICENOW_URL",
            begun: false,
        })))
    }

    #[tokio::test]
    async fn arguments_are_judged_before_settings() {
        let id = "0123456789abcdef0123456789ABCDEF";
        for (arguments, message) in [
            (json!({}), "sys_id: give either sys_id or name"),
            (
                json!({"sys_id": id, "name": "x"}),
                "sys_id: give either sys_id or name",
            ),
            (
                json!({"sys_id": "../x"}),
                "sys_id: is not 32 hexadecimal digits",
            ),
            (json!({"name": "a\nb"}), "name: holds control characters"),
            (
                json!({"name": "x", "table": "sys_user"}),
                "table: is not a table of the CMDB (cmdb… or u_cmdb…)",
            ),
        ] {
            let error = run(&tool(), arguments).await.unwrap_err();
            assert_eq!(
                (error.code, error.message.as_str()),
                (Code::InvalidInput, message)
            );
        }
    }

    /// Acceptance: 54
    #[tokio::test]
    async fn the_missing_setting_is_named() {
        let error = run(&tool(), json!({"name": "web1"})).await.unwrap_err();
        assert_eq!(error.code, Code::NotConfigured);
        assert!(
            error.message.contains("SERVICENOW_URL"),
            "{}",
            error.message
        );
        assert!(error.did_not_run);
    }
}
