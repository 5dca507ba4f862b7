//! Every part of a hub, built in the order of the architecture, started and stopped together.

use super::own_tools::OwnTools;
use super::pieces::{audit_of, hub_key, policy_of};
use super::{Inputs, StartError, secrets, settings, third_party, watch};
use crate::approvals::{Approvals, ApprovalsParts};
use crate::artefacts::Artefacts;
use crate::audit::Audit;
use crate::auth::{Auth, AuthConfig, Presented, Principal};
use crate::cache::ReadCache;
use crate::config::{CacheType, Config};
use crate::gateway::Gateway;
use crate::keys::{HubKey, Seal};
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::recovery;
use crate::redis::Redis;
use crate::registry::{Registry, RegistryParts, SpokeConfig};
use crate::resilience::Guarded;
use crate::router::Router;
use crate::store::instance::Instance;
use crate::store::{DatabaseUrl, Store, StoreConfig};
use crate::transport::Hub;
use crate::upstream::grpc::{SpokeClient, SpokeTarget};
use crate::workflow::{WorkflowConfig, Workflows};
use shared::clock::{SharedClock, SystemClock};
use shared::secret::Secret;
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A built hub.
pub(super) struct Parts {
    /// What the doors work with.
    pub(super) hub: Hub,
    /// Tasks of the listeners, which end before everything else.
    pub(super) edge: Tasks,
    instance: Instance,
}

/// How a process stands among those that use one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Serves, and closes what a killed hub left open.
    Hub,
    /// Works beside a hub for one client.
    Guest,
}

/// What stands below the gateway.
struct Ground {
    clock: SharedClock,
    tasks: Tasks,
    metrics: Arc<Metrics>,
    key: Arc<HubKey>,
    instance: Instance,
    audit: Arc<Audit>,
    /// `None` when no Redis is set.
    redis: Option<Arc<Redis>>,
}

impl Parts {
    /// Builds everything; nothing runs yet but the store's and the audit trail's writers.
    pub(super) async fn build(inputs: &Inputs, standing: Standing) -> Result<Self, StartError> {
        let config = &inputs.config;
        let secret = secrets::installation(inputs)?;
        let policy = Arc::new(policy_of(config)?);
        let http = settings::http(config)?;
        let ground = Ground::lay(inputs, standing, secret.as_ref()).await?;
        let router = Router::default();
        let gateway = Arc::new(ground.gateway(inputs, policy, router.clone()));
        let registry = Registry::new(RegistryParts {
            config: settings::registry(config),
            store: ground.instance.store().clone(),
            router,
            audit: Arc::clone(&ground.audit),
            metrics: Arc::clone(&ground.metrics),
            clock: Arc::clone(&ground.clock),
            tasks: ground.tasks.clone(),
        });
        add_spokes(inputs, &registry, &ground.key, &gateway)?;
        let workflows = Workflows::new(
            Arc::clone(&gateway),
            ground.instance.clone(),
            WorkflowConfig::default(),
        );
        let store = ground.instance.store();
        let seal = Seal::of(&ground.key, "waygate/artefacts/v1");
        let artefacts = Artefacts::new(
            store.clone(),
            Arc::clone(&ground.clock),
            seal,
            settings::artefacts(config),
        );
        let own = OwnTools {
            workflows: Arc::clone(&workflows),
            artefacts: Arc::new(artefacts),
            programs: third_party::programs(config, &gateway)?,
        };
        own.add(config, &registry, &gateway).await?;
        let servers = third_party::servers(inputs, &gateway, &registry, (store, &ground.key))?;
        servers.load(&config.mcp_servers).await?;
        workflows.seal_with(Seal::of(&ground.key, "waygate/workflow-state/v1"));
        workflows.reach_out(third_party::outside(inputs, &servers)?);
        let mut hub = Hub::new(gateway, registry, store.clone(), http);
        hub.servers = Some(servers);
        hub.workflows = Some(workflows);
        hub.artefacts = Some(own.artefacts);
        hub.views = Arc::new(settings::views(config)?);
        hub.redis = ground.redis;
        hub.seal = Arc::new(Seal::of(&ground.key, "waygate/kept-answers/v1"));
        hub.webhook_secret = secrets::webhook(inputs, secret.as_ref())?;
        Ok(Self {
            hub,
            edge: Tasks::new(),
            instance: ground.instance,
        })
    }

