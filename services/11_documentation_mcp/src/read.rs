//! Reading: one document, the list of them, categories and tags.

use crate::document::Category;
use crate::library::{Doc, Library};
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `docs.get`.
pub(crate) struct Get(pub(crate) Arc<Library>);
/// `docs.list`.
pub(crate) struct List(pub(crate) Arc<Library>);
/// `docs.categories.list`.
pub(crate) struct ListCategories(pub(crate) Arc<Library>);
/// `docs.tags.list`.
pub(crate) struct ListTags(pub(crate) Arc<Library>);

/// Arguments of `docs.get`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetArguments {
    /// Id of the document, from docs.search or docs.list.
    #[schemars(length(min = 1, max = 80))]
    doc_id: String,
    /// `latest`, or the number of a version from docs.versions.list.
    #[serde(default = "latest")]
    #[schemars(length(min = 1, max = 20))]
    version: String,
}

fn latest() -> String {
    "latest".to_owned()
}

/// Result of `docs.get`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Whole {
    #[serde(flatten)]
    doc: Doc,
    /// The text, in Markdown.
    content: String,
    /// What its authors noted beside.
    metadata: Map<String, Value>,
}

/// Arguments of `docs.list`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListArguments {
    /// Only documents of this category.
    #[serde(default)]
    category: Option<Category>,
    /// Most documents to give, 1 to 1000.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[schemars(length(min = 1, max = 80))]
    cursor: Option<String>,
}

const fn fifty() -> usize {
    50
}

/// Result of `docs.list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Page {
    /// The documents, by id.
    documents: Vec<Doc>,
    /// How many these are.
    count: usize,
    /// Give it as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// A name and how often it is there.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Named {
    /// The name.
    pub(crate) name: String,
    /// Documents that have it.
    pub(crate) count: usize,
}

/// Result of `docs.categories.list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Categories {
    /// Every category, also those without documents.
    categories: Vec<Named>,
    /// How many these are.
    count: usize,
}

/// Result of `docs.tags.list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tags {
    /// Every tag, by name.
    tags: Vec<Named>,
    /// How many these are.
    count: usize,
}

/// How often each name is there, by name.
pub(crate) fn counted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Named> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let named = |(name, count): (&str, usize)| Named {
        name: name.to_owned(),
        count,
    };
    counts.into_iter().map(named).collect()
}

#[async_trait]
impl TypedTool for Get {
    type Arguments = GetArguments;
    type Output = Whole;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.get",
            Effect::Read,
            "Read a document with its text, as it is now or as one of its versions was.",
        )
        .live()
    }

    async fn run(&self, arguments: GetArguments, _: &Call) -> Result<Whole, ToolError> {
        self.0.with(move |library| whole(library, &arguments)).await
    }
}

fn whole(library: &Library, arguments: &GetArguments) -> Result<Whole, ToolError> {
    if arguments.version == "latest" {
        let (entry, document) = library.present(&arguments.doc_id)?;
        return Ok(Whole {
            doc: entry.doc,
            content: document.content,
            metadata: document.front.metadata,
        });
    }
    let Ok(number) = arguments.version.parse::<u64>() else {
        let rule = "is neither latest nor the number of a version";
        return Err(ToolError::invalid("version", rule));
    };
    let document = library.version(&arguments.doc_id, number)?;
    let entry = library.entry(&arguments.doc_id).ok();
    let front = document.front;
    let category = front.category.or(entry.as_ref().map(|it| it.category));
    let modified = front.modified.unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(Whole {
        doc: Doc {
            id: arguments.doc_id.clone(),
            title: front.title,
            category: category.map(Category::name).unwrap_or_default().to_owned(),
            tags: front.tags,
            path: entry.map(|it| it.doc.path).unwrap_or_default(),
            created: front.created.unwrap_or(modified),
            modified,
            author: front.author,
            version: number,
        },
        content: document.content,
        metadata: front.metadata,
    })
}

#[async_trait]
impl TypedTool for List {
    type Arguments = ListArguments;
    type Output = Page;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.list",
            Effect::Read,
            "List the documents, of one category or all, without their text.",
        )
        .live()
    }

    async fn run(&self, arguments: ListArguments, _: &Call) -> Result<Page, ToolError> {
        let entries = self.0.with(|library| Ok(library.entries())).await?;
        let fits = |category| arguments.category.is_none_or(|wanted| wanted == category);
        let after = |id: &str| arguments.cursor.as_deref().is_none_or(|last| id > last);
        let entries = entries.into_iter().filter(|it| fits(it.category));
        let entries = entries.filter(|it| after(&it.doc.id));
        let mut documents: Vec<Doc> = entries
            .map(|entry| entry.doc)
            .take(arguments.limit.saturating_add(1))
            .collect();
        let more = documents.len() > arguments.limit;
        documents.truncate(arguments.limit);
        Ok(Page {
            count: documents.len(),
            next_cursor: documents.last().filter(|_| more).map(|doc| doc.id.clone()),
            documents,
        })
    }
}

#[async_trait]
impl TypedTool for ListCategories {
    type Arguments = Nothing;
    type Output = Categories;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.categories.list",
            Effect::Read,
            "List the categories with the number of documents in each.",
        )
        .live()
    }

    async fn run(&self, _: Nothing, _: &Call) -> Result<Categories, ToolError> {
        let entries = self.0.with(|library| Ok(library.entries())).await?;
        let named = |category: Category| Named {
            name: category.name().to_owned(),
            count: entries.iter().filter(|it| it.category == category).count(),
        };
        let categories: Vec<Named> = Category::ALL.into_iter().map(named).collect();
        Ok(Categories {
            count: categories.len(),
            categories,
        })
    }
}

#[async_trait]
impl TypedTool for ListTags {
    type Arguments = Nothing;
    type Output = Tags;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.tags.list",
            Effect::Read,
            "List the tags in use with the number of documents that have each.",
        )
        .live()
    }

    async fn run(&self, _: Nothing, _: &Call) -> Result<Tags, ToolError> {
        let entries = self.0.with(|library| Ok(library.entries())).await?;
        let tags = entries.iter().flat_map(|entry| &entry.doc.tags);
        let tags = counted(tags.map(String::as_str));
        Ok(Tags {
            count: tags.len(),
            tags,
        })
    }
}
