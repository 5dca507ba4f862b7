//! `artefacts.read`, `artefacts.search`: results that were too large, in parts.
//!
//! Only the principal whose call made a result can read it.

use crate::artefacts::{ArtefactError, Artefacts, MAX_QUERY, Owner, Search};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::id::InvalidId;
use shared::tool::{Call, Effect, Spec, Tool, ToolError, TypedTool, boxed};
use std::sync::Arc;

/// Id of the tool that reads; the other one stands beside it.
pub const READ: &str = "artefacts.read";
const SEARCH: &str = "artefacts.search";

/// The tools about kept results.
///
/// # Errors
/// [`InvalidId`] when a definition is wrong.
pub fn artefact_tools(artefacts: &Arc<Artefacts>) -> Result<Vec<Arc<dyn Tool>>, InvalidId> {
    Ok(vec![
        boxed(Read(Arc::clone(artefacts)))?,
        boxed(Find(Arc::clone(artefacts)))?,
    ])
}

struct Read(Arc<Artefacts>);
struct Find(Arc<Artefacts>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadArguments {
    /// Id of the artefact, as the shortened result gave it.
    id: String,
    /// Where to begin, in bytes.
    #[serde(default)]
    offset: usize,
    /// Most bytes.
    #[serde(default = "sixteen_thousand")]
    #[schemars(range(min = 1, max = 65_536))]
    length: usize,
}

const fn sixteen_thousand() -> usize {
    16_000
}

/// A part of a result.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    /// The part.
    text: String,
    /// Where it begins, in bytes.
    offset: usize,
    /// Where the next part begins; null at the end.
    next_offset: Option<usize>,
    /// Length of the whole, in bytes.
    total_bytes: usize,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FindArguments {
    /// Id of the artefact, as the shortened result gave it.
    id: String,
    /// What to look for, in letters of either case.
    #[schemars(length(min = 1, max = 512))]
    query: String,
    /// The query is a regular expression.
    #[serde(default)]
    regex: bool,
    /// Where to begin, in bytes.
    #[serde(default)]
    offset: usize,
    /// Most places.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100))]
    limit: usize,
}

const fn twenty() -> usize {
    20
}

/// The places that were found.
#[derive(Debug, Serialize, JsonSchema)]
struct Places {
    /// The first of them, in order.
    matches: Vec<Match>,
    /// How many there are from the offset on; counting ends at 10,000.
    total: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Match {
    /// Where it is, in bytes: an offset for artefacts.read.
    offset: usize,
    /// Its line, from 1.
    line: usize,
    /// What stands there and around it.
    excerpt: String,
}

#[async_trait]
impl TypedTool for Read {
    type Arguments = ReadArguments;
    type Output = Shown;

    fn spec(&self) -> Spec {
        let text = "Read a part of a result of yours that was too large to be shown and is kept as an \
                    artefact.";
        Spec::new(READ, Effect::Read, text).sensitive().live()
    }

    async fn run(&self, arguments: ReadArguments, call: &Call) -> Result<Shown, ToolError> {
        let range = (arguments.offset, arguments.length);
        let part = self.0.read(owner(call), &arguments.id, range).await;
        let part = part.map_err(refusal)?;
        Ok(Shown {
            text: part.text,
            offset: part.offset,
            next_offset: part.next,
            total_bytes: part.bytes,
        })
    }
}

#[async_trait]
impl TypedTool for Find {
    type Arguments = FindArguments;
    type Output = Places;

    fn spec(&self) -> Spec {
        let text = "Find the places of a text in a result of yours that was too large to be shown and is \
                    kept as an artefact.";
        Spec::new(SEARCH, Effect::Read, text).sensitive().live()
    }

    async fn run(&self, arguments: FindArguments, call: &Call) -> Result<Places, ToolError> {
        if arguments.query.len() > MAX_QUERY {
            return Err(ToolError::invalid("query", "must be at most 512 bytes"));
        }
        let search = Search {
            query: &arguments.query,
            pattern: arguments.regex,
            from: arguments.offset,
            limit: arguments.limit,
        };
        let found = self.0.search(owner(call), &arguments.id, search).await;
        let found = found.map_err(refusal)?;
        let matches = found.places.into_iter().map(|place| Match {
            offset: place.offset,
            line: place.line,
            excerpt: place.excerpt,
        });
        Ok(Places {
            matches: matches.collect(),
            total: found.total,
        })
    }
}

fn owner(call: &Call) -> Owner<'_> {
    Owner {
        principal: &call.principal,
        organization: &call.organization,
    }
}

fn refusal(error: ArtefactError) -> ToolError {
    match error {
        ArtefactError::Unknown => {
            let message = "there is no such artefact of yours; it may be over";
            ToolError::refused(Code::NotFound, message)
        }
        ArtefactError::Pattern(error) => ToolError::invalid("query", error),
        other => {
            tracing::error!(event = "artefact_unread", error = %other, "an artefact could not be read");
            let message = "artefacts cannot be read now";
            ToolError::refused(Code::ServiceUnavailable, message).retryable()
        }
    }
}
