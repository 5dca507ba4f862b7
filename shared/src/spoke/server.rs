//! Puts one spoke together and serves it: the composition root of every spoke.

mod limits;

use super::access::{self, Access};
use super::approvals::{Approvals, Lives};
use super::call::Core;
use super::catalogue::{Catalogue, CatalogueError};
use super::grants::UsedGrants;
use super::grpc::Grpc;
use super::ledger::Ledger;
use super::mcp;
use super::metrics::Meter;
use super::options::StartOptions;
use super::probes::Probes;
use super::service::{BuildError, BuildInput, HealthCheck, Kit, Service};
use super::settings::{self, Settings, SettingsError};
use super::store::{self, StoreError};
use crate::call_token::Verifier;
use crate::clock::SharedClock;
use crate::config::{Environment, Merged, Sources};
use crate::error::Code;
use crate::http::{refusal, serve, serve_tls};
use crate::reference::References;
use crate::secret::{FileThenEnvironment, SecretProvider};
use crate::tasks::{Leftover, Tasks};
use axum::Router;
use axum::middleware::from_fn_with_state;
use limits::{GRPC_ROOM, bounds, edge_limits};
use proto::spoke::spoke_server::SpokeServer;
use sqlx::sqlite::SqlitePool;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic_health::server::HealthReporter;

/// After the drain, how long background tasks may take to end.
const TASKS_END: Duration = Duration::from_secs(3);

/// Why a spoke did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting of the harness.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The spoke's own parts.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The set of tools.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The spoke's store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A metric's name: a mistake in the code.
    #[error("the metrics cannot be set up")]
    Metrics(#[source] prometheus::Error),
    /// The gRPC reflection data: a mistake in the build.
    #[error("gRPC reflection cannot be set up")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// A folder or the port.
    #[error("{what} cannot be used")]
    Io {
        /// The folder or address.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl StartError {
    /// Whether the operator has to change a setting: exit code 64.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::Settings(_) => true,
            Self::Build(error) => error.is_configuration(),
            _ => false,
        }
    }
}

/// A spoke that serves. Dropping it leaves it running until its runtime ends; see [`Running::stop`].
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// New at every start; call tokens are bound to it.
    pub boot_id: String,
    probes: Probes,
    health: HealthReporter,
    tasks: Tasks,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
    pool: SqlitePool,
}

impl Running {
    /// Not ready, then drains calls in flight (25 s at most), then ends background tasks.
    pub async fn stop(self) -> Leftover {
        self.probes.not_ready();
        self.health.set_not_serving::<SpokeServer<Grpc>>().await;
        self.shutdown.cancel();
        if let Err(error) = self.server.await {
            tracing::error!(event = "spoke.server", %error, "the server ended badly");
        }
        let leftover = self.tasks.shutdown(TASKS_END).await;
        self.pool.close().await;
        leftover
    }
}

