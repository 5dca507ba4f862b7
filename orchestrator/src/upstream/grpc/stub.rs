//! A spoke of a few lines on a real socket, that does what a test says.

use crate::keys::HubKey;
use aws_lc_rs::signature::KeyPair;
use parking_lot::Mutex;
use proto::spoke::call_event::Event;
use proto::spoke::spoke_server::{Spoke, SpokeServer};
use proto::spoke::{self, CallEvent, CallRequest, DescribeReply, DescribeRequest};
use shared::call_token::{TokenFor, Verifier};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status};

/// The token every stub asks for.
pub(crate) const TOKEN: &str = "spoke-token-of-tests-0123456789";

/// How a stub answers calls.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These events, one after the other.
    Events(Vec<Event>),
    /// A status.
    Status(Status),
    /// Nothing, for ever.
    Silence,
}

/// What the stub is and saw.
pub(crate) struct Script {
    pub(crate) service: String,
    pub(crate) boot_id: Mutex<String>,
    pub(crate) tools: Mutex<Vec<spoke::Tool>>,
    pub(crate) answer: Mutex<Answer>,
    pub(crate) requests: Mutex<Vec<CallRequest>>,
    pub(crate) connections: AtomicUsize,
    /// Calls that began.
    pub(crate) began: tokio::sync::Notify,
    verifier: Verifier,
}

impl Script {
    /// A service with one read tool per id, which answers `{"from":"<service>"}`.
    pub(crate) fn new(service: &str, tools: &[&str], key: &HubKey) -> Arc<Self> {
        let result = spoke::Result {
            structured_json: format!(r#"{{"from":"{service}"}}"#).into(),
            ..spoke::Result::default()
        };
        Arc::new(Self {
            service: service.to_owned(),
            boot_id: Mutex::new("boot-1".into()),
            tools: Mutex::new(tools.iter().map(|id| tool(id)).collect()),
            answer: Mutex::new(Answer::Events(vec![Event::Result(result)])),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            began: tokio::sync::Notify::new(),
            verifier: Verifier::new(key.pair.public_key().as_ref().to_vec()),
        })
    }

    fn refusal(&self, call: &CallRequest) -> Option<spoke::ToolError> {
        let context = call.context.clone().unwrap_or_default();
        let arguments = serde_json::from_slice(&call.arguments_json).unwrap();
        let expected = TokenFor {
            service: &self.service,
            boot_id: &self.boot_id.lock(),
            principal: &context.principal,
            tool: &call.tool,
            arguments_hash: &shared::arguments::hash(&arguments),
            correlation_id: &context.correlation_id,
            idempotency_key: &context.idempotency_key,
            now: jiff::Timestamp::now().as_second(),
        };
        let refused = self.verifier.accept(&context.call_token, expected).err()?;
        Some(spoke::ToolError {
            code: "TOKEN_INVALID".into(),
            message: refused.to_string(),
            did_not_run: true,
            ..spoke::ToolError::default()
        })
    }
}

/// A read tool without parameters.
pub(crate) fn tool(id: &str) -> spoke::Tool {
    spoke::Tool {
        id: id.to_owned(),
        input_schema_json: r#"{"type":"object"}"#.into(),
        effect: spoke::Effect::Read.into(),
        idempotent: true,
        ..spoke::Tool::default()
    }
}

/// A stub that serves until it is dropped; then its connections are cut.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    _stop: DropGuard,
}

