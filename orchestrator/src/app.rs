//! The composition root: builds every part once, in the order of the architecture, and runs them.
//!
//! Nothing is decided here. A part that cannot be built stops the start with the key to change.

mod own_tools;
mod parts;
mod pieces;
mod secrets;
mod settings;
mod third_party;
mod watch;

pub use pieces::{audit_of, hub_key, policy_of};

use crate::config::{Config, InvalidConfig};
use parts::{Parts, Standing};
use shared::config::Environment;
use shared::http::EdgeLimits;
use shared::redact::Redactor;
use shared::secret::SecretProvider;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What a hub is made of.
pub struct Inputs {
    /// Settings.
    pub config: Config,
    /// For addresses of spokes.
    pub environment: Environment,
    /// Where secrets come from.
    pub secrets: Arc<dyn SecretProvider>,
    /// Knows the secrets that must not be written down.
    pub redactor: Arc<Redactor>,
}

/// Why the hub does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// A secret or key is missing or unusable; the text names the variable.
    #[error("{0}")]
    Secret(String),
    /// The policies cannot be used.
    #[error("config/policies.yaml: {0}")]
    Policy(#[from] crate::policy::PolicyError),
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Store(#[from] crate::store::StoreError),
    /// A part of the hub cannot be built.
    #[error("{0} cannot be started")]
    Part(
        &'static str,
        #[source] Box<dyn std::error::Error + Send + Sync>,
    ),
    /// An address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl StartError {
    /// Whether the operator has to change a setting, which exits 64.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Secret(_) | Self::Policy(_))
    }
}

/// An error with its causes, for one line of text.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Runs a hub until it is told to stop; returns when everything in flight has ended.
///
/// # Errors
/// [`StartError`] when it cannot start.
pub async fn run(inputs: Inputs) -> Result<(), StartError> {
    let drain = Duration::from_secs(inputs.config.server.drain_seconds);
    let listeners = listen(&inputs.config).await?;
    let limits = edge_limits(&inputs.config);
    let parts = Parts::build(&inputs, Standing::Hub).await?;
    let router = crate::admin::router(parts.hub.clone());
    let stop = CancellationToken::new();
    let mut servers = Vec::new();
    for listener in listeners {
        servers.push(parts.edge.spawn(
            "listener",
            shared::http::serve(listener, router.clone(), limits, stop.clone()),
        ));
    }
    parts.start(&inputs).await?;
    tracing::info!(
        event = "ready",
        tools = parts.tool_count(),
        "the hub is ready"
    );
    shared::tasks::until_signal().await;
    parts.hub.readiness.stopping();
    stop.cancel();
    futures::future::join_all(servers).await;
    parts.stop(drain).await;
    Ok(())
}

/// Runs a hub on standard input and output until the input ends, beside the one that may be serving
/// the same store: it closes nothing that hub left open and touches no bootstrap key.
///
/// # Errors
/// [`StartError`] when it cannot start or the credential is not accepted.
pub async fn run_stdio(inputs: Inputs) -> Result<(), StartError> {
    let drain = Duration::from_secs(inputs.config.server.drain_seconds);
    let parts = Parts::build(&inputs, Standing::Guest).await?;
    let principal = parts.stdio_principal(&inputs).await?;
    parts.start_as_guest().await?;
    let stdio = crate::transport::stdio::serve(
        parts.hub.clone(),
        principal,
        tokio::io::stdin(),
        tokio::io::stdout(),
    );
    tokio::select! {
        () = stdio => {}
        () = shared::tasks::until_signal() => {}
    }
    parts.stop(drain).await;
    Ok(())
}

async fn listen(config: &Config) -> Result<Vec<TcpListener>, StartError> {
    let server = &config.server;
    let ports = std::iter::once(&server.port).chain(&server.extra_ports);
    let mut listeners = Vec::new();
    for port in ports {
        let address = SocketAddr::new(server.host, *port);
        let failed = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        tracing::info!(event = "listening", address = %bound, "listening");
        listeners.push(listener);
    }
    Ok(listeners)
}

fn edge_limits(config: &Config) -> EdgeLimits {
    EdgeLimits {
        connections: config.server.max_connections,
        body_bytes: config.server.max_request_size_bytes,
        drain: Duration::from_secs(config.server.drain_seconds),
        ..EdgeLimits::default()
    }
}