    /// Closes what a killed hub left open, then starts the jobs and looks at every spoke.
    pub(super) async fn start(&self, inputs: &Inputs) -> Result<(), StartError> {
        let part = |name| move |error| StartError::Part(name, error);
        let gateway = &self.hub.gateway;
        let tasks = &gateway.tasks;
        recovery::recover(&self.instance, &gateway.audit, &gateway.ledger)
            .await
            .map_err(|error| part("recovery")(Box::new(error)))?;
        secrets::bootstrap(inputs, gateway).await?;
        self.instance.start_jobs(tasks);
        gateway.auth.start_jobs(tasks);
        self.hub.sessions.start_jobs(tasks);
        gateway.ledger.start_jobs(tasks);
        gateway.approvals.start_jobs(tasks);
        watch::count_approvals(&gateway.approvals, &gateway.metrics, tasks);
        recovery::start_jobs(&self.instance, &gateway.audit, &gateway.ledger, tasks);
        self.hub
            .registry
            .start()
            .await
            .map_err(|error| part("the registry")(Box::new(error)))?;
        if let Some(workflows) = &self.hub.workflows {
            if let Some(hook) = third_party::hook(inputs, self.hub.webhook_secret.as_ref())? {
                workflows.tell_of_runs(hook);
            }
            let taken_up = workflows.take_up().await;
            taken_up.map_err(|error| part("the workflows")(Box::new(error)))?;
        }
        self.hub.readiness.started();
        Ok(())
    }

    /// Looks at every spoke and takes calls, beside the hub that serves this store.
    pub(super) async fn start_as_guest(&self) -> Result<(), StartError> {
        let gateway = &self.hub.gateway;
        gateway.auth.start_jobs(&gateway.tasks);
        gateway.ledger.start_jobs(&gateway.tasks);
        let started = self.hub.registry.start().await;
        started.map_err(|error| StartError::Part("the registry", Box::new(error)))?;
        self.hub.readiness.started();
        Ok(())
    }

    /// How many tools can be called now.
    pub(super) fn tool_count(&self) -> usize {
        self.hub.gateway.router.snapshot().routes().len()
    }

    /// Who speaks on standard input: the holder of the key in the environment, or in development the
    /// operator of this machine.
    pub(super) async fn stdio_principal(
        &self,
        inputs: &Inputs,
    ) -> Result<Arc<Principal>, StartError> {
        let key = inputs
            .secrets
            .get("API_KEY")
            .map_err(|error| StartError::Secret(error.to_string()))?;
        match key {
            Some(key) => self
                .hub
                .gateway
                .auth
                .authenticate(&Presented::key(key))
                .await
                .map_err(|error| StartError::Secret(format!("WAYGATE_API_KEY: {error}"))),
            None if inputs.config.is_production() => Err(StartError::Secret(
                "WAYGATE_API_KEY: is required in production".into(),
            )),
            None => Ok(Arc::new(Principal::local("stdio"))),
        }
    }

    /// Lets what runs end, writes what is queued, closes the store.
    pub(super) async fn stop(self, within: Duration) {
        if self.edge.shutdown(within).await.is_empty()
            && let Some(servers) = &self.hub.servers
        {
            servers.close().await;
        }
        for (what, tasks) in [
            ("listeners", &self.edge),
            ("tasks", &self.hub.gateway.tasks),
        ] {
            let leftover = tasks.shutdown(within).await;
            if !leftover.is_empty() {
                tracing::warn!(
                    event = "stopped_late",
                    what,
                    ?leftover,
                    "some work did not end in time"
                );
            }
        }
        self.hub.gateway.audit.close().await;
        if let Err(error) = self.instance.leave().await {
            tracing::warn!(event = "leave_failed", %error, "the hub's name could not be taken out");
        }
        self.hub.store.close().await;
        tracing::info!(event = "stopped", "the hub has stopped");
    }
}

impl Ground {
    async fn lay(
        inputs: &Inputs,
        standing: Standing,
        secret: Option<&Secret>,
    ) -> Result<Self, StartError> {
        let config = &inputs.config;
        let clock: SharedClock = Arc::new(SystemClock);
        let key = hub_key(config)?;
        let key = Arc::new(match secret {
            Some(secret) => key.deriving_from(secret),
            None => key,
        });
        let store = open_store(config).await?;
        let instance = match standing {
            Standing::Hub => Instance::register(store, Arc::clone(&clock)).await?,
            Standing::Guest => Instance::visitor(store, Arc::clone(&clock)),
        };
        let audit = match standing {
            Standing::Hub => start_audit(config, &instance, &key).await?,
            Standing::Guest => Arc::new(audit_of(config, &instance).await?),
        };
        let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
        let redis = secrets::redis(inputs, &metrics)?;
        Ok(Self {
            redis,
            clock,
            tasks: Tasks::new(),
            metrics,
            key,
            instance,
            audit,
        })
    }

