//! Alerts: made, listed and removed by callers; looked at in the background by `watch`.

mod watch;

pub(crate) use watch::watch;

use crate::exchange::Markets;
use crate::store::{Alert, Condition, Store};
use crate::symbol::Symbol;
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use uuid::Uuid;

/// What the tools work on.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) markets: Markets,
    pub(crate) store: Store,
}

/// `crypto.alerts.create`.
pub(crate) struct Create(pub(crate) Watched);
/// `crypto.alerts.list`.
pub(crate) struct List(pub(crate) Watched);
/// `crypto.alerts.delete`.
pub(crate) struct Delete(pub(crate) Watched);

/// What happens when an alert comes true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// It is marked and written to the service's log; crypto.alerts.list shows it.
    Notify,
}

/// Arguments of `create`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateArguments {
    /// What the alert waits for; looked at about once a minute.
    condition: Condition,
    /// notify: the alert is marked with time and value, and written to the service's log.
    #[serde(default = "notify")]
    action: Action,
}

const fn notify() -> Action {
    Action::Notify
}

/// An alert as callers see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Shown {
    /// For crypto.alerts.delete.
    id: String,
    /// What it waits for.
    condition: Condition,
    /// What happens then.
    action: Action,
    /// Whether it still waits.
    active: bool,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it came true; null while it waits.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    triggered_at: Option<Timestamp>,
    /// The value then.
    triggered_value: Option<f64>,
}

impl From<Alert> for Shown {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id,
            condition: alert.condition,
            action: Action::Notify,
            active: alert.triggered_at.is_none(),
            created_at: alert.created_at,
            triggered_at: alert.triggered_at,
            triggered_value: alert.triggered_value,
        }
    }
}

/// Result of `create`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Created {
    /// The new alert.
    alert: Shown,
}

/// Arguments of `list`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListArguments {
    /// Only alerts that still wait.
    #[serde(default = "yes")]
    active_only: bool,
}

const fn yes() -> bool {
    true
}

/// Result of `list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Alerts {
    /// Your own, oldest first.
    alerts: Vec<Shown>,
    /// How many these are.
    count: usize,
}

/// Arguments of `delete`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteArguments {
    /// Id of one of your own alerts.
    #[schemars(length(min = 1, max = 64))]
    alert_id: String,
}

/// Result of `delete`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// False when there was none.
    deleted: bool,
}

#[async_trait]
impl TypedTool for Create {
    type Arguments = CreateArguments;
    type Output = Created;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.alerts.create",
            Effect::MutateOwn,
            "Make an alert for a price, a change, a volume or an RSI. Read crypto.alerts.list to see \
             whether it came true.",
        )
    }

    async fn assess(&self, arguments: &CreateArguments, _: &Call) -> Result<Assessment, ToolError> {
        let symbol = Symbol::parse("condition.symbol", &arguments.condition.symbol)?;
        Ok(Assessment::of(
            Effect::MutateOwn,
            format!("Make an alert for {symbol}"),
        ))
    }

    async fn run(&self, arguments: CreateArguments, call: &Call) -> Result<Created, ToolError> {
        let Action::Notify = arguments.action;
        Symbol::parse("condition.symbol", &arguments.condition.symbol)?;
        let alert = Alert {
            id: Uuid::now_v7().to_string(),
            condition: arguments.condition,
            created_at: self.0.markets.clock().now(),
            previous: None,
            triggered_at: None,
            triggered_value: None,
        };
        match self.0.store.add_alert(&call.principal, &alert).await? {
            true => Ok(Created {
                alert: alert.into(),
            }),
            false => Err(ToolError::refused(
                Code::Conflict,
                "you have 200 alerts: delete some first",
            )),
        }
    }
}

#[async_trait]
impl TypedTool for List {
    type Arguments = ListArguments;
    type Output = Alerts;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.alerts.list",
            Effect::Read,
            "List your alerts, with those that came true if wanted.",
        )
        .live()
    }

    async fn run(&self, arguments: ListArguments, call: &Call) -> Result<Alerts, ToolError> {
        let alerts = self.0.store.alerts(&call.principal, arguments.active_only);
        let alerts: Vec<Shown> = alerts.await?.into_iter().map(Shown::from).collect();
        Ok(Alerts {
            count: alerts.len(),
            alerts,
        })
    }
}

#[async_trait]
impl TypedTool for Delete {
    type Arguments = DeleteArguments;
    type Output = Deleted;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.alerts.delete",
            Effect::MutateOwn,
            "Remove one of your alerts.",
        )
        .idempotent()
        .destructive()
    }

    async fn run(&self, arguments: DeleteArguments, call: &Call) -> Result<Deleted, ToolError> {
        let store = &self.0.store;
        let deleted = store.delete_alert(&call.principal, &arguments.alert_id);
        Ok(Deleted {
            deleted: deleted.await?,
        })
    }
}
