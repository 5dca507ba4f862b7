//! One read of a secret, every step in order: may they, what do the rules say, read, seal, note down.
//!
//! Nothing is asked of a store before the rules have said yes, so that a caller without right learns
//! nothing, not even whether there is such a secret.

use crate::name::SecretName;
use crate::rules::{Decision, Rules};
use crate::store::Stores;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use shared::clock::SharedClock;
use shared::error::Code;
use shared::reference::{Lease, References};
use shared::tool::{Call, ToolError};
use std::sync::atomic::{AtomicU64, Ordering};

/// The permission every read needs.
const PERMISSION: &str = "secrets:read";
/// The same for everything about secrets.
const ALL: &str = "secrets:*";
/// Who holds the spoke's own key calls without a hub and has no permissions; rules still apply.
const DIRECT: &str = "spoke-key";

/// Reads secrets for tools.
pub(crate) struct Reading {
    pub(crate) rules: Rules,
    pub(crate) stores: Stores,
    pub(crate) references: References,
    pub(crate) clock: SharedClock,
    /// Life of a reference, in seconds.
    pub(crate) lease: u32,
    pub(crate) counters: Counters,
}

/// What was given and refused since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) reads: AtomicU64,
    pub(crate) denied: AtomicU64,
}

/// A secret as a tool gives it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Given {
    /// Reference, `secretref://…`: give it to a tool where that takes a secret. Works for the caller
    /// it was given to, until it expires.
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    /// The secret itself; absent unless a rule lets the caller see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
    /// When the reference expires: RFC 3339, UTC.
    pub(crate) expires_at: String,
    /// `None`: the store keeps no versions. Shown by the tools whose stores do.
    #[serde(skip)]
    pub(crate) version: Option<String>,
}

impl Reading {
    /// Reads one secret for a call; the newest version when none is asked for.
    pub(crate) async fn read(
        &self,
        call: &Call,
        name: &SecretName,
        version: Option<&str>,
    ) -> Result<Given, ToolError> {
        let services = match self.decide(call, name) {
            Ok(services) => services,
            Err(refused) => {
                self.counters.denied.fetch_add(1, Ordering::Relaxed);
                self.note(call, name, "denied");
                return Err(refused);
            }
        };
        let found = match self.stores.read(name, version).await {
            Ok(found) => found,
            Err(error) => {
                self.note(call, name, "failed");
                return Err(error);
            }
        };
        let now = self.clock.now();
        let lease = SignedDuration::from_secs(self.lease.into());
        let expires = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        let until = expires.as_second();
        let label = name.to_string();
        let lease = Lease {
            label: &label,
            principal: &call.principal,
            services: services.as_deref().unwrap_or_default(),
            until,
        };
        self.counters.reads.fetch_add(1, Ordering::Relaxed);
        let revealed = services.is_none();
        self.note(call, name, if revealed { "reveal" } else { "handle" });
        Ok(Given {
            reference: self.references.seal(lease, &found.value),
            value: revealed.then(|| found.value.expose().to_owned()),
            expires_at: expires.to_string(),
            version: found.version,
        })
    }

    /// The services that may open the reference; `None` when the value may be shown.
    fn decide(&self, call: &Call, name: &SecretName) -> Result<Option<Vec<String>>, ToolError> {
        let direct = call.principal == DIRECT;
        let held = |permission: &String| permission == PERMISSION || permission == ALL;
        if !direct && !call.permissions.iter().any(held) {
            let message = "reading secrets needs the permission secrets:read";
            return Err(ToolError::refused(Code::InsufficientRights, message));
        }
        match self.rules.decide(&call.principal, name) {
            Decision::Reveal => Ok(None),
            Decision::Handle(services) => Ok(Some(services)),
            Decision::Denied => {
                let message = "no rule of SECRETS_RULES_PATH lets this caller have this secret";
                Err(ToolError::refused(Code::AccessDenied, message))
            }
        }
    }

    /// Who, which, when and what was decided; never the value.
    fn note(&self, call: &Call, name: &SecretName, decision: &str) {
        tracing::info!(
            event = "secrets.read",
            principal = call.principal,
            which = %name,
            decision,
            "a secret was asked for"
        );
    }
}
