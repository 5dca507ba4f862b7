//! What a search engine is asked and what it gives: a seam, because engines are other systems.
//!
//! An engine knows how to ask for one page of results and what the answer means. How pages are put
//! together is here; what callers are told of it is not.

mod bing;
mod brave;
mod duckduckgo;
mod exa;
mod google;
mod searxng;
mod set;
mod tavily;

pub(crate) use set::{Engines, SetupError, State};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::remote::Remote;
use shared::tool::ToolError;
use std::collections::BTreeSet;
use url::Url;

/// Most pages asked for one search.
const MAX_PAGES: usize = 6;
/// Most characters of a title or a snippet.
const MAX_TEXT: usize = 2000;

/// The engines, in the order people see them.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Name {
    #[default]
    DuckDuckGo,
    Google,
    Bing,
    Exa,
    Brave,
    Tavily,
    SearXng,
}

impl Name {
    /// Every engine.
    pub(crate) const ALL: [Self; 7] = [
        Self::DuckDuckGo,
        Self::Google,
        Self::Bing,
        Self::Exa,
        Self::Brave,
        Self::Tavily,
        Self::SearXng,
    ];

    /// The word of the catalogue.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::DuckDuckGo => "duckduckgo",
            Self::Google => "google",
            Self::Bing => "bing",
            Self::Exa => "exa",
            Self::Brave => "brave",
            Self::Tavily => "tavily",
            Self::SearXng => "searxng",
        }
    }
}

/// What is searched for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The words.
    pub(crate) query: String,
    /// Results in all, 1–50.
    pub(crate) results: usize,
    /// Where from; `None` for anywhere.
    pub(crate) region: Option<Region>,
    /// What is left out.
    pub(crate) safe_search: SafeSearch,
}

/// A country and a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    /// Two letters, lower case.
    pub(crate) country: String,
    /// Two or three letters, lower case.
    pub(crate) language: String,
}

/// How much of what is unfit for children is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SafeSearch {
    Off,
    #[default]
    Moderate,
    Strict,
}

impl SafeSearch {
    /// The same word in lower case.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Moderate => "moderate",
            Self::Strict => "strict",
        }
    }
}

/// One result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) title: String,
    /// An http or https address.
    pub(crate) link: String,
    pub(crate) snippet: String,
}

impl Hit {
    /// A result as an engine gave it; `None` without an address people could go to.
    pub(crate) fn new(title: &str, link: &str, snippet: &str) -> Option<Self> {
        let url = Url::parse(link.trim()).ok()?;
        matches!(url.scheme(), "http" | "https").then(|| Self {
            title: clean(if title.is_empty() { link } else { title }),
            link: url.into(),
            snippet: clean(snippet),
        })
    }
}

/// Results in a row, and how to ask for the next ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) hits: Vec<Hit>,
    /// Parameters of the next request; `None` when this was the last page.
    pub(crate) next: Option<Parameters>,
}

/// Parameters of a request.
pub(crate) type Parameters = Vec<(String, String)>;

/// One search engine.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    /// Asks for a page; `next` is what the page before said.
    async fn page(&self, wanted: &Wanted, next: Option<&Parameters>) -> Result<Page, ToolError>;

    /// The system behind it.
    fn remote(&self) -> &Remote;
}

/// As many results as are wanted and there are, none twice. A page that fails after others came ends
/// the search.
pub(crate) async fn search(engine: &dyn Engine, wanted: &Wanted) -> Result<Vec<Hit>, ToolError> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = None;
    for _ in 0..MAX_PAGES {
        let page = match engine.page(wanted, next.as_ref()).await {
            Ok(page) => page,
            Err(error) if found.is_empty() => return Err(error),
            Err(error) => {
                tracing::warn!(event = "search.page", %error, "a further page did not come");
                break;
            }
        };
        let before = found.len();
        found.extend(
            page.hits
                .into_iter()
                .filter(|hit| seen.insert(hit.link.clone())),
        );
        next = page.next;
        if next.is_none() || found.len() >= wanted.results || found.len() == before {
            break;
        }
    }
    found.truncate(wanted.results);
    Ok(found)
}

/// The results of a JSON answer: the list at `list`, with these names for title, link and snippet.
pub(crate) fn hits(answer: &Value, list: &str, [title, link, snippet]: [&str; 3]) -> Vec<Hit> {
    let list = answer.pointer(list).and_then(Value::as_array);
    let text = |hit: &Value, name: &str| {
        let value = hit.get(name).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let hits = list.into_iter().flatten();
    hits.filter_map(|hit| Hit::new(&text(hit, title), &text(hit, link), &text(hit, snippet)))
        .collect()
}

/// A parameter.
pub(crate) fn parameter(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// Text without tags, line ends and control characters, and not too long.
fn clean(text: &str) -> String {
    let plain = if text.contains(['<', '&']) {
        let fragment = scraper::Html::parse_fragment(text);
        fragment.root_element().text().collect()
    } else {
        text.to_owned()
    };
    let words: Vec<&str> = plain.split_whitespace().collect();
    let joined = words.join(" ");
    let visible = joined.chars().filter(|c| !c.is_control());
    visible.take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests;
