//! Spoke 11: documents with versions and full-text search.
//!
//! The tools, in reading order: search (`search`), reading and lists (`read`, `versions`), changes
//! (`edit`, `remove`, `bulk`), export (`export`, `page`), figures (`state`). Beneath them: the store
//! (`library`), its files (`folder`), its words (`index`), a document (`document`).

mod bulk;
mod config;
mod document;
mod edit;
mod export;
mod folder;
mod index;
mod library;
mod page;
mod read;
mod remove;
mod search;
mod state;
mod versions;

use config::Config;
use library::Library;
use shared::spoke::{BuildError, BuildInput, Parts, Service};
use shared::tool::{Effect, boxed};
use state::StoreCheck;
use std::future::ready;
use std::sync::Arc;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "11_documentation_mcp",
    number: 11,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["docs"],
    canary: "docs.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build: |input| Box::pin(ready(build(input))),
};

fn build(input: &BuildInput) -> Result<Parts, BuildError> {
    let config: Config = input.config()?;
    let root = config.docs.root(&input.kit.data_dir);
    let library = Library::new(root, Arc::clone(&input.kit.clock));
    let library = Arc::new(library.map_err(|error| BuildError::setup("the index", error))?);
    state::look_after(&input.kit.tasks, &library, config.docs.interval());
    let effect = match config.docs.require_approval {
        true => Effect::Mutate,
        false => Effect::MutateOwn,
    };
    let own = || Arc::clone(&library);
    let tools = vec![
        boxed(search::Search(own()))?,
        boxed(read::Get(own()))?,
        boxed(read::List(own()))?,
        boxed(edit::Create(own(), effect))?,
        boxed(edit::Update(own(), effect))?,
        boxed(remove::Delete(own()))?,
        boxed(remove::Revert(own()))?,
        boxed(bulk::BulkUpdate(own()))?,
        boxed(export::Export(own()))?,
        boxed(versions::ListVersions(own()))?,
        boxed(versions::Diff(own()))?,
        boxed(read::ListCategories(own()))?,
        boxed(read::ListTags(own()))?,
        state::metrics_tool(&input.kit.meter, own())?,
    ];
    let checks = vec![Arc::new(StoreCheck(library)) as _];
    Ok(Parts { tools, checks })
}
