//! From settings and a file to connections.

use super::credential::Credential;
use super::{Cluster, Clusters, Fleet};
use crate::config::Config;
use crate::kubeconfig::{FileError, Kubeconfig, User, bytes_of};
use reqwest::{Certificate, Identity};
use shared::exec::{ExecError, Executor, SearchPath};
use shared::remote::{BaseUrl, Remote, Tokens};
use shared::spoke::Kit;
use std::path::Path;
use url::Url;

const SETTINGS: &str = "KUBECONFIG and the rights of its user";
/// Name of the one context when there is no file.
const IN_CLUSTER: &str = "in-cluster";

/// Why connections cannot be prepared; a missing setting is no error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No program can be run here.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// TLS does not work, or a certificate is none.
    #[error("the connection cannot be made")]
    Client(#[from] reqwest::Error),
    /// What the file says of the server is no address.
    #[error("the server has no address that can be asked: {0}")]
    Server(&'static str),
    /// A user that names a program.
    #[error("the user signs in by a program, and K8S_ALLOW_EXEC_PLUGINS is not set")]
    Plugin,
}

/// Both ends of a connection.
struct Ends {
    server: Option<Url>,
    /// Certificates that may sign the server's, PEM; `None`: those of the host.
    authority: Option<Vec<u8>>,
    user: User,
}

impl Clusters {
    /// Reads the file; asks nobody yet.
    pub(crate) fn prepare(config: &Config, kit: &Kit) -> Result<Self, SetupError> {
        let settings = &config.kubernetes;
        let path = Path::new(&settings.kubeconfig);
        let account = Path::new(&settings.account_folder).join("token");
        let (file, path, first) = match settings.kubeconfig.is_empty() {
            false => {
                let file = Kubeconfig::read(path)?;
                let first = match settings.context.is_empty() {
                    true => file.current.clone(),
                    false => settings.context.clone(),
                };
                (file, Some(path.to_owned()), first)
            }
            true if account.is_file() => (Kubeconfig::default(), None, IN_CLUSTER.to_owned()),
            true => return Ok(Self::Missing("KUBECONFIG")),
        };
        if path.is_some() && file.context(&first).is_none() {
            return Ok(Self::Missing("K8S_CONTEXT"));
        }
        Ok(Self::Ready(Box::new(Fleet {
            file,
            path,
            first,
            executor: Executor::new(SearchPath::system(), kit.tasks.clone())?,
            tasks: kit.tasks.clone(),
            config: config.clone(),
            choices: Default::default(),
            open: Default::default(),
        })))
    }
}

impl Fleet {
    pub(super) fn connect(&self, context: &str) -> Result<Cluster, SetupError> {
        let Ends {
            server,
            authority,
            user,
        } = match self.file.context(context) {
            Some(context) => {
                let (cluster, user) = self.file.ends(context)?;
                let server = BaseUrl::try_from(cluster.server.clone());
                Ends {
                    server: server.map_err(SetupError::Server)?.0,
                    authority: self.file.authority(cluster)?,
                    user,
                }
            }
            None => self.own()?,
        };
        let base: Url = server.ok_or(SetupError::Server("there is none"))?;
        let guard = self.config.outbound.allow.0.clone();
        let timeout = self.config.kubernetes.timeout_seconds.duration();
        let mut builder = guard.builder(timeout);
        if let Some(pem) = authority {
            builder = builder.tls_certs_only(Certificate::from_pem_bundle(&pem)?);
        }
        if let Some(pem) = self.file.identity(&user)? {
            builder = builder.identity(Identity::from_pem(&pem)?);
        }
        let client = builder.build()?;
        Ok(Cluster {
            base,
            credential: self.credential(user)?,
            remote: Remote::over(client, "the Kubernetes API", SETTINGS, guard),
        })
    }

    /// The account of the pod.
    fn own(&self) -> Result<Ends, SetupError> {
        let settings = &self.config.kubernetes;
        let folder = Path::new(&settings.account_folder);
        Ok(Ends {
            server: settings.account_server.0.clone(),
            authority: Some(bytes_of(&folder.join("ca.crt"))?.to_vec()),
            user: User::of_pod(folder.join("token")),
        })
    }

    fn credential(&self, user: User) -> Result<Credential, SetupError> {
        Ok(match (user.token, user.token_file, user.exec) {
            (Some(token), ..) => Credential::Token(token),
            (_, Some(path), _) => {
                let path = self.file.beside(&path);
                Credential::File(path, Tokens::default())
            }
            (.., Some(_)) if !self.config.kubernetes.allow_exec_plugins => {
                return Err(SetupError::Plugin);
            }
            (.., Some(plugin)) => {
                let executor = self.executor.clone();
                Credential::Plugin(Box::new(plugin), executor, Tokens::default())
            }
            _ => Credential::Connection,
        })
    }
}
