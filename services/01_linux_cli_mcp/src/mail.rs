//! `os.linux.mta.checkQueue`: mail that waits, from Postfix or Exim.

use crate::host::Host;
use crate::os_info::NoArguments;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::exec::Run;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Most messages returned; `queue_length` counts all.
const MAX_MESSAGES: usize = 1000;

/// The tool.
pub(crate) struct CheckQueue(pub(crate) Arc<Host>);

/// The queue.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Queue {
    /// `postfix` or `exim`.
    mta: String,
    /// Messages in the queue.
    queue_length: usize,
    /// The first 1000 of them.
    messages: Vec<Message>,
    /// Number of messages returned.
    count: usize,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Message {
    queue_id: String,
    /// Empty for a bounce.
    sender: String,
    recipients: Vec<String>,
    size_bytes: u64,
    /// RFC 3339, UTC.
    arrived_at: String,
    /// Why it waits; null when nobody said.
    reason: Option<String>,
}

#[async_trait]
impl TypedTool for CheckQueue {
    type Arguments = NoArguments;
    type Output = Queue;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.mta.checkQueue",
            Effect::Read,
            "Show the mail that waits on this host (Postfix or Exim): sender, recipients, age, size \
             and why it was not delivered.",
        )
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Queue, ToolError> {
        let programs = ["postqueue", "exim", "exim4"];
        let (mta, messages) = match self.0.executor.first_installed(&programs) {
            Some("postqueue") => {
                let text = self.0.output(Run::new("postqueue", ["-j"])).await?;
                ("postfix", postfix(&text)?)
            }
            Some(exim) => {
                let text = self.0.output(Run::new(exim, ["-bp"])).await?;
                ("exim", exim_queue(&text, self.0.clock.now()))
            }
            None => {
                let message = "not configured: neither postqueue nor exim is installed";
                return Err(ToolError::refused(Code::NotConfigured, message));
            }
        };
        let queue_length = messages.len();
        let messages: Vec<_> = messages.into_iter().take(MAX_MESSAGES).collect();
        Ok(Queue {
            mta: mta.into(),
            queue_length,
            count: messages.len(),
            messages,
        })
    }
}

/// A line of `postqueue -j`.
#[derive(Deserialize)]
struct PostfixMessage {
    queue_id: String,
    #[serde(default)]
    sender: String,
    message_size: u64,
    arrival_time: i64,
    #[serde(default)]
    recipients: Vec<PostfixRecipient>,
}

#[derive(Deserialize)]
struct PostfixRecipient {
    address: String,
    delay_reason: Option<String>,
}

fn postfix(text: &str) -> Result<Vec<Message>, ToolError> {
    let message = |line: &str| {
        let message: PostfixMessage = serde_json::from_str(line)?;
        let mut reasons = message.recipients.iter();
        Ok(Message {
            reason: reasons.find_map(|recipient| recipient.delay_reason.clone()),
            recipients: message
                .recipients
                .into_iter()
                .map(|to| to.address)
                .collect(),
            queue_id: message.queue_id,
            sender: message.sender,
            size_bytes: message.message_size,
            arrived_at: Timestamp::from_second(message.arrival_time)
                .unwrap_or_default()
                .to_string(),
        })
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let messages: Result<_, serde_json::Error> = lines.map(message).collect();
    messages.map_err(|error| {
        tracing::warn!(event = "postqueue_answer", %error, "postqueue said something else");
        ToolError::new(Code::BadGateway, "postqueue did not answer in JSON")
    })
}

/// Reads `exim -bp`: a head line (`25m  2.9K 0t5C6f-0000c8-00 <sender>`, `*** frozen ***` at times),
/// then a recipient a line, `D` before one that was served, then an empty line.
fn exim_queue(text: &str, now: Timestamp) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match (words.as_slice(), messages.last_mut()) {
            ([age, size, id, sender, rest @ ..], _) if sender.starts_with('<') => {
                let sender = sender.trim_matches(['<', '>']);
                messages.push(Message {
                    queue_id: (*id).to_owned(),
                    sender: sender.to_owned(),
                    recipients: Vec::new(),
                    size_bytes: scaled(size, &[('K', 1024), ('M', 1024 * 1024)]),
                    arrived_at: before(now, age).to_string(),
                    reason: rest.contains(&"frozen").then(|| "frozen".to_owned()),
                });
            }
            ([recipient], Some(message)) => message.recipients.push((*recipient).to_owned()),
            _ => {}
        }
    }
    messages
}

fn before(now: Timestamp, age: &str) -> Timestamp {
    let seconds = scaled(
        age,
        &[('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)],
    );
    let age = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or_default());
    now.checked_sub(age).unwrap_or(now)
}

/// A number such as `25m` or `2.9K`, with one decimal place at most; 0 for anything else.
fn scaled(text: &str, units: &[(char, u64)]) -> u64 {
    let unit = units.iter().find(|(letter, _)| text.ends_with(*letter));
    let factor = unit.map_or(1, |(_, factor)| *factor);
    let number = unit.map_or(text, |(letter, _)| text.trim_end_matches(*letter));
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    let whole = whole.parse::<u64>().unwrap_or_default();
    let tenths = tenths.parse::<u64>().unwrap_or_default().min(9);
    let part = tenths.saturating_mul(factor) / 10;
    whole.saturating_mul(factor).saturating_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_of_postfix_is_read() {
        let text = concat!(
            r#"{"queue_name":"deferred","queue_id":"A1","arrival_time":1700000000,"message_size":123,"forced_expire":false,"sender":"a@x","recipients":[{"address":"b@y"},{"address":"c@y","delay_reason":"no route"}]}"#,
            "\n\n"
        );
        let messages = postfix(text).unwrap();
        let [message] = messages.as_slice() else {
            panic!("{messages:?}")
        };
        assert_eq!(message.recipients, ["b@y", "c@y"]);
        assert_eq!(message.reason.as_deref(), Some("no route"));
        assert_eq!(message.arrived_at, "2023-11-14T22:13:20Z");
        assert_eq!(postfix("").unwrap(), []);
        assert!(postfix("Mail queue is empty").is_err());
    }

    #[test]
    fn the_queue_of_exim_is_read() {
        let text = "25m  2.9K 0t5C6f-0000c8-00 <alice@x>\n          bob@y\n        D carol@y\n\n 3d   12 1aB-00-0 <> *** frozen ***\n          dan@y\n";
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let messages = exim_queue(text, now);
        let [first, second] = messages.as_slice() else {
            panic!("{messages:?}")
        };
        assert_eq!(
            (first.size_bytes, first.arrived_at.as_str()),
            (2969, "2026-11-20T11:35:00Z")
        );
        assert_eq!(
            (first.sender.as_str(), first.recipients.as_slice()),
            ("alice@x", &["bob@y".to_owned()][..])
        );
        assert_eq!(
            (second.sender.as_str(), second.reason.as_deref()),
            ("", Some("frozen"))
        );
        assert_eq!(second.arrived_at, "2026-11-17T12:00:00Z");
    }
}
