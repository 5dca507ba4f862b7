//! `GET /health` of a spoke. Addresses come from the configuration only, never from a caller.

use serde_json::Value;
use std::time::Duration;

/// How long one spoke may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a health document that are read.
const MAX_BYTES: usize = 64 * 1024;

/// Asks for health documents. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HealthProbe(reqwest::Client);

/// The client for probes could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the client for health probes could not be made")]
pub struct ProbeError(#[source] reqwest::Error);

/// What a spoke said of its health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// HTTP status; `None` when the spoke could not be reached.
    pub code: Option<u16>,
    /// Its health document; `None` when it gave none, or none that is JSON.
    pub details: Option<Value>,
    /// Why it could not be reached.
    pub error: Option<&'static str>,
}

impl Probed {
    const fn failed(error: &'static str) -> Self {
        Self {
            code: None,
            details: None,
            error: Some(error),
        }
    }

    /// healthy, unhealthy or unreachable.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.code {
            Some(code) if (200..300).contains(&code) => "healthy",
            Some(_) => "unhealthy",
            None => "unreachable",
        }
    }
}

fn plain() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
}

impl HealthProbe {
    /// A client that follows no redirect and uses no proxy.
    ///
    /// # Errors
    /// [`ProbeError`] when the system gives no TLS roots or no resolver.
    pub fn new() -> Result<Self, ProbeError> {
        plain().build().map(Self).map_err(ProbeError)
    }

    /// The same for spokes that speak TLS; `authority` (PEM) vouches for them.
    ///
    /// # Errors
    /// [`ProbeError`] when it holds no certificate.
    pub fn believing(authority: &[u8]) -> Result<Self, ProbeError> {
        let roots = reqwest::Certificate::from_pem_bundle(authority).map_err(ProbeError)?;
        let client = plain().tls_certs_only(roots).build();
        client.map(Self).map_err(ProbeError)
    }

    /// Asks the spoke at `url` (`http://host:port`); takes five seconds at most.
    pub async fn ask(&self, url: &str) -> Probed {
        let address = format!("{}/health", url.trim_end_matches('/'));
        let mut answer = match self.0.get(address).send().await {
            Ok(answer) => answer,
            Err(error) if error.is_timeout() => return Probed::failed("no answer within 5 s"),
            Err(error) => {
                tracing::debug!(event = "health_probe", %error, "a spoke could not be asked");
                return Probed::failed("the spoke cannot be reached");
            }
        };
        let mut document = Vec::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            document.extend_from_slice(&chunk);
            if document.len() > MAX_BYTES {
                document.clear();
                break;
            }
        }
        Probed {
            code: Some(answer.status().as_u16()),
            details: serde_json::from_slice(&document).ok(),
            error: None,
        }
    }
}