/// Builds the spoke and serves it on one port: gRPC, MCP and probes.
///
/// # Errors
/// [`StartError`]; nothing listens then.
pub async fn start(
    service: &'static Service,
    options: StartOptions,
) -> Result<Running, StartError> {
    let settings = settings::read(&options.environment)?.config;
    let port = settings::port(service.number, &options.environment)?;
    let address = options.listen.unwrap_or_else(|| settings.address(port));
    let secrets = options
        .secrets
        .clone()
        .unwrap_or_else(|| Arc::new(FileThenEnvironment::new(options.environment.clone())));
    let token = settings.token(secrets.as_ref())?;
    let tls = settings.tls()?;
    let access = Access::by(token.clone(), tls.is_some());
    let public_key = settings.public_key(&options.environment)?;
    let tasks = Tasks::new();
    let foundation = Foundation {
        references: References::new(token.as_ref(), service.name),
        secrets,
        tasks: tasks.clone(),
    };
    let built = build(service, &settings, options, foundation).await?;
    let core = Arc::new(core(service, &settings, built.core, public_key));
    let probes = Probes::new(Arc::clone(&core), built.pool.clone(), built.checks);
    let shutdown = CancellationToken::new();
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<SpokeServer<Grpc>>().await;
    let routes = Routes {
        core: &core,
        settings: &settings,
        tasks: &tasks,
        access,
    };
    let router = routes
        .protected()?
        .route_service("/grpc.health.v1.Health/{*rest}", health_service)
        .merge(probes.clone().routes())
        .fallback(async || refusal(Code::NotFound, "no such route"))
        .method_not_allowed_fallback(async || {
            refusal(
                Code::MethodNotAllowed,
                "the route does not take this method",
            )
        });
    let failed = |source| StartError::Io {
        what: address.to_string(),
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (limits, stop) = (edge_limits(&settings), shutdown.clone());
    let server = match tls {
        None => tasks.spawn("server", serve(listener, router, limits, stop)),
        Some(tls) => tasks.spawn("server", serve_tls(listener, router, limits, stop, tls)),
    };
    tracing::info!(event = "spoke.started", %address, tools = core.catalogue.entries().len(), "the service is ready");
    Ok(Running {
        address,
        boot_id: core.boot_id.clone(),
        probes,
        health,
        tasks,
        shutdown,
        server,
        pool: built.pool,
    })
}

/// The tools of a service without serving them, for the command line.
pub(super) async fn catalogue(
    service: &'static Service,
    options: StartOptions,
) -> Result<Catalogue, StartError> {
    let settings = settings::read(&options.environment)?.config;
    let foundation = Foundation {
        references: References::new(None, service.name),
        secrets: Arc::new(FileThenEnvironment::new(options.environment.clone())),
        tasks: Tasks::new(),
    };
    let built = build(service, &settings, options, foundation).await?;
    built.pool.close().await;
    Ok(built.core.catalogue)
}

/// The spoke's settings joined, for its parts and for `--print-config`.
pub(super) fn merged(
    service: &Service,
    files: &[PathBuf],
    environment: &Environment,
) -> Result<Merged, BuildError> {
    Ok(Merged::from(&Sources {
        defaults: service.defaults,
        files,
        variables: service.variables,
        environment,
    })?)
}

/// Opens the spoke's store, making its folder.
pub(super) async fn open_store(folder: &Path) -> Result<SqlitePool, StartError> {
    let mut builder = tokio::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(folder)
        .await
        .map_err(|source| StartError::Io {
            what: format!("the folder {}", folder.display()),
            source,
        })?;
    Ok(store::open(folder).await?)
}

struct Built {
    core: BuiltCore,
    checks: Vec<Arc<dyn HealthCheck>>,
    pool: SqlitePool,
}

/// What the kit is made of, besides settings.
struct Foundation {
    references: References,
    secrets: Arc<dyn SecretProvider>,
    tasks: Tasks,
}

struct BuiltCore {
    references: References,
    catalogue: Catalogue,
    ledger: Ledger,
    approvals: Approvals,
    grants: UsedGrants,
    meter: Meter,
    clock: SharedClock,
}

async fn build(
    service: &'static Service,
    settings: &Settings,
    options: StartOptions,
    foundation: Foundation,
) -> Result<Built, StartError> {
    let references = foundation.references.clone();
    let merged = merged(service, &options.files, &options.environment)?;
    let data_dir = settings.folder(service.name);
    let pool = open_store(&data_dir).await?;
    let clock = options.clock;
    let meter = Meter::new(service.name, Arc::clone(&clock)).map_err(StartError::Metrics)?;
    let input = BuildInput {
        kit: Kit {
            clock: Arc::clone(&clock),
            secrets: foundation.secrets,
            references: foundation.references,
            tasks: foundation.tasks,
            meter: meter.clone(),
            data_dir,
            environment: options.environment,
        },
        merged,
    };
    let parts = match options.parts {
        Some(parts) => parts,
        None => (service.build)(&input).await?,
    };
    let parts = match &options.around {
        Some(around) => around(parts),
        None => parts,
    };
    let catalogue = Catalogue::new(parts.tools, service.namespaces)?;
    catalogue.check_canary(service.canary)?;
    Ok(Built {
        core: BuiltCore {
            references,
            catalogue,
            ledger: Ledger::new(pool.clone()),
            approvals: Approvals::new(pool.clone(), lives(settings)),
            grants: UsedGrants::new(pool.clone()),
            meter,
            clock,
        },
        checks: parts.checks,
        pool,
    })
}

fn core(
    service: &'static Service,
    settings: &Settings,
    built: BuiltCore,
    public_key: Option<Vec<u8>>,
) -> Core {
    Core {
        service,
        boot_id: uuid::Uuid::new_v4().to_string(),
        catalogue: built.catalogue,
        ledger: built.ledger,
        approvals: built.approvals,
        grants: built.grants,
        meter: built.meter,
        clock: built.clock,
        references: built.references,
        verifier: public_key.map(Verifier::new),
        places: Semaphore::new(settings.max_concurrent_calls.into()),
        bounds: bounds(settings),
    }
}

struct Routes<'a> {
    core: &'a Arc<Core>,
    settings: &'a Settings,
    tasks: &'a Tasks,
    access: Access,
}

impl Routes<'_> {
    /// What needs the spoke's credential.
    fn protected(self) -> Result<Router, StartError> {
        let access = self.access;
        let bounds = self.core.bounds;
        let grpc = Grpc::new(Arc::clone(self.core), self.tasks.clone());
        let grpc = SpokeServer::new(grpc)
            .max_decoding_message_size(bounds.arguments.bytes.saturating_add(GRPC_ROOM))
            .max_encoding_message_size(bounds.result_bytes.saturating_add(GRPC_ROOM));
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::spoke::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(StartError::Reflection)?;
        let grpc = Router::new()
            .route_service("/waygate.spoke.v1.Spoke/{*rest}", grpc)
            .route_service("/grpc.reflection.v1.ServerReflection/{*rest}", reflection)
            .route_layer(from_fn_with_state(access.clone(), access::over_grpc));
        let mcp = mcp::service(
            Arc::clone(self.core),
            &self.settings.allowed_hosts,
            bounds.arguments.bytes,
        );
        let mcp = Router::new()
            .route_service("/mcp", mcp)
            .route_layer(from_fn_with_state(bounds.arguments, mcp::strict))
            .route_layer(from_fn_with_state(access, access::over_http));
        Ok(grpc.merge(mcp))
    }
}

pub(super) fn lives(settings: &Settings) -> Lives {
    Lives {
        decide: settings.approval_seconds.into(),
        token: settings.approval_token_seconds.into(),
    }
}
