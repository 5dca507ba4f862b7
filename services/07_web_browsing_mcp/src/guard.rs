//! The wall between a browser and the network: a proxy that one browser context must use.
//!
//! Every request of a page, its redirects, its parts and its sockets come through here, so the rule on
//! addresses covers them all: the name is resolved once, here, and the connection goes to an address
//! that was checked. The browser resolves nothing itself. TLS passes through unread; what is asked for
//! is not looked at. Each context has a proxy of its own, so that what was refused is known to be its.

mod head;

use head::{Head, HeadError, Target};
use parking_lot::Mutex;
use reqwest::dns::{Name, Resolve};
use shared::outbound::{Outbound, Refused};
use shared::tasks::Tasks;
use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// Header of a refusal made here, by which a page's own 403 is told apart.
pub(crate) const REFUSED: &str = "x-waygate-refused";
/// Header of an answer made here because the host could not be asked.
pub(crate) const FAILED: &str = "x-waygate-failed";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Most refusals remembered.
const MAX_REMEMBERED: usize = 32;

/// What all proxies share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    outbound: Outbound,
    tasks: Tasks,
    connections: usize,
    /// Loopback ports of this service that no page may reach even where loopback is allowed.
    own_ports: Arc<Mutex<BTreeSet<u16>>>,
}

/// The proxy of one context; ends, with its connections, when dropped.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Where the browser finds it.
    pub(crate) port: u16,
    journal: Arc<Journal>,
    _open: DropGuard,
}

/// What was not let through, newest last.
#[derive(Debug, Default)]
struct Journal(Mutex<VecDeque<(String, Verdict)>>);

/// Why a host was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its address is not one pages may reach.
    Refused,
    /// It has no address, or nothing answers there.
    Unreachable,
}

impl Guard {
    /// A guard that lets public addresses through, and those `outbound` allows.
    pub(crate) fn new(outbound: Outbound, connections: usize, tasks: Tasks) -> Self {
        Self {
            outbound,
            tasks,
            connections,
            own_ports: Arc::default(),
        }
    }

    /// Whether a page may be asked for at this address, as far as that goes without resolving.
    ///
    /// # Errors
    /// [`Refused`] when not.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Refused> {
        self.outbound.check(url)
    }

    /// Keeps pages away from a port of this service.
    pub(crate) fn hide(&self, port: u16) {
        self.own_ports.lock().insert(port);
    }

    /// Takes [`Guard::hide`] back.
    pub(crate) fn show(&self, port: u16) {
        self.own_ports.lock().remove(&port);
    }

    /// Opens a proxy; `anywhere` listens on every address, for a browser on another machine.
    ///
    /// # Errors
    /// When no port can be had.
    pub(crate) async fn open(&self, anywhere: bool) -> std::io::Result<Gate> {
        let address = if anywhere {
            Ipv4Addr::UNSPECIFIED
        } else {
            Ipv4Addr::LOCALHOST
        };
        let listener = TcpListener::bind((address, 0)).await?;
        let port = listener.local_addr()?.port();
        let journal = Arc::new(Journal::default());
        let open = self.tasks.token().child_token();
        let proxy = Proxy {
            guard: self.clone(),
            journal: Arc::clone(&journal),
            places: Arc::new(Semaphore::new(self.connections)),
            open: open.clone(),
            port,
        };
        self.hide(port);
        self.tasks.spawn("proxy", proxy.serve(listener));
        Ok(Gate {
            port,
            journal,
            _open: open.drop_guard(),
        })
    }

    async fn connect(&self, target: &Target) -> Result<TcpStream, Verdict> {
        let addresses = self.addresses(target).await?;
        let attempt = self.try_each(addresses);
        let tried = tokio::time::timeout(CONNECT_TIMEOUT, attempt).await;
        tried.unwrap_or(Err(Verdict::Unreachable))
    }

    async fn try_each(&self, addresses: Vec<SocketAddr>) -> Result<TcpStream, Verdict> {
        for address in addresses {
            if let Some(stream) = self.try_one(address).await? {
                return Ok(stream);
            }
        }
        Err(Verdict::Unreachable)
    }

    /// A connection to one address; `None` when nothing answers there.
    async fn try_one(&self, address: SocketAddr) -> Result<Option<TcpStream>, Verdict> {
        if self.is_ours(address) {
            return Err(Verdict::Refused);
        }
        let tried = TcpStream::connect(address).await;
        Ok(tried
            .inspect_err(|error| tracing::debug!(event = "browse.connect", %error, "no connection"))
            .ok())
    }

    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Verdict> {
        if let Ok(address) = target.host.parse::<IpAddr>() {
            let url = Url::parse(&target.url()).or(Err(Verdict::Refused))?;
            self.outbound.check(&url).or(Err(Verdict::Refused))?;
            return Ok(vec![SocketAddr::new(address, target.port)]);
        }
        let name: Name = target.host.parse().or(Err(Verdict::Unreachable))?;
        match self.outbound.resolve(name).await {
            Ok(found) => Ok(found
                .map(|address| SocketAddr::new(address.ip(), target.port))
                .collect()),
            Err(error) if is_refusal(error.as_ref()) => Err(Verdict::Refused),
            Err(_) => Err(Verdict::Unreachable),
        }
    }

    fn is_ours(&self, address: SocketAddr) -> bool {
        let here = address.ip().to_canonical();
        let here = here.is_loopback() || here.is_unspecified();
        here && self.own_ports.lock().contains(&address.port())
    }
}

fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<Refused>().is_some()
}

impl Gate {
    /// What was not let through last: its host and why.
    pub(crate) fn last(&self) -> Option<(String, Verdict)> {
        self.journal.0.lock().back().cloned()
    }

    /// Forgets what was not let through.
    pub(crate) fn forget(&self) {
        self.journal.0.lock().clear();
    }
}

/// The task behind a [`Gate`].
#[derive(Clone)]
struct Proxy {
    guard: Guard,
    journal: Arc<Journal>,
    places: Arc<Semaphore>,
    open: CancellationToken,
    port: u16,
}

impl Proxy {
    async fn serve(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.open.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(event = "browse.proxy", %error, "a connection was not taken");
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                break;
            };
            let one = self.clone();
            self.guard.tasks.spawn("proxied connection", async move {
                let _place = place;
                tokio::select! {
                    () = one.open.cancelled() => {}
                    () = one.carry(stream) => {}
                }
            });
        }
        self.guard.show(self.port);
    }

    /// One connection: one tunnel, or one request.
    async fn carry(&self, mut stream: TcpStream) {
        let read = tokio::time::timeout(HEAD_TIMEOUT, Head::read(&mut stream)).await;
        let Ok(Ok(request)) = read else { return };
        let target = match request.target() {
            Ok(target) => target,
            Err(HeadError) => return answer(&mut stream, "400 Bad Request", FAILED).await,
        };
        match self.guard.connect(&target).await {
            Ok(upstream) => {
                if let Err(error) = pass_on(&request, &target, stream, upstream).await {
                    tracing::debug!(event = "browse.proxy", %error, "a connection broke off");
                }
            }
            Err(verdict) => {
                self.note(&target.host, verdict);
                match verdict {
                    Verdict::Refused => answer(&mut stream, "403 Forbidden", REFUSED).await,
                    Verdict::Unreachable => answer(&mut stream, "502 Bad Gateway", FAILED).await,
                }
            }
        }
    }

    fn note(&self, host: &str, verdict: Verdict) {
        tracing::info!(
            event = "browse.not_let_through",
            host,
            ?verdict,
            "a page wanted more"
        );
        let mut journal = self.journal.0.lock();
        if journal.len() == MAX_REMEMBERED {
            journal.pop_front();
        }
        journal.push_back((host.to_owned(), verdict));
    }
}

/// Joins both ends. A plain request goes alone on its connection: the next may be for another host.
async fn pass_on(
    request: &Head,
    target: &Target,
    mut stream: TcpStream,
    mut upstream: TcpStream,
) -> std::io::Result<()> {
    if target.is_tunnel {
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await?;
        upstream.write_all(&request.rest).await?;
    } else {
        upstream.write_all(&request.towards()).await?;
        upstream.write_all(&request.rest).await?;
        // Interim answers come before the one that is meant.
        loop {
            let response = Head::read(&mut upstream).await?;
            stream.write_all(&response.closing()).await?;
            stream.write_all(&response.rest).await?;
            if !response.is_interim() {
                break;
            }
        }
    }
    copy_bidirectional(&mut stream, &mut upstream).await?;
    Ok(())
}

async fn answer(stream: &mut TcpStream, status: &str, mark: &str) {
    let body = "This service does not let the page through.\n";
    let text = format!(
        "HTTP/1.1 {status}\r\n{mark}: 1\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    if let Err(error) = stream.write_all(text.as_bytes()).await {
        tracing::debug!(event = "browse.proxy", %error, "a refusal was not heard");
    }
}

#[cfg(test)]
mod tests;
