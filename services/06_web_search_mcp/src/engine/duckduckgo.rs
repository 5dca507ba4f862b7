//! `DuckDuckGo`'s page for browsers without scripts: no key, and HTML to be read.
//!
//! Advertisements are left out. A page that asks for proof of being human is told apart from one
//! without results; nothing is done to get past it.

use super::{Engine, Hit, Page, Parameters, SafeSearch, Wanted, parameter};
use async_trait::async_trait;
use scraper::{ElementRef, Html, Selector};
use shared::error::Code;
use shared::remote::Remote;
use shared::tool::ToolError;
use std::time::Duration;
use url::Url;

/// How long to leave it alone after it asked for proof.
const PAUSE: Duration = Duration::from_secs(60);
/// Where links of results lead first, with the real address in `uddg`.
const DETOUR: &str = "/l/";

/// The engine.
pub(crate) struct DuckDuckGo {
    pub(crate) remote: Remote,
    pub(crate) url: Url,
}

#[async_trait]
impl Engine for DuckDuckGo {
    async fn page(&self, wanted: &Wanted, next: Option<&Parameters>) -> Result<Page, ToolError> {
        let form = match next {
            Some(next) => next.clone(),
            None => first(wanted),
        };
        let request = self
            .remote
            .post(self.url.clone())
            .header("accept", "text/html")
            .form(&form);
        let reply = self.remote.ask(request).await?;
        if !reply.status.is_success() {
            return Err(self.remote.refused(&reply, None));
        }
        match read(&String::from_utf8_lossy(&reply.body)) {
            Answer::Results(page) => Ok(page),
            Answer::Proof => Err(proof_wanted()),
            Answer::Odd => Err(self.remote.nonsense()),
        }
    }

    fn remote(&self) -> &Remote {
        &self.remote
    }
}

fn first(wanted: &Wanted) -> Parameters {
    let safe = match wanted.safe_search {
        SafeSearch::Off => "-2",
        SafeSearch::Moderate => "-1",
        SafeSearch::Strict => "1",
    };
    let region = wanted.region.as_ref();
    let region = region.map(|it| format!("{}-{}", it.country, it.language));
    vec![
        parameter("q", &wanted.query),
        parameter("b", ""),
        parameter("kl", region.unwrap_or_else(|| "wt-wt".into())),
        parameter("kp", safe),
    ]
}

fn proof_wanted() -> ToolError {
    let message =
        "DuckDuckGo asks for proof of being human: come back later or name another engine";
    let mut error = ToolError::new(Code::RateLimited, message).retryable();
    error.retry_after = Some(PAUSE);
    error
}

/// What a page turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Results(Page),
    /// It asks for proof of being human.
    Proof,
    /// It is not the page we know.
    Odd,
}

fn read(html: &str) -> Answer {
    let document = Html::parse_document(html);
    let has = |selector: &str| select(&document, selector).next().is_some();
    if has("#anomaly-modal, .anomaly-modal__mask, form#challenge-form") {
        return Answer::Proof;
    }
    let hits: Vec<Hit> = select(&document, ".result:not(.result--ad)")
        .filter_map(hit)
        .collect();
    let is_known = !hits.is_empty() || has(".no-results, #links, .results");
    match is_known {
        true => Answer::Results(Page {
            hits,
            next: next(&document),
        }),
        false => Answer::Odd,
    }
}

fn hit(result: ElementRef<'_>) -> Option<Hit> {
    let link = within(result, "a.result__a")?;
    let snippet = within(result, ".result__snippet").map(text);
    let address = address(link.value().attr("href")?)?;
    Hit::new(&text(link), &address, &snippet.unwrap_or_default())
}

/// The address behind a link: itself, or what its detour names.
fn address(href: &str) -> Option<String> {
    let base = Url::parse("https://duckduckgo.com/").ok()?;
    let url = base.join(href).ok()?;
    let ours = url
        .host_str()
        .is_some_and(|host| host.ends_with("duckduckgo.com"));
    if !ours {
        return Some(url.into());
    }
    // What else leads to itself is an advertisement.
    let mut pairs = url.query_pairs().filter(|_| url.path() == DETOUR);
    pairs
        .find(|(name, _)| name == "uddg")
        .map(|(_, value)| value.into_owned())
}

/// The fields of the form behind "Next".
fn next(document: &Html) -> Option<Parameters> {
    let form = select(document, ".nav-link form").find(|form| {
        within(*form, "input[type=submit]").and_then(|it| it.value().attr("value")) == Some("Next")
    })?;
    let hidden = Selector::parse("input[type=hidden]").ok()?;
    let fields = form.select(&hidden).filter_map(|field| {
        let field = field.value();
        Some(parameter(
            field.attr("name")?,
            field.attr("value").unwrap_or_default(),
        ))
    });
    Some(fields.collect())
}

fn select<'a>(document: &'a Html, selector: &str) -> impl Iterator<Item = ElementRef<'a>> {
    let selector = Selector::parse(selector).ok();
    let all = selector.map(|selector| document.select(&selector).collect::<Vec<_>>());
    all.unwrap_or_default().into_iter()
}

fn within<'a>(element: ElementRef<'a>, selector: &str) -> Option<ElementRef<'a>> {
    let selector = Selector::parse(selector).ok()?;
    element.select(&selector).next()
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_freed_of_their_detour_and_advertisements_left_out() {
        let of = |href: &str| address(href);
        assert_eq!(
            of("//duckduckgo.com/l/?uddg=https%3A%2F%2Fwww.rust%2Dlang.org%2F%3Fa%3Db&rut=1")
                .as_deref(),
            Some("https://www.rust-lang.org/?a=b")
        );
        assert_eq!(
            of("https://example.org/x").as_deref(),
            Some("https://example.org/x")
        );
        assert_eq!(of("https://duckduckgo.com/y.js?ad_domain=x"), None);
    }

    #[test]
    fn proof_odd_pages_and_no_results_are_told_apart() {
        let proof = "<form id=challenge-form><div class=anomaly-modal__mask></div></form>";
        assert_eq!(read(proof), Answer::Proof);
        assert_eq!(read("<h1>It works!</h1>"), Answer::Odd);
        let none = "<div id=links class=results><div class=no-results>No results.</div></div>";
        assert_eq!(read(none), Answer::Results(Page::default()));
    }
}
