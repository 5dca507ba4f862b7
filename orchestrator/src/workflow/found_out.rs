//! What operators find out about a step of unknown outcome, noted in the effect ledger, too: there its
//! effect is one nobody knows about.

use super::Workflows;
use crate::ledger::Resolved;
use crate::store::StoreError;
use serde_json::value::to_raw_value;
use workflow::core::{Control, Resolution};

/// The key of a lost effect, and what became of it.
pub(super) type FoundOut = (String, Resolved);

impl Workflows {
    /// What `control` says about an effect; `None` when it says nothing about a lost one.
    pub(super) async fn found_out(
        &self,
        run: &str,
        control: &Control,
    ) -> Result<Option<FoundOut>, StoreError> {
        let Control::Resolve {
            path, resolution, ..
        } = control
        else {
            return Ok(None);
        };
        let steps = self.steps(run).await?;
        let step = steps.into_iter().find(|step| step.path == path.as_str());
        let Some(key) = step
            .filter(|step| step.status == "unknown")
            .and_then(|step| step.idempotency_key)
        else {
            return Ok(None);
        };
        let resolved = match resolution {
            Resolution::ItRan(output) => Resolved::Done(to_raw_value(&**output).ok()),
            Resolution::Retry => Resolved::DidNotRun,
            Resolution::Skip(_) | Resolution::Fail => {
                Resolved::Failed("an operator went on without it".to_owned())
            }
        };
        Ok(Some((key, resolved)))
    }

    /// Notes it. What cannot be noted stays unknown there and can be settled there.
    pub(super) async fn note_found_out(&self, principal: &str, found_out: Option<FoundOut>) {
        let Some((key, resolved)) = found_out else {
            return;
        };
        if let Err(error) = self.gateway.ledger.resolve(principal, &key, resolved).await {
            tracing::warn!(event = "ledger_failed", %error, "a settled step stays unknown in the ledger");
        }
    }
}
