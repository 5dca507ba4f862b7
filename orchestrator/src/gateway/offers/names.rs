//! The names hosts know resources and prompts by, and the way back from them.

use super::ListedOffer;
use crate::error::CallError;
use crate::router::{Snapshot, Source};
use crate::upstream::offers::{OfferKind, OfferMethod};
use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// Longest name of a prompt that is not cut, in bytes.
const MAX_NAME: usize = 50;
const KEPT: usize = 43;
const HASH_DIGITS: usize = 6;
const QUALIFIED: &str = "waygate://";

/// What a request asks for.
pub(super) enum Wanted {
    Resource(String),
    Template(String),
    Prompt(String),
}

/// Where it is.
pub(super) struct Found {
    pub(super) source: Arc<Source>,
    /// The server's own name of it.
    pub(super) target: Arc<str>,
}

#[derive(Deserialize)]
struct Members {
    uri: Option<String>,
    name: Option<String>,
    r#ref: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    r#type: String,
    uri: Option<String>,
    name: Option<String>,
}

impl Wanted {
    pub(super) fn of(method: OfferMethod, params: &RawValue) -> Result<Self, CallError> {
        let nothing = |what| CallError::UnknownOffer {
            what,
            name: String::new(),
        };
        let members: Members =
            serde_json::from_str(params.get()).or(Err(nothing("form of parameters")))?;
        match method {
            OfferMethod::ReadResource => members
                .uri
                .map(Self::Resource)
                .ok_or_else(|| nothing("resource")),
            OfferMethod::GetPrompt => members
                .name
                .map(Self::Prompt)
                .ok_or_else(|| nothing("prompt")),
            OfferMethod::Complete => {
                let reference = members.r#ref.ok_or_else(|| nothing("reference"))?;
                match (reference.r#type.as_str(), reference.uri, reference.name) {
                    ("ref/resource", Some(uri), _) => Ok(Self::Template(uri)),
                    ("ref/prompt", _, Some(name)) => Ok(Self::Prompt(name)),
                    _ => Err(nothing("reference")),
                }
            }
        }
    }

    pub(super) fn resource(uri: &str) -> Self {
        Self::Resource(uri.to_owned())
    }

    pub(super) const fn kind(&self) -> OfferKind {
        match self {
            Self::Resource(_) => OfferKind::Resource,
            Self::Template(_) => OfferKind::Template,
            Self::Prompt(_) => OfferKind::Prompt,
        }
    }

    pub(super) fn unknown(&self) -> CallError {
        let (what, name) = match self {
            Self::Resource(uri) => ("resource", uri),
            Self::Template(uri) => ("resource template", uri),
            Self::Prompt(name) => ("prompt", name),
        };
        CallError::UnknownOffer {
            what,
            name: name.clone(),
        }
    }

    /// What policy and the audit trail see.
    pub(super) fn arguments(&self, found: &Found) -> Value {
        match self {
            Self::Resource(_) | Self::Template(_) => json!({ "uri": &*found.target }),
            Self::Prompt(_) => json!({ "name": &*found.target }),
        }
    }
}

/// Everything of one kind with the name hosts know it by.
pub(super) fn all(snapshot: &Snapshot, kind: OfferKind) -> Vec<ListedOffer> {
    let mut taken = HashSet::new();
    let mut listed = Vec::new();
    for source in snapshot.sources() {
        for offer in source.offers.offered().of(kind) {
            let name = match kind {
                OfferKind::Resource | OfferKind::Template => uri(source, &offer.key, &taken),
                OfferKind::Prompt => prompt(source, &offer.key, &taken),
            };
            taken.insert(Arc::clone(&name));
            listed.push(ListedOffer {
                source: Arc::clone(source),
                offer: Arc::clone(offer),
                name,
            });
        }
    }
    listed
}

