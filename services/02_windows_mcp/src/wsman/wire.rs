//! One connection to a host: TLS, then HTTP with NTLM or Basic. NTLM lets a connection in, not a
//! request, so requests follow one another on the same one.

use super::WsmanError;
use super::tls::{Trust, fingerprint};
use crate::ntlm::{self, Account, Surroundings};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use shared::clock::SharedClock;
use shared::secret::Secret;
use shared::tasks::Tasks;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// From the name of the host to TLS.
const CONNECT: Duration = Duration::from_secs(10);
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
    sender: SendRequest<Full<Bytes>>,
    certificate: Vec<u8>,
    let_in: bool,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Wire {
    /// Connects; says nothing yet.
    pub(super) async fn open(endpoint: Endpoint) -> Result<Self, WsmanError> {
        in_time(CONNECT, Self::connect(endpoint)).await
    }

    async fn connect(endpoint: Endpoint) -> Result<Self, WsmanError> {
        // One look-up; the connection goes to what it found.
        let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port))
            .await
            .map_err(WsmanError::Unreachable)?;
        let name = ServerName::try_from(endpoint.host.clone())
            .map_err(|error| WsmanError::Unreachable(io::Error::other(error)))?;
        let connector = endpoint.trust.connector();
        let stream = connector.connect(name, stream).await.map_err(tls_failed)?;
        let shown = stream.get_ref().1.peer_certificates();
        let certificate = shown.and_then(<[_]>::first).map(|it| fingerprint(it));
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(WsmanError::Broken)?;
        // It ends with its sender.
        drop(endpoint.tasks.spawn("winrm", async move {
            if let Err(error) = connection.await {
                tracing::debug!(event = "winrm_ended", %error, "a connection ended");
            }
        }));
        Ok(Self {
            endpoint,
            sender,
            certificate: certificate.unwrap_or_default(),
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
        let request = request.body(Full::new(body));
        let request = request.map_err(|error| {
            tracing::warn!(event = "winrm_request", %error, "a request cannot be written");
            WsmanError::Odd("its name cannot be written into a request")
        })?;
        in_time(ANSWER, self.exchange(request)).await
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, WsmanError> {
        self.sender.ready().await.map_err(WsmanError::Broken)?;
        let response = self.sender.send_request(request).await;
        let (head, body) = response.map_err(WsmanError::Broken)?.into_parts();
        // Read to its end, so that the next request finds the connection free.
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|error| {
            tracing::warn!(event = "winrm_body", %error, "an answer cannot be read");
            WsmanError::Odd("its answer is cut or too long")
        })?;
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        })
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

fn tls_failed(error: io::Error) -> WsmanError {
    let cause = error.get_ref().and_then(|it| it.downcast_ref());
    match cause {
        Some(cause @ rustls::Error::InvalidCertificate(_)) => {
            WsmanError::Certificate(cause.clone())
        }
        _ => WsmanError::Unreachable(error),
    }
}

async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, WsmanError>>,
) -> Result<T, WsmanError> {
    timeout(limit, work)
        .await
        .unwrap_or(Err(WsmanError::Silent))
}
