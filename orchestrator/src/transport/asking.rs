//! What a server asks of the client while a call runs, towards hosts with a stream of their own:
//! sessions, byte streams, `WebSocket`s.
//!
//! A request of the server becomes a request of the hub on the stream of the call that caused it; the
//! host's answer comes as a message of its own and is matched by id.

use super::frame;
use super::reports::Reports;
use super::splice::{Members, Object};
use crate::upstream::offers::{Host, HostAbilities, HostRefusal, HostRequest};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;

/// Questions one client may have open.
const MAX_OPEN: usize = 64;
const ELICITATION: &str = "elicitation/create";

/// An answer of a client: its result, or its error's code and message.
pub type Told = Result<Box<RawValue>, (i64, String)>;

/// The questions one client has open.
#[derive(Debug, Default)]
pub struct Asks {
    next: AtomicU64,
    waiting: Mutex<HashMap<String, oneshot::Sender<Told>>>,
}

impl Asks {
    /// Hands an answer to whoever waits for it; `id` as it stands in the message. Unknown ids are
    /// ignored: the question may be over.
    pub fn answered(&self, id: &str, told: Told) {
        if let Some(waiting) = self.waiting.lock().remove(id)
            && waiting.send(told).is_err()
        {
            tracing::debug!(
                event = "answer_unheard",
                "nobody waits for this answer any more"
            );
        }
    }

    /// A place for one question: its id as JSON, and where the answer comes. `None` past the bound.
    fn open(self: &Arc<Self>) -> Option<(Open, oneshot::Receiver<Told>)> {
        let (send, told) = oneshot::channel();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("\"waygate-{number}\"");
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MAX_OPEN {
            return None;
        }
        waiting.insert(id.clone(), send);
        drop(waiting);
        let asks = Arc::clone(self);
        Some((Open { asks, id }, told))
    }
}

/// An open question; closed when this is dropped.
struct Open {
    asks: Arc<Asks>,
    id: String,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.asks.waiting.lock().remove(&self.id);
    }
}

/// The client behind a stream.
pub struct StreamHost {
    /// What it declared.
    pub abilities: HostAbilities,
    /// Its open questions.
    pub asks: Arc<Asks>,
    /// The stream of the call.
    pub reports: Reports,
    /// MCP's word for the least severity of log messages it wants; `None` for none.
    pub level: Option<Arc<str>>,
    /// Elicitations name the server that asks; off where the host knows it talks to that server only.
    pub names_server: bool,
}

#[async_trait]
impl Host for StreamHost {
    fn abilities(&self) -> HostAbilities {
        self.abilities.clone()
    }

    fn log_level(&self) -> Option<Arc<str>> {
        self.level.clone()
    }

    async fn ask(
        &self,
        server: &str,
        requests: Vec<HostRequest>,
    ) -> Result<Vec<Box<RawValue>>, HostRefusal> {
        let mut open = Vec::with_capacity(requests.len());
        for request in &requests {
            if !self.abilities.allow(&request.method) {
                return Err(HostRefusal::Unable);
            }
            let (place, told) = self.asks.open().ok_or(HostRefusal::Gone)?;
            let frame = question(&place.id, request, self.names_server.then_some(server));
            if !self.reports.push(frame) {
                return Err(HostRefusal::Gone);
            }
            open.push((place, told));
        }
        let mut answers = Vec::with_capacity(open.len());
        for (place, told) in open {
            let told = told.await.map_err(|gone| {
                tracing::debug!(event = "question_dropped", %gone, "a client went away");
                HostRefusal::Gone
            })?;
            drop(place);
            answers.push(told.map_err(|(code, message)| HostRefusal::Refused(code, message))?);
        }
        Ok(answers)
    }

    fn log(&self, _server: &str, params: &RawValue) {
        if let Some(least) = &self.level
            && severe_enough(params, least)
        {
            self.reports.push_line(message(params));
        }
    }
}

/// A log message of a server as a frame.
#[must_use]
pub fn message(params: &RawValue) -> Bytes {
    frame::raw_notification("notifications/message", params)
}