impl Serving {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Serves on `port`; 0 means any.
pub(crate) async fn serve(script: &Arc<Script>, port: u16) -> Serving {
    let listener = listen(port);
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let counted = Arc::clone(script);
    let cut = stop.clone();
    let incoming = TcpListenerStream::new(listener).map(move |connection| {
        counted.connections.fetch_add(1, Ordering::AcqRel);
        connection.map(|stream| Cut::new(stream, cut.clone()))
    });
    let health = {
        let (reporter, service) = tonic_health::server::health_reporter();
        reporter.set_serving::<SpokeServer<Stub>>().await;
        service
    };
    let server = tonic::transport::Server::builder()
        .add_service(SpokeServer::with_interceptor(
            Stub(Arc::clone(script)),
            authorised,
        ))
        .add_service(health)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(server);
    Serving {
        address,
        _stop: stop.drop_guard(),
    }
}

fn listen(port: u16) -> TcpListener {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(64).unwrap()
}

fn authorised(request: Request<()>) -> Result<Request<()>, Status> {
    let expected = format!("Bearer {TOKEN}");
    match request.metadata().get("authorization") {
        Some(given) if given == expected.as_str() => Ok(request),
        _ => Err(Status::unauthenticated(
            "the spoke's bearer token is required",
        )),
    }
}

pub(crate) struct Stub(Arc<Script>);

#[tonic::async_trait]
impl Spoke for Stub {
    async fn describe(
        &self,
        _: Request<DescribeRequest>,
    ) -> Result<Response<DescribeReply>, Status> {
        Ok(Response::new(DescribeReply {
            service: self.0.service.clone(),
            version: "1.0.0".into(),
            boot_id: self.0.boot_id.lock().clone(),
            tools: self.0.tools.lock().clone(),
            ..DescribeReply::default()
        }))
    }

    async fn assess(
        &self,
        request: Request<CallRequest>,
    ) -> Result<Response<spoke::Assessment>, Status> {
        self.0.requests.lock().push(request.into_inner());
        if let Answer::Status(status) = &*self.0.answer.lock() {
            return Err(status.clone());
        }
        Ok(Response::new(spoke::Assessment {
            effect: spoke::Effect::Mutate.into(),
            summary: "writes".into(),
            ready: true,
            checks: Vec::new(),
        }))
    }

    type CallToolStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<CallEvent, Status>> + Send>>;

    async fn call_tool(
        &self,
        request: Request<CallRequest>,
    ) -> Result<Response<Self::CallToolStream>, Status> {
        let call = request.into_inner();
        let refusal = self.0.refusal(&call);
        self.0.requests.lock().push(call);
        self.0.began.notify_one();
        let answer = match refusal {
            Some(error) => Answer::Events(vec![Event::Error(error)]),
            None => self.0.answer.lock().clone(),
        };
        match answer {
            Answer::Status(status) => Err(status),
            Answer::Silence => Ok(Response::new(Box::pin(tokio_stream::pending()))),
            Answer::Events(events) => {
                let events = events
                    .into_iter()
                    .map(|event| Ok(CallEvent { event: Some(event) }));
                let events: Vec<_> = events.collect();
                Ok(Response::new(Box::pin(tokio_stream::iter(events))))
            }
        }
    }
}

pub(crate) use cut::Cut;

/// A connection that breaks when the stub is gone, as it does when a process is killed.
mod cut {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio::net::TcpStream;
    use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
    use tonic::transport::server::Connected;

    pub(crate) struct Cut {
        stream: TcpStream,
        cut: Pin<Box<WaitForCancellationFutureOwned>>,
        gone: bool,
    }

    impl Cut {
        pub(crate) fn new(stream: TcpStream, cut: CancellationToken) -> Self {
            Self {
                stream,
                cut: Box::pin(cut.cancelled_owned()),
                gone: false,
            }
        }

        fn alive(&mut self, context: &mut Context<'_>) -> io::Result<&mut TcpStream> {
            self.gone = self.gone || self.cut.as_mut().poll(context).is_ready();
            if self.gone {
                Err(io::ErrorKind::ConnectionReset.into())
            } else {
                Ok(&mut self.stream)
            }
        }
    }

    impl Connected for Cut {
        type ConnectInfo = ();
        fn connect_info(&self) {}
    }

    impl AsyncRead for Cut {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(self.alive(context)?).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Cut {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(self.alive(context)?).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(self.alive(context)?).poll_flush(context)
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(context)
        }
    }
}
