//! Spoke 18: texts that are found by what they mean.
//!
//! The tools, in reading order: collections (`collections`), documents (`documents`, `service`), search
//! (`search`). Beneath them: what joins the parts (`base`), the store, what makes vectors (`embed`),
//! the nearest of them (`nearest`), conditions on metadata (`filter`), rules for what callers give
//! (`check`), and a default that is a setting (`defaults`).

mod base;
mod check;
mod collections;
mod config;
mod defaults;
mod documents;
mod embed;
mod filter;
mod nearest;
mod search;
mod service;
mod state;
mod store;

use base::Base;
use config::Config;
use defaults::with_default;
use embed::{Embedder, SetupError};
use futures::future::BoxFuture;
use shared::spoke::{BuildError, BuildInput, HealthCheck, Parts, Service, metrics_tool};
use shared::tool::{Tool, boxed};
use state::{EmbeddingCheck, StoreCheck};
use std::sync::Arc;
use store::Store;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "18_vector_db_mcp",
    number: 18,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["vector"],
    canary: "vector.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build,
};

fn build(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    Box::pin(async move {
        let config: Config = input.config()?;
        let store = Store::open(config.store.folder(&input.kit.data_dir)).await;
        let store = store.map_err(|error| BuildError::setup("the store", error))?;
        let guard = config.outbound.allow.0.clone();
        let embedder = Embedder::prepare(&config.embedding, guard, input.kit.secrets.as_ref());
        let embedder = embedder.map_err(unprepared)?;
        let name = config.store.default_collection.0;
        let base = Arc::new(Base::new(store, embedder, name.clone()));
        let own = || Arc::clone(&base);
        let tools: Vec<Arc<dyn Tool>> = vec![
            boxed(collections::Create(own()))?,
            boxed(collections::List(own()))?,
            with_default(collections::Info(own()), "collection", &name)?,
            with_default(documents::Add(own()), "collection", &name)?,
            with_default(documents::Update(own()), "collection", &name)?,
            with_default(documents::Delete(own()), "collection", &name)?,
            with_default(search::Semantic(own()), "collection", &name)?,
            boxed(search::CrossService(own()))?,
            boxed(service::IndexService(own()))?,
            metrics_tool(&input.kit.meter, "vector.getMetrics", Arc::new(Vec::new))?,
        ];
        let checks: Vec<Arc<dyn HealthCheck>> =
            vec![Arc::new(StoreCheck(own())), Arc::new(EmbeddingCheck(own()))];
        Ok(Parts { tools, checks })
    })
}

fn unprepared(error: SetupError) -> BuildError {
    match error {
        SetupError::Secret(error) => error.into(),
        error => BuildError::setup("the embedding endpoint", error),
    }
}
