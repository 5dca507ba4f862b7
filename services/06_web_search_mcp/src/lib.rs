//! Spoke 06: searching the web.
//!
//! The tools: the search itself (`query`), the engines and the figures (`state`). Beneath them the
//! engines behind one trait (`engine`). Pages are not loaded here; that is the browsing service's.

mod config;
mod engine;
mod query;
mod state;

use config::Config;
use engine::{Engines, SetupError};
use futures::future::BoxFuture;
use shared::spoke::{BuildError, BuildInput, Parts, Service};
use shared::tool::boxed;
use state::{EnginesCheck, Figures};
use std::sync::Arc;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "06_web_search_mcp",
    number: 6,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["web.search"],
    canary: "web.search.listEngines",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build,
};

fn build(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    Box::pin(async move {
        let config: Config = input.config()?;
        let engines = Engines::prepare(&config, input.kit.secrets.as_ref());
        let engines = Arc::new(engines.map_err(unprepared)?);
        let figures = Arc::new(Figures::default());
        let query = query::Query {
            engines: Arc::clone(&engines),
            figures: Arc::clone(&figures),
            clock: Arc::clone(&input.kit.clock),
        };
        let tools = vec![
            boxed(query)?,
            boxed(state::ListEngines(Arc::clone(&engines)))?,
            state::metrics_tool(&input.kit.meter, figures)?,
        ];
        Ok(Parts {
            tools,
            checks: vec![Arc::new(EnginesCheck(engines))],
        })
    })
}

fn unprepared(error: SetupError) -> BuildError {
    match error {
        SetupError::Secret(error) => error.into(),
        error => BuildError::setup("the search engines", error),
    }
}
