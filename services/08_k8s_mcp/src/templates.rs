//! Manifests to begin with, and what they are about.

mod texts;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use texts::{PAGES, TEMPLATES, Template};

/// `infra.k8s.get_template`.
pub(crate) struct GetTemplate;
/// `infra.k8s.list_templates`.
pub(crate) struct ListTemplates;
/// `infra.k8s.search_docs`.
pub(crate) struct SearchDocs;

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Arguments of `get_template`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Which one.
    name: Name,
    /// As what.
    #[serde(default = "yaml")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Name {
    Deployment,
    Service,
    Configmap,
    Secret,
    Ingress,
    Persistentvolumeclaim,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Yaml,
    Json,
}

const fn yaml() -> Format {
    Format::Yaml
}

/// Arguments of `search_docs`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// Words to look for.
    #[schemars(length(min = 1, max = 500))]
    query: String,
    /// Most hits to give, 1 to 1000.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

const fn ten() -> usize {
    10
}

/// Result of `get_template`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Given {
    /// Which one.
    name: Name,
    /// As what.
    format: Format,
    /// The manifest.
    content: String,
}

/// Result of `list_templates`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Templates {
    /// The templates.
    templates: Vec<Listed>,
    /// How many these are.
    count: usize,
}

/// One template.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    /// Its name, for `get_template`.
    name: Name,
    /// Kind of its manifest.
    kind: String,
    /// What it is for.
    description: String,
}

/// Result of `search_docs`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hits {
    /// The best first.
    hits: Vec<Hit>,
    /// How many these are.
    count: usize,
}

/// One hit.
#[derive(Debug, Serialize, JsonSchema)]
struct Hit {
    /// What it is about.
    title: String,
    /// Kind it concerns.
    kind: String,
    /// What is said.
    snippet: String,
    /// How well it fits; more is better.
    score: f64,
}

#[async_trait]
impl TypedTool for GetTemplate {
    type Arguments = Wanted;
    type Output = Given;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.get_template",
            Effect::Read,
            "Give a Kubernetes manifest to begin with; change its names and apply it with \
             infra.k8s.apply.applyManifest.",
        )
    }

    async fn run(&self, arguments: Wanted, _: &Call) -> Result<Given, ToolError> {
        let found = TEMPLATES.iter().find(|it| it.name == arguments.name);
        let found = found.ok_or_else(|| ToolError::refused(Code::NotFound, "no such template"))?;
        Ok(Given {
            name: found.name,
            format: arguments.format,
            content: found.content(arguments.format)?,
        })
    }
}

impl Template {
    fn content(&self, format: Format) -> Result<String, ToolError> {
        let Format::Json = format else {
            return Ok(self.yaml.to_owned());
        };
        let broken = || ToolError::new(Code::InternalError, "the template is broken");
        let document: serde_json::Value = serde_yaml_ng::from_str(self.yaml).or(Err(broken()))?;
        serde_json::to_string_pretty(&document).or(Err(broken()))
    }
}

#[async_trait]
impl TypedTool for ListTemplates {
    type Arguments = Nothing;
    type Output = Templates;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.list_templates",
            Effect::Read,
            "List the Kubernetes manifests that infra.k8s.get_template gives.",
        )
    }

    async fn run(&self, _: Nothing, _: &Call) -> Result<Templates, ToolError> {
        let listed = |it: &Template| Listed {
            name: it.name,
            kind: it.kind.to_owned(),
            description: it.description.to_owned(),
        };
        Ok(Templates {
            templates: TEMPLATES.iter().map(listed).collect(),
            count: TEMPLATES.len(),
        })
    }
}

#[async_trait]
impl TypedTool for SearchDocs {
    type Arguments = Query;
    type Output = Hits;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.search_docs",
            Effect::Read,
            "Search short notes on the Kubernetes kinds this service works with.",
        )
    }

    async fn run(&self, arguments: Query, _: &Call) -> Result<Hits, ToolError> {
        let words = words(&arguments.query);
        let mut hits: Vec<Hit> = PAGES
            .iter()
            .map(|page| Hit {
                title: page.title.to_owned(),
                kind: page.kind.to_owned(),
                snippet: page.text.to_owned(),
                score: score(&words, page.title, page.text),
            })
            .filter(|hit| hit.score > 0.0)
            .collect();
        hits.sort_by(|one, other| other.score.total_cmp(&one.score));
        hits.truncate(arguments.limit);
        Ok(Hits {
            count: hits.len(),
            hits,
        })
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| word.len() > 1).take(50);
    words.map(str::to_lowercase).collect()
}

/// Words of the title count three times; one that only begins like a wanted word counts half.
fn score(wanted: &[String], title: &str, text: &str) -> f64 {
    let weight = |text: &str, word: &str| {
        let found = words(text);
        let whole = found.iter().any(|it| it == word);
        let begins = found
            .iter()
            .any(|it| it.starts_with(word) || word.starts_with(it.as_str()));
        match (whole, begins) {
            (true, _) => 1.0,
            (_, true) => 0.5,
            _ => 0.0,
        }
    };
    let each = wanted
        .iter()
        .map(|word| 3.0 * weight(title, word) + weight(text, word));
    each.sum()
}
