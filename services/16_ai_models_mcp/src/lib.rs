//! Spoke 16: models of other companies, asked through one door that counts what they cost.
//!
//! The tools, in reading order: asking (`ask`), which models there are (`models`), what was said
//! (`conversations`), what it cost (`usage`), figures (`state`). Beneath them: the steps of a call
//! (`exchange`), the providers (`provider`), prices, the allowance per minute, the store, and a
//! default that is a setting (`defaults`). Answers come as a whole; pictures and tools of models are
//! not offered.

mod allowance;
mod ask;
mod config;
mod conversations;
mod defaults;
mod exchange;
mod models;
mod prices;
mod provider;
mod state;
mod store;
mod usage;

use allowance::Allowance;
use config::Config;
use defaults::with_default;
use exchange::Exchange;
use futures::future::BoxFuture;
use prices::Prices;
use provider::{Anthropic, Gemini, Kind, MAX_ANSWER, Place, Provider};
use shared::remote::Remote;
use shared::spoke::{BuildError, BuildInput, HealthCheck, Parts, Service};
use shared::tool::{Tool, boxed};
use state::{ProviderCheck, StoreCheck};
use std::sync::Arc;
use store::Store;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "16_ai_models_mcp",
    number: 16,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["ai.models"],
    canary: "ai.models.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build,
};

fn build(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    Box::pin(async move {
        let config: Config = input.config()?;
        let exchange = Arc::new(exchange(&config, input).await?);
        let own = || Arc::clone(&exchange);
        let checks: Vec<Arc<dyn HealthCheck>> = vec![
            Arc::new(ProviderCheck {
                kind: Kind::Gemini,
                exchange: own(),
            }),
            Arc::new(ProviderCheck {
                kind: Kind::Anthropic,
                exchange: own(),
            }),
            Arc::new(StoreCheck(own())),
        ];
        let (gemini, anthropic) = (&config.gemini.model, &config.anthropic.model);
        let tools: Vec<Arc<dyn Tool>> = vec![
            with_default(ask::GenerateContent(own()), "model_name", gemini.as_str())?,
            with_default(ask::CreateMessage(own()), "model", anthropic.as_str())?,
            boxed(models::ListAvailable(own()))?,
            boxed(conversations::ListConversations(own()))?,
            boxed(conversations::GetConversation(own()))?,
            boxed(conversations::DeleteConversation(own()))?,
            boxed(usage::GetUsage(own()))?,
            state::metrics_tool(&input.kit.meter, own())?,
        ];
        Ok(Parts { tools, checks })
    })
}

async fn exchange(config: &Config, input: &BuildInput) -> Result<Exchange, BuildError> {
    let store = Store::open(&input.kit.data_dir).await;
    let prices = Prices::read(&config.prices.path);
    Ok(Exchange {
        gemini: place(Kind::Gemini, config, input)?,
        anthropic: place(Kind::Anthropic, config, input)?,
        store: store.map_err(|error| BuildError::setup("the store", error))?,
        prices: prices.map_err(|error| BuildError::setup("the prices", error))?,
        allowance: Allowance::new(config.limits.calls_per_minute.small()),
        context_tokens: config.limits.context_max_tokens.get(),
        budget: config.limits.budget_usd_per_day.0,
        clock: Arc::clone(&input.kit.clock),
        tasks: input.kit.tasks.clone(),
    })
}

fn place(kind: Kind, config: &Config, input: &BuildInput) -> Result<Place, BuildError> {
    let secrets = &input.kit.secrets;
    let (settings, key, system, names) = match kind {
        Kind::Gemini => (
            &config.gemini,
            secrets.get("GEMINI_API_KEY")?,
            "Gemini",
            ("GEMINI_API_URL", "GEMINI_API_KEY_SECRET_PATH"),
        ),
        Kind::Anthropic => (
            &config.anthropic,
            secrets.get("ANTHROPIC_API_KEY")?,
            "Anthropic",
            ("ANTHROPIC_API_URL", "ANTHROPIC_API_KEY_SECRET_PATH"),
        ),
    };
    let (base, key) = match (&settings.url.0, key) {
        (None, _) => return Ok(missing(names.0)),
        (_, None) => return Ok(missing(names.1)),
        (Some(base), Some(key)) => (base.clone(), key),
    };
    let guard = config.outbound.allow.0.clone();
    let timeout = config.limits.timeout_seconds.duration();
    let remote = Remote::new(system, names.1, guard, timeout)
        .map_err(|error| BuildError::setup("the HTTP client", error))?
        .max_bytes(MAX_ANSWER);
    let provider = match kind {
        Kind::Gemini => Provider::Gemini(Gemini::new(remote, base, key)),
        Kind::Anthropic => Provider::Anthropic(Anthropic::new(remote, base, key)),
    };
    Ok(Place {
        provider: Ok(provider),
    })
}

const fn missing(setting: &'static str) -> Place {
    Place {
        provider: Err(setting),
    }
}
