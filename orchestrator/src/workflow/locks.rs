//! Locks with a name: who holds which, who waits in line.
//!
//! A run asks for all its keys at once and gets them at once, when it is the first in line for each. A
//! key has one holder at most, which the store enforces; so of several hubs one grants.

use super::Workflows;
use super::commit::Plan;
use super::mailbox::Letter;
use super::runner::Facts;
use crate::store::{Statement, StoreError, micros};
use std::collections::BTreeSet;
use std::sync::Arc;
use workflow::core::{Control, Event, Reason, TaskPath};
use workflow::dsl::model::Conflict;

/// Requests looked at per key.
const LINE: i64 = 64;

/// One request for keys.
struct Asked {
    ticket: String,
    run: Arc<str>,
    path: String,
}

/// Gives back what this path holds or waits for.
pub(super) fn give_back(run: &str, path: &TaskPath) -> Statement {
    Statement::new("DELETE FROM workflow_locks WHERE workflow_id = $1 AND path = $2")
        .bind(run)
        .bind(path.as_str())
}

impl Workflows {
    /// Puts a request for keys in line, in the commit that asks.
    pub(super) async fn queue_up(
        &self,
        plan: &mut Plan,
        facts: &Arc<Facts>,
        (path, keys): (&TaskPath, &[String]),
        conflict: Conflict,
    ) -> Result<(), StoreError> {
        let holders = self.holders(&facts.organization, keys).await?;
        let mut others = holders.iter().filter(|holder| **holder != facts.id);
        match conflict {
            Conflict::Queue => {}
            Conflict::Reject => {
                if let Some(holder) = others.next_back() {
                    let refused = Event::LockRefused {
                        path: path.clone(),
                        holder: holder.to_string(),
                    };
                    self.post_to(plan, &facts.id, &refused);
                    return Ok(());
                }
            }
            Conflict::CancelOld => {
                for holder in others {
                    let cancel = Event::Control(Control::Cancel(Reason {
                        by: format!("workflow:{}", facts.id),
                        why: "a newer run wants its lock".into(),
                    }));
                    self.post_to(plan, holder, &cancel);
                }
            }
        }
        let ticket = uuid::Uuid::now_v7().to_string();
        let now = micros(self.now());
        let sql = "INSERT INTO workflow_locks (organization_id, lock_key, workflow_id, path, ticket, asked_at) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let rows = keys.iter().map(|key| {
            Statement::new(sql)
                .bind(facts.organization.as_ref())
                .bind(key.as_str())
                .bind(facts.id.as_ref())
                .bind(path.as_str())
                .bind(ticket.as_str())
                .bind(now)
        });
        plan.statements.extend(rows);
        plan.after.push(super::commit::After::Locks(keys.to_vec()));
        Ok(())
    }

    /// Grants what can be granted for these keys, and tells the runs.
    pub(super) async fn settle_locks(self: &Arc<Self>, organization: &Arc<str>, keys: &[String]) {
        for key in keys.iter().collect::<BTreeSet<_>>() {
            if let Err(error) = self.settle_lock(organization, key).await {
                tracing::warn!(event = "workflow_locks", %error, "a lock could not be granted now");
            }
        }
    }

    async fn settle_lock(
        self: &Arc<Self>,
        organization: &Arc<str>,
        key: &str,
    ) -> Result<(), StoreError> {
        let sql = "SELECT ticket, workflow_id, path, held_at FROM workflow_locks \
                   WHERE organization_id = $1 AND lock_key = $2 ORDER BY ticket LIMIT $3";
        let select = Statement::new(sql)
            .bind(organization.as_ref())
            .bind(key)
            .bind(LINE);
        let rows = self.instance.store().read(select).await?;
        let held = rows
            .iter()
            .any(|row| !matches!(row.optional_integer("held_at"), Ok(None)));
        let Some(first) = rows.first().filter(|_| !held) else {
            return Ok(());
        };
        let asked = Asked {
            ticket: first.text("ticket")?.to_owned(),
            run: first.text("workflow_id")?.into(),
            path: first.text("path")?.to_owned(),
        };
        self.grant(organization, &asked).await
    }

    /// Grants a request whose every key is free and whose turn it is everywhere; otherwise nothing.
    async fn grant(self: &Arc<Self>, organization: &str, asked: &Asked) -> Result<(), StoreError> {
        let sql = "UPDATE workflow_locks SET held_at = $3 WHERE organization_id = $1 AND ticket = $2 \
                   AND held_at IS NULL AND NOT EXISTS (SELECT 1 FROM workflow_locks mine \
                   JOIN workflow_locks other ON other.organization_id = mine.organization_id \
                   AND other.lock_key = mine.lock_key \
                   AND (other.ticket < mine.ticket OR other.held_at IS NOT NULL) \
                   WHERE mine.organization_id = $1 AND mine.ticket = $2)";
        let count = "SELECT COUNT(*) AS keys FROM workflow_locks \
                     WHERE organization_id = $1 AND ticket = $2";
        let store = self.instance.store();
        let rows = store
            .read(
                Statement::new(count)
                    .bind(organization)
                    .bind(asked.ticket.as_str()),
            )
            .await?;
        let keys = rows.first().map_or(Ok(0), |row| row.integer("keys"))?;
        let update = Statement::new(sql)
            .bind(organization)
            .bind(asked.ticket.as_str())
            .bind(micros(self.now()))
            .expect(u64::try_from(keys).unwrap_or_default());
        let locked = Event::Locked {
            path: TaskPath::new(&asked.path),
        };
        let batch = std::iter::once(update).chain(self.post(&asked.run, &locked));
        match store.write(batch.collect()).await {
            Ok(_) => drop(self.deliver(&asked.run, Letter::Inbox).await),
            // Not its turn, or another hub was faster.
            Err(StoreError::Unexpected(_) | StoreError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn holders(
        &self,
        organization: &str,
        keys: &[String],
    ) -> Result<BTreeSet<Arc<str>>, StoreError> {
        let sql = "SELECT workflow_id FROM workflow_locks \
                   WHERE organization_id = $1 AND lock_key = $2 AND held_at IS NOT NULL";
        let mut holders = BTreeSet::new();
        for key in keys {
            let select = Statement::new(sql).bind(organization).bind(key.as_str());
            for row in &self.instance.store().read(select).await? {
                holders.insert(row.text("workflow_id")?.into());
            }
        }
        Ok(holders)
    }
}
