//! The clusters this spoke may work on, which of them a caller works on, and requests to one.
//!
//! Source: Kubernetes API conventions; `client-go` configuration file, version 1.

mod credential;
mod setup;

use crate::config::Config;
use crate::kubeconfig::Kubeconfig;
use async_trait::async_trait;
use credential::Credential;
use parking_lot::Mutex;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::error::Code;
use shared::exec::Executor;
use shared::remote::{Remote, Reply, join};
use shared::spoke::{Health, HealthCheck};
use shared::tasks::Tasks;
use shared::tool::{Call, ToolError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;

/// Items of one list at most.
const MAX_ITEMS: usize = 5000;
const PAGE: &str = "500";
/// Callers whose choice of a context is remembered at most.
const MAX_CHOICES: usize = 10_000;

/// All clusters, or the setting that is missing.
pub(crate) enum Clusters {
    Ready(Box<Fleet>),
    Missing(&'static str),
}

/// The clusters of one file.
pub(crate) struct Fleet {
    /// What the file says; of the pod's own account when there is no file.
    pub(crate) file: Kubeconfig,
    /// Its path, for programs that read it themselves; `None` for the pod's own account.
    pub(crate) path: Option<PathBuf>,
    /// The context in use at first.
    pub(crate) first: String,
    pub(crate) executor: Executor,
    pub(crate) tasks: Tasks,
    config: Config,
    choices: Mutex<BTreeMap<String, String>>,
    open: Mutex<BTreeMap<String, Arc<Cluster>>>,
}

/// One cluster, as one user.
pub(crate) struct Cluster {
    base: Url,
    credential: Credential,
    remote: Remote,
}

/// A list of the API, one page of it.
#[derive(Deserialize)]
struct Page<T> {
    #[serde(default = "Vec::new")]
    items: Vec<T>,
    #[serde(default)]
    metadata: PageMeta,
}

#[derive(Default, Deserialize)]
struct PageMeta {
    #[serde(default, rename = "continue")]
    next: String,
}

impl Clusters {
    /// The clusters.
    ///
    /// # Errors
    /// `NOT_CONFIGURED` names the setting that is missing.
    pub(crate) fn ready(&self) -> Result<&Fleet, ToolError> {
        match self {
            Self::Ready(fleet) => Ok(fleet),
            Self::Missing(setting) => Err(ToolError::not_configured(setting)),
        }
    }

    /// The cluster a caller works on.
    ///
    /// # Errors
    /// When nothing is configured or the context cannot be used.
    pub(crate) fn of(&self, call: &Call) -> Result<Arc<Cluster>, ToolError> {
        let fleet = self.ready()?;
        fleet.cluster(&fleet.chosen(&call.principal))
    }
}

impl Fleet {
    /// The context a caller works in.
    pub(crate) fn chosen(&self, principal: &str) -> String {
        let choices = self.choices.lock();
        choices.get(principal).unwrap_or(&self.first).clone()
    }

    /// Remembers a caller's choice; gives the one before.
    pub(crate) fn choose(&self, principal: &str, context: &str) -> String {
        let mut choices = self.choices.lock();
        if choices.len() >= MAX_CHOICES && !choices.contains_key(principal) {
            choices.pop_first();
        }
        let before = choices.insert(principal.to_owned(), context.to_owned());
        before.unwrap_or_else(|| self.first.clone())
    }

    fn cluster(&self, context: &str) -> Result<Arc<Cluster>, ToolError> {
        if let Some(open) = self.open.lock().get(context) {
            return Ok(Arc::clone(open));
        }
        let opened = Arc::new(self.connect(context).map_err(|error| {
            let message = format!("context {context:?} cannot be used: {error}; check KUBECONFIG");
            ToolError::refused(Code::NotConfigured, message)
        })?);
        let mut open = self.open.lock();
        open.insert(context.to_owned(), Arc::clone(&opened));
        Ok(opened)
    }
}

impl Cluster {
    /// The address of something, by checked names.
    pub(crate) fn url(&self, parts: &[&str]) -> Url {
        join(&self.base, parts.iter().copied())
    }

    /// Reads something.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ToolError> {
        let reply = self.ask(self.remote.get(url)).await?;
        self.remote.read(&reply)
    }

    /// Reads a list to its end, with these parameters.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        parts: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, ToolError> {
        let mut items = Vec::new();
        let mut next = String::new();
        while items.len() < MAX_ITEMS {
            let mut url = self.url(parts);
            url.query_pairs_mut()
                .append_pair("limit", PAGE)
                .extend_pairs(query)
                .extend_pairs((!next.is_empty()).then_some(("continue", &next)));
            let page: Page<T> = self.get(url).await?;
            items.extend(page.items);
            next = page.metadata.next;
            if next.is_empty() {
                return Ok(items);
            }
        }
        let message = "the list is too long; name a namespace or a selector";
        Err(ToolError::refused(Code::PayloadTooLarge, message))
    }

    /// A request to be completed and given to [`Cluster::ask`].
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.remote.request(method, url)
    }

    /// Sends a request; a credential that is not taken any more is replaced once.
    pub(crate) async fn ask(&self, request: RequestBuilder) -> Result<Reply, ToolError> {
        let again = request.try_clone();
        let mut reply = self
            .remote
            .ask(self.credential.sign(request).await?)
            .await?;
        if reply.status == StatusCode::UNAUTHORIZED
            && self.credential.forget().await
            && let Some(request) = again
        {
            reply = self
                .remote
                .ask(self.credential.sign(request).await?)
                .await?;
        }
        match reply.status.is_success() {
            true => Ok(reply),
            false => Err(self.remote.refused(&reply, message(&reply).as_deref())),
        }
    }

    /// Sends a request whose answer comes bit by bit.
    pub(crate) async fn open(&self, request: RequestBuilder) -> Result<Response, ToolError> {
        let request = self.credential.sign(request).await?;
        match self.remote.open(request).await? {
            Ok(response) => Ok(response),
            Err(reply) => Err(self.remote.refused(&reply, message(&reply).as_deref())),
        }
    }

    /// The JSON of a reply.
    pub(crate) fn read<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, ToolError> {
        self.remote.read(reply)
    }
}

/// What the server says of a refusal that concerns the request. Some servers answer 500 to a manifest that
/// does not fit their schema.
fn message(reply: &Reply) -> Option<String> {
    let status: Value = serde_json::from_slice(&reply.body).ok()?;
    let text = status.get("message")?.as_str()?;
    let ours = match reply.status.as_u16() {
        400 | 403 | 404 | 409 | 422 => true,
        500 => text.starts_with("failed to create typed patch object"),
        _ => false,
    };
    ours.then(|| text.to_owned())
}

/// Whether the clusters that were asked answered last. Nobody is asked: a probe must not load a system
/// of others.
pub(crate) struct ClusterCheck(pub(crate) Arc<Clusters>);

#[async_trait]
impl HealthCheck for ClusterCheck {
    fn name(&self) -> &str {
        "kubernetes"
    }

    async fn check(&self) -> Health {
        let fleet = match self.0.as_ref() {
            Clusters::Missing(setting) => {
                return Health::Degraded(format!("not configured: set {setting}"));
            }
            Clusters::Ready(fleet) => fleet,
        };
        let open = fleet.open.lock();
        let trouble = open.values().find_map(|it| it.remote.trouble());
        trouble.map_or(Health::Healthy, Health::Degraded)
    }
}
