//! Answers that several hubs share, in Redis.
//!
//! A service's generation stands beside its answers: an answer counts only at the generation it was
//! fetched at, and a change that goes through any hub moves it on. A change that could not be told,
//! because Redis was away, is told before anything of that service is believed again.

use super::CacheKey;
use crate::redis::Redis;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared::tool::{Content, ContentKind, Output, WireResult};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a question.
pub(super) enum Look {
    /// The answer.
    Found(Output),
    /// None yet; the one that is fetched now belongs to this generation.
    Missing(u64),
    /// Redis is away.
    Away,
}

/// The answers in Redis.
pub(super) struct SharedAnswers {
    redis: Arc<Redis>,
    /// Services that changed while Redis was away; bounded by the number of services.
    untold: Mutex<HashSet<Arc<str>>>,
}

/// An answer as it stands in Redis.
#[derive(Serialize, Deserialize)]
struct Written {
    generation: u64,
    structured: Box<RawValue>,
    content: Vec<WrittenContent>,
    wire: Option<WrittenWire>,
}

#[derive(Serialize, Deserialize)]
struct WrittenContent {
    kind: String,
    mime_type: String,
    data: String,
}

#[derive(Serialize, Deserialize)]
struct WrittenWire {
    json: Box<RawValue>,
    is_error: bool,
}

impl SharedAnswers {
    pub(super) fn new(redis: Arc<Redis>) -> Self {
        Self {
            redis,
            untold: Mutex::default(),
        }
    }

    /// Looks for an answer.
    pub(super) async fn look(&self, key: &CacheKey) -> Look {
        let untold = self.untold.lock().contains(&key.service);
        if untold && !self.tell(&key.service).await {
            return Look::Away;
        }
        let (generation, answer) = (generation_name(&key.service), answer_name(key));
        let mut connection = self.redis.connection();
        let question = async move {
            ::redis::cmd("MGET")
                .arg(&[generation, answer])
                .query_async::<(Option<u64>, Option<Vec<u8>>)>(&mut connection)
                .await
        };
        let Some((generation, answer)) = self.redis.ask(question).await else {
            return Look::Away;
        };
        let generation = generation.unwrap_or(0);
        let read = answer.and_then(|bytes| serde_json::from_slice::<Written>(&bytes).ok());
        let fitting = read.filter(|written| written.generation == generation);
        match fitting.and_then(Written::output) {
            Some(output) => Look::Found(output),
            None => Look::Missing(generation),
        }
    }

    /// Keeps an answer that was asked for at `generation`.
    pub(super) async fn keep(
        &self,
        key: &CacheKey,
        generation: u64,
        output: &Output,
        ttl: Duration,
    ) {
        let written = Written::from(output, generation);
        let Ok(bytes) = serde_json::to_vec(&written) else {
            return;
        };
        let name = answer_name(key);
        let milliseconds = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut connection = self.redis.connection();
        let question = async move {
            ::redis::cmd("SET")
                .arg(name)
                .arg(bytes)
                .arg("PX")
                .arg(milliseconds)
                .query_async::<()>(&mut connection)
                .await
        };
        // Without it the next question is asked upstream.
        let _kept: Option<()> = self.redis.ask(question).await;
    }

    /// Everything read from a service before now no longer counts, in any hub.
    pub(super) async fn changed(&self, service: &str) {
        self.untold.lock().insert(Arc::from(service));
        self.tell(service).await;
    }

    async fn tell(&self, service: &str) -> bool {
        let name = generation_name(service);
        let mut connection = self.redis.connection();
        let question = async move {
            ::redis::cmd("INCR")
                .arg(name)
                .query_async::<u64>(&mut connection)
                .await
        };
        let told = self.redis.ask(question).await.is_some();
        if told {
            self.untold.lock().remove(service);
        }
        told
    }
}

impl Written {
    fn from(output: &Output, generation: u64) -> Self {
        let content = output.content.iter().map(|piece| WrittenContent {
            kind: word(piece.kind).to_owned(),
            mime_type: piece.mime_type.clone(),
            data: STANDARD.encode(&piece.data),
        });
        Self {
            generation,
            structured: output.structured.clone(),
            content: content.collect(),
            wire: output.wire.as_ref().map(|wire| WrittenWire {
                json: wire.json.clone(),
                is_error: wire.is_error,
            }),
        }
    }

    /// `None` when another version of the hub wrote it.
    fn output(self) -> Option<Output> {
        let mut output = Output::structured(self.structured);
        for piece in self.content {
            output.content.push(Content {
                kind: kind(&piece.kind)?,
                mime_type: piece.mime_type,
                data: STANDARD.decode(piece.data).ok()?.into(),
            });
        }
        output.wire = self.wire.map(|wire| WireResult {
            json: wire.json,
            is_error: wire.is_error,
        });
        Some(output)
    }
}

fn generation_name(service: &str) -> String {
    format!("{{waygate:answers}}:generation:{service}")
}

/// Arguments and names of callers do not stand in Redis in clear.
fn answer_name(key: &CacheKey) -> String {
    let parts = [
        &key.organization,
        &key.namespace,
        &key.scope,
        &key.service,
        &key.tool,
        &key.digest,
        &key.arguments_hash,
    ];
    let joined = parts.map(|part| part.as_ref()).join("\n");
    let name = hex::encode(digest(&SHA256, joined.as_bytes()));
    format!("{{waygate:answers}}:{name}")
}

const fn word(kind: ContentKind) -> &'static str {
    match kind {
        ContentKind::Text => "text",
        ContentKind::Image => "image",
        ContentKind::Audio => "audio",
        ContentKind::Resource => "resource",
    }
}

fn kind(word: &str) -> Option<ContentKind> {
    match word {
        "text" => Some(ContentKind::Text),
        "image" => Some(ContentKind::Image),
        "audio" => Some(ContentKind::Audio),
        "resource" => Some(ContentKind::Resource),
        _ => None,
    }
}
