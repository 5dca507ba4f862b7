//! The edge: the accept loop in front of the hub and of every spoke.
//!
//! What `axum::serve` leaves open is closed here: header, body and idle times, connections in all
//! and per address, sizes, HTTP/2 bounds. HTTP/1 and h2c share the port. Authentication, `Host` and
//! `Origin` are the routes' business. Source: `security.md` 4.6.

mod admission;
mod body;
mod first_bytes;
mod refusal;
pub mod tls;

pub use refusal::refusal;

use admission::{Admission, Place};
use axum::Router;
use axum::extract::ConnectInfo;
use first_bytes::FirstBytes;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;

/// Bounds of one listener. The defaults are those of `security.md` 4.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeLimits {
    /// Connections at once; further ones are closed on arrival.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_address: usize,
    /// From the first moment of a connection, and of each wait for a next request, to the end of the
    /// request's headers.
    pub header_read: Duration,
    /// Longest silence while a body is read.
    pub body_silence: Duration,
    /// Whole time a body may take.
    pub body_total: Duration,
    /// Bytes of one request body, also when chunked.
    pub body_bytes: usize,
    /// Bytes of all headers of one request.
    pub header_bytes: u32,
    /// Number of headers of one request.
    pub header_count: usize,
    /// Bytes of the request target.
    pub target_bytes: usize,
    /// After the shutdown signal, how long calls in flight may still take.
    pub drain: Duration,
}

impl Default for EdgeLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_address: 256,
            header_read: Duration::from_secs(10),
            body_silence: Duration::from_secs(5),
            body_total: Duration::from_secs(30),
            body_bytes: 10 * 1024 * 1024,
            header_bytes: 16 * 1024,
            header_count: 64,
            target_bytes: 4 * 1024,
            drain: Duration::from_secs(25),
        }
    }
}

/// Serves `router` on `listener` until `shutdown`, then drains for at most [`EdgeLimits::drain`].
///
/// Handlers find the peer in [`ConnectInfo<SocketAddr>`]. A panicking handler answers 500. Dropping
/// the future closes every connection.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: EdgeLimits,
    shutdown: CancellationToken,
) {
    run(listener, Edge::new(router, limits, None), shutdown).await;
}

/// As [`serve`], over TLS. A request of a client with a believed certificate has
/// [`tls::ClientCertificate`] among its extensions.
pub async fn serve_tls(
    listener: TcpListener,
    router: Router,
    limits: EdgeLimits,
    shutdown: CancellationToken,
    tls: Arc<ServerConfig>,
) {
    let edge = Edge::new(router, limits, Some(TlsAcceptor::from(tls)));
    run(listener, edge, shutdown).await;
}

async fn run(listener: TcpListener, edge: Edge, shutdown: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(place) = edge.admission.admit(peer.ip()) {
                        connections.spawn(edge.clone().connection(
                            stream,
                            peer,
                            place,
                            graceful.watcher(),
                        ));
                    }
                }
                Err(error) => accept_failed(&error).await,
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(edge.limits.drain, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(event = "edge.cut", "requests were cut after the drain time");
    }
    connections.shutdown().await;
}

#[derive(Clone)]
struct Edge {
    router: Router,
    limits: EdgeLimits,
    admission: Admission,
    tls: Option<TlsAcceptor>,
}

impl Edge {
    fn new(router: Router, limits: EdgeLimits, tls: Option<TlsAcceptor>) -> Self {
        let router = router
            .layer(axum::middleware::from_fn_with_state(limits, body::bound))
            .layer(CatchPanicLayer::custom(refusal::of_panic));
        Self {
            router,
            limits,
            admission: Admission::new(limits.connections, limits.connections_per_address),
            tls,
        }
    }

    /// One connection, to its end. `place` is held as long.
    async fn connection(self, stream: TcpStream, peer: SocketAddr, place: Place, watcher: Watcher) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(event = "edge.nodelay", %error, "a socket option was refused");
        }
        match &self.tls {
            None => self.speak(stream, peer, false, watcher).await,
            Some(acceptor) => {
                let within = self.limits.header_read;
                let shaken = tokio::time::timeout(within, acceptor.accept(stream)).await;
                match shaken {
                    Ok(Ok(stream)) => {
                        let shown = stream.get_ref().1.peer_certificates();
                        let certified = shown.is_some_and(|chain| !chain.is_empty());
                        self.speak(stream, peer, certified, watcher).await;
                    }
                    Ok(Err(error)) => {
                        tracing::debug!(event = "edge.tls", %error, "a handshake failed");
                    }
                    Err(_elapsed) => {
                        tracing::debug!(event = "edge.tls", "a handshake took too long");
                    }
                }
            }
        }
        drop(place);
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        certified: bool,
        watcher: Watcher,
    ) {
        let io = TokioIo::new(FirstBytes::new(stream, self.limits.header_read));
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            let extensions = request.extensions_mut();
            extensions.insert(ConnectInfo(peer));
            if certified {
                extensions.insert(tls::ClientCertificate);
            }
            router.clone().oneshot(request)
        });
        let builder = builder(&self.limits);
        let connection = builder.serve_connection_with_upgrades(io, service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(event = "edge.connection", error, "a connection ended early");
        }
    }
}

fn builder(limits: &EdgeLimits) -> auto::Builder<TokioExecutor> {
    const KIB: u32 = 1024;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .max_headers(limits.header_count)
        .max_buf_size(usize::try_from(limits.header_bytes.max(8 * KIB)).unwrap_or(usize::MAX));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .initial_stream_window_size(64 * KIB)
        .initial_connection_window_size(KIB * KIB)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

/// Out of descriptors or the like: wait for some to come back instead of spinning.
async fn accept_failed(error: &std::io::Error) {
    tracing::warn!(event = "edge.accept", %error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
