//! What the tools share, and how the spoke is.

use crate::aider::{Aider, Order, Said};
use crate::repository::{Change, Repository};
use async_trait::async_trait;
use shared::clock::SharedClock;
use shared::spoke::{Health, HealthCheck};
use shared::tool::{Call, ToolError};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The shared parts; tools hold it behind an `Arc`.
#[derive(Debug)]
pub(crate) struct Desk {
    /// The repository.
    pub(crate) repository: Repository,
    /// The program.
    pub(crate) aider: Aider,
    /// Dates.
    pub(crate) clock: SharedClock,
    /// Where copies are made.
    pub(crate) copies: PathBuf,
    /// Held while the repository itself is changed.
    pub(crate) changing: Mutex<()>,
}

/// An edit that was made, or that aider failed to make.
#[derive(Debug)]
pub(crate) struct Edited {
    /// What aider said.
    pub(crate) said: Said,
    /// What is different now.
    pub(crate) change: Change,
    /// Where the work tree as it was is kept.
    pub(crate) backup: String,
}

impl Desk {
    /// Lets aider change a copy, then makes the same change in the repository.
    ///
    /// # Errors
    /// Nothing is applied when there is one. Aider that fails is no error, and nothing is applied.
    pub(crate) async fn edit(&self, order: &Order<'_>, call: &Call) -> Result<Edited, ToolError> {
        let _place = self.aider.place(call).await?;
        let copy = self.repository.copy(&self.copies).await?;
        let backup = {
            let _changing = self.changing.lock().await;
            self.repository.back_up(&copy, self.clock.now()).await?
        };
        let said = self.aider.run(order, &copy, call).await?;
        let change = match said.success() {
            true => self.repository.change(&copy).await?,
            false => Change::default(),
        };
        let _changing = self.changing.lock().await;
        self.repository.apply(&change).await?;
        tracing::info!(
            event = "aider.edited",
            principal = call.principal,
            files = change.files.len(),
            backup,
            "the work tree was changed"
        );
        Ok(Edited {
            said,
            change,
            backup,
        })
    }

    /// Lets aider look at a copy; whatever it does there is thrown away.
    ///
    /// # Errors
    /// Those of the copy and of the run.
    pub(crate) async fn look(&self, order: &Order<'_>, call: &Call) -> Result<Said, ToolError> {
        let _place = self.aider.place(call).await?;
        let copy = self.repository.copy(&self.copies).await?;
        self.aider.run(order, &copy, call).await
    }
}

/// Whether aider is installed and has a key; nobody is asked.
pub(crate) struct AiderCheck(pub(crate) Arc<Desk>);

#[async_trait]
impl HealthCheck for AiderCheck {
    fn name(&self) -> &str {
        "aider"
    }

    async fn check(&self) -> Health {
        match self.0.aider.missing() {
            None => Health::Healthy,
            Some(setting) => Health::Degraded(format!("not configured: set {setting}")),
        }
    }
}

/// Whether the repository is one.
pub(crate) struct RepositoryCheck(pub(crate) Arc<Desk>);

#[async_trait]
impl HealthCheck for RepositoryCheck {
    fn name(&self) -> &str {
        "repository"
    }

    async fn check(&self) -> Health {
        match self.0.repository.check().await {
            Ok(()) => Health::Healthy,
            Err(error) => Health::Degraded(error.message),
        }
    }
}
