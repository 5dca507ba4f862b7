//! After a hub was killed: its open intents become *in doubt*, its begun effects *unknown*, and its
//! name is taken out. Runs at start and then every few seconds, for hubs that share a store.

use crate::audit::{Audit, AuditError};
use crate::ledger::Ledger;
use crate::store::StoreError;
use crate::store::instance::Instance;
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;

const PERIOD: Duration = Duration::from_secs(10);

/// What was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Hubs that were killed.
    pub hubs: u64,
    /// Intents without an outcome.
    pub intents: u64,
    /// Effects begun and not ended.
    pub effects: u64,
}

/// Why the work of a dead hub could not be closed. Trying again is safe.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The trail could not be written.
    #[error("the intents of a dead hub could not be closed")]
    Audit(#[from] AuditError),
    /// The store could not be asked.
    #[error("the work of a dead hub could not be closed")]
    Store(#[from] StoreError),
}

/// Closes the work of every dead hub.
///
/// # Errors
/// [`RecoveryError`]; at start the hub must not make calls.
pub async fn recover(
    instance: &Instance,
    audit: &Audit,
    ledger: &Ledger,
) -> Result<Recovered, RecoveryError> {
    let mut recovered = Recovered::default();
    for dead in instance.dead().await? {
        recovered.intents += audit.close_intents_of(&dead).await?;
        recovered.effects += ledger.close_calls_of(&dead).await?;
        recovered.hubs += 1;
        instance.bury(&dead).await?;
    }
    if recovered.hubs > 0 {
        tracing::warn!(
            event = "recovered",
            hubs = recovered.hubs,
            intents = recovered.intents,
            effects = recovered.effects,
            "the work of killed hubs was closed"
        );
    }
    Ok(recovered)
}

/// Repeats [`recover`] until `tasks` stop.
pub fn start_jobs(instance: &Instance, audit: &Arc<Audit>, ledger: &Arc<Ledger>, tasks: &Tasks) {
    let (instance, audit, ledger) = (instance.clone(), Arc::clone(audit), Arc::clone(ledger));
    let stop = tasks.token();
    tasks.spawn("recovery", async move {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = recover(&instance, &audit, &ledger).await {
                tracing::warn!(event = "recovery_failed", %error, "dead hubs could not be looked after");
            }
        }
    });
}