/// Looks for it: by exact name, by qualified URI, by the templates; within one service also by the
/// server's own name.
pub(super) fn find(snapshot: &Snapshot, wanted: &Wanted, only: Option<&str>) -> Option<Found> {
    let (text, kind) = match wanted {
        Wanted::Resource(text) => (text, OfferKind::Resource),
        Wanted::Template(text) => (text, OfferKind::Template),
        Wanted::Prompt(text) => (text, OfferKind::Prompt),
    };
    let within = |source: &Source| only.is_none_or(|only| &*source.service == only);
    let exact = all(snapshot, kind).into_iter().find(|it| {
        within(&it.source)
            && (*it.name == **text
                || (only.is_some() && *it.offer.key == **text)
                || dotted(&it.source, &it.offer.key) == *text)
    });
    if let Some(listed) = exact {
        return Some(Found {
            source: listed.source,
            target: Arc::clone(&listed.offer.key),
        });
    }
    if kind == OfferKind::Prompt {
        return None;
    }
    let sources = || snapshot.sources().iter().filter(|source| within(source));
    if let Some((server, own)) = qualified(text) {
        let mut sources = sources();
        let source = sources.find(|source| &*source.service == server)?;
        return Some(Found {
            source: Arc::clone(source),
            target: own.into(),
        });
    }
    let by_template = sources().find(|source| {
        let offered = source.offers.offered();
        offered.templates.iter().any(|it| fits(&it.key, text))
    });
    // A server may answer for more than it lists, such as what a result links to.
    let source = by_template.or_else(|| match only {
        Some(_) => sources().next(),
        None => None,
    })?;
    Some(Found {
        source: Arc::clone(source),
        target: text.as_str().into(),
    })
}

fn dotted(source: &Source, key: &str) -> String {
    format!("{}.{key}", source.service)
}

fn uri(source: &Source, own: &Arc<str>, taken: &HashSet<Arc<str>>) -> Arc<str> {
    if !taken.contains(own) {
        return Arc::clone(own);
    }
    let encoded = utf8_percent_encode(own, NON_ALPHANUMERIC);
    format!("{QUALIFIED}{}/{encoded}", source.service).into()
}

fn qualified(text: &str) -> Option<(&str, String)> {
    let (server, encoded) = text.strip_prefix(QUALIFIED)?.split_once('/')?;
    let own = percent_decode_str(encoded).decode_utf8().ok()?;
    Some((server, own.into_owned()))
}

fn prompt(source: &Source, own: &str, taken: &HashSet<Arc<str>>) -> Arc<str> {
    let portable = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '_'
        }
    };
    let plain: String = format!("{}_{own}", source.service)
        .chars()
        .map(portable)
        .collect();
    if plain.len() <= MAX_NAME && !taken.contains(plain.as_str()) {
        return plain.into();
    }
    let hash = hex::encode(digest(&SHA256, dotted(source, own).as_bytes()));
    let kept: String = plain.chars().take(KEPT).collect();
    let digits: String = hash.chars().take(HASH_DIGITS).collect();
    format!("{kept}_{digits}").into()
}

/// Whether a URI may come from a template: the texts between its expressions stand in the URI, in
/// order. The server has the last word.
fn fits(template: &str, uri: &str) -> bool {
    let mut rest = uri;
    let mut pieces = template.split('{');
    let Some(head) = pieces.next() else {
        return false;
    };
    let Some(after) = rest.strip_prefix(head) else {
        return false;
    };
    rest = after;
    for piece in pieces {
        let text = piece.split_once('}').map_or("", |(_, text)| text);
        if text.is_empty() {
            continue;
        }
        let Some((_, after)) = rest.split_once(text) else {
            return false;
        };
        rest = after;
    }
    template.contains('{') || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_matched_with_templates() {
        assert!(fits("test://template/{id}/data", "test://template/7/data"));
        assert!(fits("file:///{+path}", "file:///a/b"));
        assert!(!fits("test://template/{id}/data", "test://template/7"));
        assert!(!fits("other://{x}", "test://template/7"));
        assert!(!fits("test://a", "test://ab"));
    }

    #[test]
    fn qualified_uris_lead_back() {
        let text = "waygate://files/file%3A%2F%2F%2Fa%20b";
        assert_eq!(qualified(text), Some(("files", "file:///a b".to_owned())));
        assert_eq!(qualified("file:///a"), None);
    }
}
