//! One connection to another system, kept for requests that must follow one another on it: some proofs
//! of identity let a connection in, not a request. Which host is asked is the caller's business.

use super::Reply;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tasks::Tasks;

/// From the name of the host to TLS.
const CONNECT: Duration = Duration::from_secs(10);

/// Why there is no connection or no answer on it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// No connection, or no TLS over it.
    #[error("the host cannot be reached")]
    Unreachable(#[source] io::Error),
    /// Its certificate is not one that is trusted.
    #[error("the certificate of the host is not trusted")]
    Certificate(#[source] rustls::Error),
    /// It did not answer in time.
    #[error("the host did not answer in time")]
    Silent,
    /// The connection failed or ended too early.
    #[error("the connection failed")]
    Broken(#[source] hyper::Error),
    /// Its answer cannot be read to its end, or is over the limit.
    #[error("its answer is cut or too long")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A connection of HTTP/1.1 over TLS.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    certificate: Vec<u8>,
}

impl Connection {
    /// Connects within ten seconds; says nothing yet. It ends when this value is dropped.
    ///
    /// # Errors
    /// [`ConnectionError`]; nothing was asked then.
    pub async fn open(
        host: &str,
        port: u16,
        tls: &TlsConnector,
        tasks: &Tasks,
    ) -> Result<Self, ConnectionError> {
        in_time(CONNECT, Self::connect(host, port, tls, tasks)).await
    }

    async fn connect(
        host: &str,
        port: u16,
        tls: &TlsConnector,
        tasks: &Tasks,
    ) -> Result<Self, ConnectionError> {
        // One look-up; the connection goes to what it found.
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(ConnectionError::Unreachable)?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| ConnectionError::Unreachable(io::Error::other(error)))?;
        let stream = tls.connect(name, stream).await.map_err(tls_failed)?;
        let shown = stream.get_ref().1.peer_certificates();
        let certificate = shown.and_then(<[_]>::first).map(|it| it.to_vec());
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectionError::Broken)?;
        drop(tasks.spawn("connection", async move {
            if let Err(error) = connection.await {
                tracing::debug!(event = "connection_ended", %error, "a connection ended");
            }
        }));
        Ok(Self {
            sender,
            certificate: certificate.unwrap_or_default(),
        })
    }

    /// The certificate the host showed, in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Sends a request and reads the answer, at most `most` bytes, to its end, so that the next request
    /// finds the connection free.
    ///
    /// # Errors
    /// [`ConnectionError`]; the request may have arrived.
    pub async fn send(
        &mut self,
        request: Request<Bytes>,
        most: usize,
        limit: Duration,
    ) -> Result<Reply, ConnectionError> {
        in_time(limit, self.exchange(request, most)).await
    }

    async fn exchange(
        &mut self,
        request: Request<Bytes>,
        most: usize,
    ) -> Result<Reply, ConnectionError> {
        self.sender.ready().await.map_err(ConnectionError::Broken)?;
        let response = self.sender.send_request(request.map(Full::new)).await;
        let (head, body) = response.map_err(ConnectionError::Broken)?.into_parts();
        let body = Limited::new(body, most).collect().await;
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: body.map_err(ConnectionError::Body)?.to_bytes(),
        })
    }
}

fn tls_failed(error: io::Error) -> ConnectionError {
    let cause = error.get_ref().and_then(|it| it.downcast_ref());
    match cause {
        Some(cause @ rustls::Error::InvalidCertificate(_)) => {
            ConnectionError::Certificate(cause.clone())
        }
        _ => ConnectionError::Unreachable(error),
    }
}

async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, ConnectionError>>,
) -> Result<T, ConnectionError> {
    timeout(limit, work)
        .await
        .unwrap_or(Err(ConnectionError::Silent))
}