/// Whether a log message is at least as severe as `least`; one of unknown severity is.
#[must_use]
pub fn severe_enough(params: &RawValue, least: &str) -> bool {
    const WORDS: [&str; 8] = [
        "debug",
        "info",
        "notice",
        "warning",
        "error",
        "critical",
        "alert",
        "emergency",
    ];
    let rank = |word: &str| WORDS.iter().position(|own| *own == word);
    let own = Members::of(params).and_then(|members| members.text("level"));
    let own = own.and_then(|word| rank(&word)).unwrap_or(WORDS.len());
    own >= rank(least).unwrap_or_default()
}

/// The parameters of a question; an elicitation starts with the name of who asks.
#[must_use]
pub fn shown(request: &HostRequest, server: Option<&str>) -> Option<Box<RawValue>> {
    let params = request.params.as_deref()?;
    let (ELICITATION, Some(server)) = (request.method.as_str(), server) else {
        return Some(params.to_owned());
    };
    let members = Members::of(params)?;
    let text = members.text("message").unwrap_or_default();
    let copy = members.without(&["message"]).copy();
    Some(copy.with("message", &format!("[{server}] {text}")).raw())
}

fn question(id: &str, request: &HostRequest, server: Option<&str>) -> Bytes {
    let mut frame = Object::default().with("jsonrpc", "2.0");
    if let Ok(id) = RawValue::from_string(id.to_owned()) {
        frame.put("id", &id);
    }
    frame.put("method", &request.method);
    if let Some(params) = shown(request, server) {
        frame.put("params", &params);
    }
    Bytes::from(frame.json())
}

#[cfg(test)]
mod tests {
    use super::super::reports::Wanted;
    use super::*;
    use serde_json::Value;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn host() -> StreamHost {
        StreamHost {
            abilities: HostAbilities {
                elicitation: Some(Arc::from(raw("{}"))),
                ..HostAbilities::default()
            },
            asks: Arc::default(),
            reports: Reports::new(Wanted::default()),
            level: Some("warning".into()),
            names_server: true,
        }
    }

    fn elicitation() -> HostRequest {
        HostRequest {
            key: "k".into(),
            method: ELICITATION.into(),
            params: Some(raw(r#"{"message":"Name?","requestedSchema":{"x":1.0}}"#)),
        }
    }

    #[tokio::test]
    async fn a_question_goes_out_on_the_stream_and_its_answer_comes_back() {
        let host = host();
        let ask = host.ask("crm", vec![elicitation()]);
        tokio::pin!(ask);
        assert!(futures::poll!(&mut ask).is_pending());
        let frame: Value = serde_json::from_slice(&host.reports.try_next().unwrap()).unwrap();
        assert_eq!(frame["params"]["message"], "[crm] Name?");
        assert_eq!(frame["method"], ELICITATION);
        host.asks.answered("\"other\"", Ok(raw("1")));
        host.asks
            .answered(&frame["id"].to_string(), Ok(raw(r#"{"action":"accept"}"#)));
        assert_eq!(ask.await.unwrap()[0].get(), r#"{"action":"accept"}"#);
    }

    #[tokio::test]
    async fn what_a_client_did_not_declare_is_not_asked() {
        let host = host();
        let sampling = HostRequest {
            method: "sampling/createMessage".into(),
            ..elicitation()
        };
        assert_eq!(
            host.ask("crm", vec![sampling]).await.unwrap_err(),
            HostRefusal::Unable
        );
        assert!(host.reports.try_next().is_none());
    }

    #[tokio::test]
    async fn a_question_nobody_waits_for_is_closed() {
        let host = host();
        {
            let ask = host.ask("crm", vec![elicitation()]);
            tokio::pin!(ask);
            assert!(futures::poll!(&mut ask).is_pending());
            assert_eq!(host.asks.waiting.lock().len(), 1);
        }
        assert!(host.asks.waiting.lock().is_empty());
    }

    #[test]
    fn log_messages_below_the_level_are_dropped() {
        let host = host();
        host.log("crm", &raw(r#"{"level":"info","data":1}"#));
        assert!(host.reports.try_next().is_none());
        host.log("crm", &raw(r#"{"level":"alert","data":{"n":1.0}}"#));
        let frame = host.reports.try_next().unwrap();
        assert!(String::from_utf8_lossy(&frame).contains(r#""data":{"n":1.0}"#));
    }
}