    fn gateway(&self, inputs: &Inputs, policy: Arc<Policy>, router: Router) -> Gateway {
        let config = &inputs.config;
        let store = self.instance.store();
        let approvals = ApprovalsParts {
            store: store.clone(),
            audit: Arc::clone(&self.audit),
            key: Arc::clone(&self.key),
            redactor: Arc::clone(&inputs.redactor),
            clock: Arc::clone(&self.clock),
        };
        let auth = Auth::new(
            store.clone(),
            Arc::clone(&self.clock),
            AuthConfig::default(),
        );
        Gateway {
            config: settings::gateway(config),
            auth: Arc::new(auth),
            router,
            policy,
            approvals: Arc::new(Approvals::new(approvals, settings::approvals(config))),
            audit: Arc::clone(&self.audit),
            limits: Arc::new(self.limits(config)),
            ledger: Arc::new(Ledger::new(&self.instance)),
            cache: Arc::new(self.cache(config)),
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.clock),
            redactor: Arc::clone(&inputs.redactor),
            tasks: self.tasks.clone(),
        }
    }
}

impl Ground {
    fn limits(&self, config: &Config) -> Limits {
        let limits = settings::limits(config);
        match &self.redis {
            Some(redis) => Limits::shared(limits, Arc::clone(redis)),
            None => Limits::new(limits),
        }
    }

    fn cache(&self, config: &Config) -> ReadCache {
        let cache = settings::cache(config);
        match &self.redis {
            Some(redis) if config.cache.r#type == CacheType::Redis => {
                ReadCache::shared(&cache, Arc::clone(redis))
            }
            _ => ReadCache::new(&cache),
        }
    }
}

async fn open_store(config: &Config) -> Result<Store, StartError> {
    let url = DatabaseUrl::parse(&config.database_url()?)
        .map_err(|error| StartError::Secret(format!("WAYGATE_DATABASE_URL: {error}")))?;
    Ok(Store::open(StoreConfig {
        url,
        pool_size: config.database.pool_size,
    })
    .await?)
}

async fn start_audit(
    config: &Config,
    instance: &Instance,
    key: &Arc<HubKey>,
) -> Result<Arc<Audit>, StartError> {
    let file = config
        .paths
        .below_base(&config.paths.data)
        .join("audit.checkpoint");
    let audit = Audit::start(instance, Arc::clone(key), Some(file))
        .await
        .map_err(|error| StartError::Part("the audit trail", Box::new(error)))?;
    Ok(Arc::new(audit))
}

/// A client and its protection for every configured spoke.
fn add_spokes(
    inputs: &Inputs,
    registry: &Arc<Registry>,
    key: &Arc<HubKey>,
    gateway: &Gateway,
) -> Result<(), StartError> {
    let config = &inputs.config;
    let token = secrets::spoke_token(config)?;
    let tls = secrets::spoke_tls(config)?;
    let resilience = settings::resilience(config);
    for spoke in config.spokes(&inputs.environment)? {
        let restarted = Arc::new(Notify::new());
        let target = SpokeTarget {
            service: Arc::clone(&spoke.service),
            url: spoke.url.clone(),
            token: token.clone(),
        };
        let (key, clock) = (Arc::clone(key), Arc::clone(&gateway.clock));
        let told = Arc::clone(&restarted);
        let client = match &tls {
            None => SpokeClient::new(&target, key, clock, told),
            Some(tls) => SpokeClient::over_tls(&target, key, clock, told, tls),
        }
        .map_err(|error| {
            StartError::Secret(format!("WAYGATE_SPOKE_URL_{:02}: {error}", spoke.number))
        })?;
        let metrics = Arc::clone(&gateway.metrics);
        let guarded = Guarded::new(
            Arc::clone(&spoke.service),
            Arc::new(client),
            &resilience,
            metrics,
        );
        let known = SpokeConfig {
            number: spoke.number,
            service: spoke.service,
            url: spoke.url,
            namespaces: spoke.namespaces,
            long_running: spoke.long_running,
        };
        registry
            .add_spoke(known, Arc::new(guarded), restarted)
            .map_err(|error| StartError::Part("a spoke", Box::new(error)))?;
    }
    Ok(())
}
