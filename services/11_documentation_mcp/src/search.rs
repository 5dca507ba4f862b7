//! `docs.search`.

use crate::document::Category;
use crate::index::Wanted;
use crate::library::{Doc, Library};
use crate::read::{Named, counted};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Matches that are counted by category and tag.
const FACETED: usize = 1000;

/// `docs.search`.
pub(crate) struct Search(pub(crate) Arc<Library>);

/// Arguments of `docs.search`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchArguments {
    /// Words to look for; `"a phrase"`, `+must`, `-not` and `title:word` are understood.
    #[schemars(length(min = 1, max = 500))]
    query: String,
    /// Only documents of this category.
    #[serde(default)]
    category: Option<Category>,
    /// Only documents with all of these tags.
    #[serde(default)]
    #[schemars(length(max = 20))]
    tags: Option<Vec<String>>,
    /// Most documents to give, 1 to 20.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 20))]
    limit: usize,
}

const fn twenty() -> usize {
    20
}

/// Result of `docs.search`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Found {
    /// What was looked for.
    query: String,
    /// How many documents are given.
    count: usize,
    /// The documents, best first.
    documents: Vec<Hit>,
    /// All that match, up to 1000, by category and tag.
    facets: Facets,
}

/// A document that matches.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hit {
    /// Id.
    id: String,
    /// Title.
    title: String,
    /// Category.
    category: String,
    /// The part that matches best, its words between `**`.
    snippet: String,
    /// How well it matches; comparable within one search only.
    score: f32,
    /// Path of its file in the store.
    path: String,
}

/// What matches, counted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Facets {
    /// By category.
    categories: Vec<Named>,
    /// By tag.
    tags: Vec<Named>,
}

#[async_trait]
impl TypedTool for Search {
    type Arguments = SearchArguments;
    type Output = Found;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.search",
            Effect::Read,
            "Search the documents by words, best first, with a snippet of each. Read one with \
             docs.get.",
        )
        .live()
    }

    async fn run(&self, arguments: SearchArguments, _: &Call) -> Result<Found, ToolError> {
        self.0.with(move |library| found(library, arguments)).await
    }
}

fn found(library: &Library, arguments: SearchArguments) -> Result<Found, ToolError> {
    let wanted = Wanted {
        query: &arguments.query,
        category: arguments.category,
        tags: arguments.tags.as_deref().unwrap_or_default(),
    };
    let matches = library.search(&wanted, FACETED)?;
    let known = matches.ids.iter();
    let known = known.filter_map(|(score, id)| Some((*score, library.entry(id).ok()?.doc)));
    let known: Vec<(f32, Doc)> = known.collect();
    let categories = known.iter().map(|(_, doc)| doc.category.as_str());
    let tags = known.iter().flat_map(|(_, doc)| &doc.tags);
    let facets = Facets {
        categories: counted(categories),
        tags: counted(tags.map(String::as_str)),
    };
    let mut documents = Vec::new();
    for (score, doc) in known.iter().take(arguments.limit) {
        let text = library
            .present(&doc.id)
            .map(|(_, document)| document.content);
        documents.push(Hit {
            snippet: matches.snippet(&text.unwrap_or_default()),
            id: doc.id.clone(),
            title: doc.title.clone(),
            category: doc.category.clone(),
            score: *score,
            path: doc.path.clone(),
        });
    }
    Ok(Found {
        query: arguments.query,
        count: documents.len(),
        documents,
        facets,
    })
}
