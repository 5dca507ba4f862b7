//! The file with clusters, users and contexts, as far as it is understood here.
//!
//! What is not understood is refused when its context is used, not left out: a proxy, a server that is
//! not checked, other ways to sign in. The file is never written.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use shared::secret::Secret;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Largest file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A file that was read.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Kubeconfig {
    #[serde(default, rename = "current-context")]
    pub(crate) current: String,
    #[serde(default)]
    pub(crate) contexts: Vec<Named<Context>>,
    #[serde(default)]
    clusters: Vec<Named<Cluster>>,
    #[serde(default)]
    users: Vec<Named<User>>,
    #[serde(skip)]
    folder: PathBuf,
}

/// An entry of one of its lists.
#[derive(Debug, Deserialize)]
pub(crate) struct Named<T> {
    pub(crate) name: String,
    #[serde(alias = "context", alias = "cluster", alias = "user")]
    pub(crate) entry: T,
}

/// A cluster, a user and a namespace.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Context {
    pub(crate) cluster: String,
    #[serde(default)]
    pub(crate) user: String,
    #[serde(default)]
    pub(crate) namespace: Option<String>,
}

/// Where an API server is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Cluster {
    pub(crate) server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: bool,
    proxy_url: Option<String>,
    tls_server_name: Option<String>,
}

/// How a user signs in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    #[serde(deserialize_with = "secret")]
    client_key_data: Option<Secret>,
    #[serde(deserialize_with = "secret")]
    pub(crate) token: Option<Secret>,
    #[serde(rename = "tokenFile")]
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) exec: Option<Plugin>,
    #[serde(rename = "auth-provider")]
    provider: Option<serde_yaml_ng::Value>,
    username: Option<String>,
}

/// A program that gives a token.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Plugin {
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) args: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) env: Option<Vec<Variable>>,
}

/// A variable of that program.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl User {
    /// The account of a pod, whose token is in this file.
    pub(crate) fn of_pod(token: PathBuf) -> Self {
        Self {
            token_file: Some(token),
            ..Self::default()
        }
    }
}

/// Why a file, or a context of it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It cannot be read.
    #[error("a file of the kubeconfig cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// What is wrong in it is not repeated: it holds keys.
    #[error("the kubeconfig {0}")]
    Unusable(&'static str),
}

use FileError::{Unreadable, Unusable};

impl Kubeconfig {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let bytes = bytes_of(path)?;
        let text = std::str::from_utf8(&bytes).or(Err(Unusable("is no text")))?;
        let parsed = serde_yaml_ng::from_str::<Self>(text);
        let mut config = parsed.or(Err(Unusable("is no YAML of the known shape")))?;
        config.folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(config)
    }

    /// A context by name; `None` when there is none.
    pub(crate) fn context(&self, name: &str) -> Option<&Context> {
        find(&self.contexts, name)
    }

    /// The cluster and the user of a context.
    pub(crate) fn ends(&self, context: &Context) -> Result<(&Cluster, User), FileError> {
        let cluster = find(&self.clusters, &context.cluster);
        let cluster = cluster.ok_or(Unusable("has no cluster for this context"))?;
        let user = match context.user.is_empty() {
            true => User::default(),
            false => find(&self.users, &context.user)
                .ok_or(Unusable("has no user for this context"))?
                .clone(),
        };
        if cluster.insecure_skip_tls_verify {
            return Err(Unusable("asks not to check the server, which is not done"));
        }
        if cluster.proxy_url.is_some() || cluster.tls_server_name.is_some() {
            return Err(Unusable(
                "asks for a proxy or another server name, which is not done",
            ));
        }
        if user.provider.is_some() || user.username.is_some() {
            return Err(Unusable("signs in in a way that is not known"));
        }
        Ok((cluster, user))
    }

    /// Certificates that may sign the server's, PEM; `None`: those of the host.
    pub(crate) fn authority(&self, cluster: &Cluster) -> Result<Option<Vec<u8>>, FileError> {
        self.either(
            cluster.certificate_authority_data.as_deref(),
            cluster.certificate_authority.as_deref(),
        )
        .map(|found| found.map(|it| it.to_vec()))
    }

    /// The user's certificate with its key, PEM; `None` when it has none.
    pub(crate) fn identity(&self, user: &User) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
        let certificate = self.either(
            user.client_certificate_data.as_deref(),
            user.client_certificate.as_deref(),
        )?;
        let key = self.either(
            user.client_key_data.as_ref().map(Secret::expose),
            user.client_key.as_deref(),
        )?;
        match (certificate, key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                let whole = [certificate.as_slice(), b"\n", key.as_slice()].concat();
                Ok(Some(Zeroizing::new(whole)))
            }
            _ => Err(Unusable(
                "has a certificate without its key, or a key alone",
            )),
        }
    }

    /// Relative paths are beside the file.
    pub(crate) fn beside(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    fn either(
        &self,
        data: Option<&str>,
        path: Option<&Path>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
        match (data.filter(|it| !it.is_empty()), path) {
            (Some(data), _) => {
                let bytes = STANDARD.decode(data.trim());
                let bytes = bytes.or(Err(Unusable("holds data that is no base64")))?;
                Ok(Some(Zeroizing::new(bytes)))
            }
            (None, Some(path)) => bytes_of(&self.beside(path)).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// A small file, whole.
pub(crate) fn bytes_of(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
        .map_err(Unreadable)?;
    Ok(bytes)
}

fn find<'a, T>(list: &'a [Named<T>], name: &str) -> Option<&'a T> {
    list.iter().find(|it| it.name == name).map(|it| &it.entry)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|it| it.map(Secret::from))
}
