//! The `DevTools` protocol: commands with answers, and events, over one `WebSocket`.
//!
//! Which commands there are is the callers' business. Events go to whoever listens for their session,
//! in the order they came and before the answers that follow them.

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::{Value, json};
use shared::tasks::Tasks;
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::sync::CancellationToken;

/// Longest wait for an answer, unless the command says otherwise.
pub(super) const ANSWER: Duration = Duration::from_secs(20);
/// Largest message; a picture of a long page is large.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// Commands that may wait to be sent.
const QUEUE: usize = 64;

/// Takes the events of one session: method and parameters. Must not block.
pub(super) type Listener = Arc<dyn Fn(&str, &Value) + Send + Sync>;

/// Why a command had no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The browser is gone.
    #[error("the connection to the browser is closed")]
    Closed,
    /// No answer in time.
    #[error("the browser did not answer {0}")]
    Silent(&'static str),
    /// The browser said no. Its words may hold parts of the page.
    #[error("the browser refused {method}: {message}")]
    Refused {
        /// The command.
        method: &'static str,
        /// What it said.
        message: String,
    },
    /// The connection could not be made.
    #[error("the browser cannot be reached")]
    Connect(#[from] std::io::Error),
    /// What listens there does not speak the protocol.
    #[error("no DevTools connection")]
    Handshake(#[from] tungstenite::Error),
}

/// A connection. Cheap to clone; clones share everything.
#[derive(Clone)]
pub(super) struct Wire(Arc<Inner>);

struct Inner {
    out: mpsc::Sender<Message>,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    listeners: Mutex<HashMap<String, Listener>>,
    closed: CancellationToken,
}

type Answer = Result<Value, String>;
type Socket = WebSocketStream<TcpStream>;

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.0.waiting.lock().len();
        f.debug_struct("Wire").field("waiting", &waiting).finish()
    }
}

impl Wire {
    /// Connects to the `DevTools` of a browser; `path` is what it said itself.
    pub(super) async fn connect(
        address: SocketAddr,
        path: &str,
        tasks: &Tasks,
    ) -> Result<Self, WireError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let url = format!("ws://{address}{path}");
        let (socket, _) = client_async_with_config(url, stream, Some(config)).await?;
        let (sink, source) = socket.split();
        let (out, queue) = mpsc::channel(QUEUE);
        let wire = Self(Arc::new(Inner {
            out,
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
            listeners: Mutex::default(),
            closed: tasks.token().child_token(),
        }));
        tasks.spawn("devtools out", send(sink, queue, wire.0.closed.clone()));
        tasks.spawn("devtools in", receive(source, wire.clone()));
        Ok(wire)
    }

    /// Sends a command to the browser, or to the session of a page, and waits for its result.
    pub(super) async fn call(
        &self,
        session: Option<&str>,
        method: &'static str,
        parameters: Value,
    ) -> Result<Value, WireError> {
        self.call_within(session, method, parameters, ANSWER).await
    }

    /// [`Wire::call`] with another longest wait.
    pub(super) async fn call_within(
        &self,
        session: Option<&str>,
        method: &'static str,
        parameters: Value,
        wait: Duration,
    ) -> Result<Value, WireError> {
        let (id, message) = self.message(session, method, parameters);
        let (answer, answered) = oneshot::channel();
        self.0.waiting.lock().insert(id, answer);
        let _waiting = Waiting { wire: self, id };
        let exchange = async {
            self.0.out.send(message).await.or(Err(WireError::Closed))?;
            answered.await.or(Err(WireError::Closed))
        };
        let answer = tokio::select! {
            () = self.0.closed.cancelled() => return Err(WireError::Closed),
            answer = tokio::time::timeout(wait, exchange) => answer,
        };
        match answer {
            Err(_elapsed) => Err(WireError::Silent(method)),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(message))) => Err(WireError::Refused { method, message }),
        }
    }

    /// Sends a command whose result nobody waits for; dropped when the queue is full.
    pub(super) fn tell(&self, session: Option<&str>, method: &'static str, parameters: Value) {
        let (_, message) = self.message(session, method, parameters);
        if self.0.out.try_send(message).is_err() {
            tracing::debug!(event = "browse.wire", method, "a command was not sent");
        }
    }

    /// Hands the events of a session to `listener` until [`Wire::deafen`].
    pub(super) fn listen(&self, session: &str, listener: Listener) {
        self.0.listeners.lock().insert(session.to_owned(), listener);
    }

    /// Ends [`Wire::listen`].
    pub(super) fn deafen(&self, session: &str) {
        self.0.listeners.lock().remove(session);
    }

    /// Whether the browser still listens.
    pub(super) fn is_open(&self) -> bool {
        !self.0.closed.is_cancelled()
    }

    /// Ends the connection.
    pub(super) fn close(&self) {
        self.0.closed.cancel();
    }

    fn message(
        &self,
        session: Option<&str>,
        method: &'static str,
        parameters: Value,
    ) -> (u64, Message) {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if let (Some(session), Some(fields)) = (session, command.as_object_mut()) {
            fields.insert("sessionId".into(), json!(session));
        }
        (id, Message::text(command.to_string()))
    }

    fn take(&self, mut message: Value) {
        if let Some(id) = message.get("id").and_then(Value::as_u64) {
            let answer = match message.get("error") {
                Some(error) => Err(text(error.get("message"))),
                None => Ok(taken(&mut message, "/result")),
            };
            if let Some(waiting) = self.0.waiting.lock().remove(&id) {
                // Who asked may have gone.
                drop(waiting.send(answer));
            }
            return;
        }
        let session = text(message.get("sessionId"));
        let listener = self.0.listeners.lock().get(&session).cloned();
        if let (Some(listener), Some(method)) = (listener, field(&message, "/method").as_str()) {
            listener(method, field(&message, "/params"));
        }
    }
}

/// Forgets a command nobody waits for any more.
struct Waiting<'a> {
    wire: &'a Wire,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.wire.0.waiting.lock().remove(&self.id);
    }
}

async fn send(
    mut sink: SplitSink<Socket, Message>,
    mut queue: mpsc::Receiver<Message>,
    closed: CancellationToken,
) {
    loop {
        let message = tokio::select! {
            () = closed.cancelled() => break,
            message = queue.recv() => message,
        };
        let Some(message) = message else { break };
        if let Err(error) = sink.send(message).await {
            tracing::debug!(event = "browse.wire", %error, "the browser takes no commands");
            break;
        }
    }
    closed.cancel();
}

async fn receive(mut source: SplitStream<Socket>, wire: Wire) {
    loop {
        let message = tokio::select! {
            () = wire.0.closed.cancelled() => break,
            message = source.next() => message,
        };
        let bytes = match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message.into_data(),
            Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            Some(Ok(_)) => continue,
        };
        match serde_json::from_slice(&bytes) {
            Ok(message) => wire.take(message),
            Err(error) => tracing::debug!(event = "browse.wire", %error, "an odd message"),
        }
    }
    wire.0.closed.cancel();
    wire.0.waiting.lock().clear();
}

/// A text, or none.
pub(super) fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The part of a message at a JSON pointer; null when there is none.
pub(super) fn field<'a>(message: &'a Value, pointer: &str) -> &'a Value {
    message.pointer(pointer).unwrap_or(&Value::Null)
}

/// [`field`], taken out of the message.
pub(super) fn taken(message: &mut Value, pointer: &str) -> Value {
    message
        .pointer_mut(pointer)
        .map(Value::take)
        .unwrap_or_default()
}
