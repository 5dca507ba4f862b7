//! Vectors of texts: by an endpoint, or by hashing. Vectors have length one.
//!
//! Nothing is downloaded. Without a model words are hashed, and health says so; a model of files cannot
//! be run by this build, and is said to be missing.

use crate::config::{Backend, Embedding};
use serde::Deserialize;
use serde_json::json;
use shared::outbound::Outbound;
use shared::remote::{Remote, join};
use shared::secret::{Secret, SecretError, SecretProvider};
use shared::tool::ToolError;
use url::Url;

/// Dimensions of hashed vectors, and of the usual model.
pub(crate) const DIMENSION: usize = 384;
const MAX_DIMENSION: usize = 8192;
/// Texts that are sent at once.
const BATCH: usize = 64;
const HASHED: &str = "feature-hashing-384";
const INSTEAD: &str = "no model is set, so words are hashed: the same words are found, not the same \
                       meaning; set EMBEDDING_BACKEND to http, or to hash when this is wanted";

/// Makes vectors.
#[derive(Debug)]
pub(crate) enum Embedder {
    /// By hashing words and parts of them.
    Hash {
        /// Why it is not a model; `None` when hashing was asked for.
        instead: Option<&'static str>,
    },
    /// By asking.
    Http(Box<Endpoint>),
    /// Not at all.
    Missing {
        /// Model that was wanted.
        model: String,
        /// The setting that would help, and why.
        setting: &'static str,
    },
}

/// An endpoint that makes vectors.
#[derive(Debug)]
pub(crate) struct Endpoint {
    remote: Remote,
    url: Url,
    model: String,
    key: Option<Secret>,
}

/// Why the endpoint cannot be prepared; a missing setting is no error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// A secret is set but cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// TLS does not work on this host.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedded>,
}

#[derive(Deserialize)]
struct Embedded {
    index: usize,
    embedding: Vec<f32>,
}

impl Embedder {
    /// Prepares; asks nobody yet.
    pub(crate) fn prepare(
        settings: &Embedding,
        guard: Outbound,
        secrets: &dyn SecretProvider,
    ) -> Result<Self, SetupError> {
        let model = settings.model.clone();
        let missing = |setting| Self::Missing {
            model: model.clone(),
            setting,
        };
        Ok(match (settings.backend, &settings.url.0) {
            (Backend::Hash, _) => Self::Hash { instead: None },
            (Backend::Local, _) if settings.model_path.as_os_str().is_empty() => Self::Hash {
                instead: Some(INSTEAD),
            },
            (Backend::Local, _) => {
                missing("EMBEDDING_BACKEND to http or hash (this build cannot run model files)")
            }
            (Backend::Http, None) => missing("EMBEDDING_URL"),
            (Backend::Http, Some(url)) => {
                let name = "EMBEDDING_API_KEY_SECRET_PATH";
                let timeout = settings.timeout_seconds.duration();
                let remote = Remote::new("the embedding endpoint", name, guard, timeout)?;
                Self::Http(Box::new(Endpoint {
                    remote: remote.max_bytes(64 * 1024 * 1024),
                    url: join(url, ["v1", "embeddings"]),
                    model,
                    key: secrets.get("EMBEDDING_API_KEY")?,
                }))
            }
        })
    }

    /// What the vectors are of; those of different models cannot be compared.
    pub(crate) fn model(&self) -> &str {
        match self {
            Self::Hash { .. } => HASHED,
            Self::Http(endpoint) => &endpoint.model,
            Self::Missing { model, .. } => model,
        }
    }

    /// Why vectors cannot be made now; `None` when nothing is known against it.
    pub(crate) fn trouble(&self) -> Option<String> {
        match self {
            Self::Hash { instead } => instead.map(str::to_owned),
            Self::Http(endpoint) => endpoint.remote.trouble(),
            Self::Missing { setting, .. } => Some(format!("not configured: set {setting}")),
        }
    }

    /// The vector of each text.
    pub(crate) async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ToolError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            match self {
                Self::Missing { setting, .. } => return Err(ToolError::not_configured(setting)),
                Self::Http(endpoint) => vectors.extend(endpoint.ask(batch).await?),
                Self::Hash { .. } => {
                    vectors.extend(batch.iter().map(|text| hashed(text)));
                    tokio::task::yield_now().await;
                }
            }
        }
        Ok(vectors)
    }
}

impl Endpoint {
    async fn ask(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ToolError> {
        let body = json!({"model": self.model, "input": texts, "encoding_format": "float"});
        let mut request = self.remote.post(self.url.clone()).json(&body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        let mut answer: Answer = self.remote.json(request).await?;
        answer.data.sort_by_key(|embedded| embedded.index);
        let dimension = answer.data.first().map_or(0, |it| it.embedding.len());
        let fits = answer.data.len() == texts.len()
            && (1..=MAX_DIMENSION).contains(&dimension)
            && answer.data.iter().enumerate().all(|(n, it)| {
                let finite = it.embedding.iter().all(|part| part.is_finite());
                it.index == n && it.embedding.len() == dimension && finite
            });
        match fits {
            true => Ok(answer
                .data
                .into_iter()
                .map(|it| of_length_one(it.embedding))
                .collect()),
            false => Err(self.remote.nonsense()),
        }
    }
}

/// Words count whole and, less, by their parts of three letters, so that forms of a word are near.
fn hashed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSION];
    let lower = text.to_lowercase();
    for word in lower.split(|c: char| !c.is_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        add(&mut vector, word, 1.0);
        let letters: Vec<char> = format!("^{word}$").chars().collect();
        for part in letters.windows(3) {
            add(&mut vector, &part.iter().collect::<String>(), 0.5);
        }
    }
    of_length_one(vector)
}

/// Spreads a feature over four places, so that two that meet in one are still told apart.
fn add(vector: &mut [f32], feature: &str, weight: f32) {
    // FNV-1a, 64 bits, and a last mixing: stable on every host, which a hasher of the library need not be.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = feature.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = hash ^ (hash >> 33);
    for field in hash.to_le_bytes().chunks_exact(2) {
        let field = field
            .iter()
            .fold(0, |all, byte| all << 8 | usize::from(*byte));
        let part = vector.get_mut((field >> 1) % DIMENSION);
        if let Some(part) = part {
            *part += if field & 1 == 0 { weight } else { -weight };
        }
    }
}

/// The same direction; nothing stays nothing.
fn of_length_one(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|part| part * part).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|part| *part /= length);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_nearer_than_other_words() {
        let near = |a: &str, b: &str| -> f32 {
            let pairs = hashed(a).into_iter().zip(hashed(b));
            pairs.map(|(a, b)| a * b).sum()
        };
        assert!((near("Restart the pump", "restart THE pump!") - 1.0).abs() < 1e-5);
        assert!(
            near("restarting pumps", "restart the pump") > near("restarting pumps", "cold soup")
        );
        assert!(hashed("!?").iter().all(|part| *part == 0.0));
    }
}
