//! One connection to a host: TLS, then HTTP with NTLM or Basic. NTLM lets a connection in, not a
//! request, so requests follow one another on the same one.

use super::WsmanError;
use super::tls::{Trust, fingerprint};
use crate::ntlm::{self, Account, Surroundings};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT, WWW_AUTHENTICATE};
use serde::Deserialize;
use shared::clock::SharedClock;
use shared::remote::{Connection, Reply};
use shared::secret::Secret;
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;

/// For one answer: a host keeps a question for output open for 20 s.
const ANSWER: Duration = Duration::from_secs(40);
/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Steps of 100 ns from 1601 to 1970.
const EPOCH: u64 = 116_444_736_000_000_000;

/// How credentials are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    /// By a proof that does not hold the password.
    Ntlm,
    /// As they are, inside TLS.
    Basic,
}

/// Who we are.
pub(crate) struct Proof {
    pub(crate) method: Method,
    pub(crate) user: String,
    pub(crate) password: Secret,
}

/// Where a host is and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) trust: Trust,
    pub(crate) proof: Arc<Proof>,
    pub(crate) clock: SharedClock,
    pub(crate) tasks: Tasks,
}

impl Endpoint {
    /// The address of the service.
    pub(super) fn url(&self) -> String {
        format!("https://{}:{}/wsman", self.host, self.port)
    }
}

/// A connection.
pub(super) struct Wire {
    endpoint: Endpoint,
    connection: Connection,
    certificate: Vec<u8>,
    let_in: bool,
}

impl Wire {
    /// Connects; says nothing yet.
    pub(super) async fn open(endpoint: Endpoint) -> Result<Self, WsmanError> {
        let (host, port) = (endpoint.host.as_str(), endpoint.port);
        let tls = endpoint.trust.connector();
        let connection = Connection::open(host, port, tls, &endpoint.tasks).await?;
        let certificate = fingerprint(connection.certificate());
        Ok(Self {
            endpoint,
            connection,
            certificate,
            let_in: false,
        })
    }

    /// Sends a message and reads the answer to it, a fault included.
    pub(super) async fn ask(&mut self, message: String) -> Result<Bytes, WsmanError> {
        let message = Bytes::from(message);
        let reply = match self.endpoint.proof.method {
            Method::Ntlm if self.let_in => self.send(message, None).await?,
            Method::Ntlm => self.prove(message).await?,
            Method::Basic => self.send(message, Some(self.basic())).await?,
        };
        match reply.status.as_u16() {
            // Faults come with 500, some with 400.
            200 | 400 | 500 if !reply.body.is_empty() => {
                self.let_in = true;
                Ok(reply.body)
            }
            401 | 403 => Err(WsmanError::Refused),
            _ => Err(WsmanError::Odd("another HTTP status")),
        }
    }

    /// The three messages of NTLM; the last one carries the question.
    async fn prove(&mut self, message: Bytes) -> Result<Reply, WsmanError> {
        let first = format!("Negotiate {}", STANDARD.encode(ntlm::negotiate()));
        let reply = self.send(Bytes::new(), Some(first)).await?;
        let challenge = challenge(&reply).ok_or(WsmanError::Refused)?;
        let proof = Arc::clone(&self.endpoint.proof);
        let account = Account {
            user: &proof.user,
            password: proof.password.expose(),
        };
        let now = self.endpoint.clock.now().as_microsecond();
        let surroundings = Surroundings {
            challenge: rand::random(),
            time: u64::try_from(now).unwrap_or_default() * 10 + EPOCH,
            certificate: Some(&self.certificate),
        };
        let last = ntlm::authenticate(&account, &challenge, surroundings);
        let last = last.map_err(|error| {
            tracing::warn!(event = "winrm_challenge", %error, "an odd challenge");
            WsmanError::Odd("its NTLM message cannot be read")
        })?;
        let last = format!("Negotiate {}", STANDARD.encode(last));
        self.send(message, Some(last)).await
    }

    fn basic(&self) -> String {
        let proof = &self.endpoint.proof;
        let pair = format!("{}:{}", proof.user, proof.password.expose());
        format!("Basic {}", STANDARD.encode(pair))
    }

    async fn send(&mut self, body: Bytes, proof: Option<String>) -> Result<Reply, WsmanError> {
        let host = format!("{}:{}", self.endpoint.host, self.endpoint.port);
        let mut request = Request::post("/wsman")
            .header(HOST, host)
            .header(USER_AGENT, concat!("waygate/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/soap+xml;charset=UTF-8");
        if let Some(proof) = proof {
            request = request.header(AUTHORIZATION, proof);
        }
        let request = request.body(body).map_err(|error| {
            tracing::warn!(event = "winrm_request", %error, "a request cannot be written");
            WsmanError::Odd("its name cannot be written into a request")
        })?;
        Ok(self.connection.send(request, MAX_ANSWER, ANSWER).await?)
    }
}

/// The server's message, among the ways it offers.
fn challenge(reply: &Reply) -> Option<Vec<u8>> {
    let offers = reply.headers.get_all(WWW_AUTHENTICATE).iter();
    let mut offers = offers.filter_map(|value| value.to_str().ok());
    offers.find_map(|offer| {
        let (scheme, token) = offer.split_once(' ')?;
        let ours = ["negotiate", "ntlm"].contains(&scheme.to_ascii_lowercase().as_str());
        ours.then(|| STANDARD.decode(token.trim()).ok())?
    })
}
