//! Pages put together, and texts cleaned.

use super::*;
use parking_lot::Mutex;
use shared::error::Code;
use shared::outbound::Outbound;
use std::time::Duration;

/// Gives the pages it was given, one after the other; an empty list of links is a failure.
struct Scripted {
    pages: Mutex<Vec<Vec<&'static str>>>,
    remote: Remote,
}

#[async_trait]
impl Engine for Scripted {
    async fn page(&self, _: &Wanted, _: Option<&Parameters>) -> Result<Page, ToolError> {
        let links = self.pages.lock().remove(0);
        if links.is_empty() {
            return Err(ToolError::new(Code::ServiceUnavailable, "away"));
        }
        Ok(Page {
            hits: links
                .iter()
                .filter_map(|link| Hit::new("t", link, "s"))
                .collect(),
            next: (!self.pages.lock().is_empty()).then(Vec::new),
        })
    }

    fn remote(&self) -> &Remote {
        &self.remote
    }
}

async fn check(pages: &[&[&'static str]], results: usize) -> Result<String, ToolError> {
    let remote = Remote::new("it", "X", Outbound::default(), Duration::from_secs(1));
    let engine = Scripted {
        pages: Mutex::new(pages.iter().map(|page| page.to_vec()).collect()),
        remote: remote.unwrap(),
    };
    let wanted = Wanted {
        query: "q".into(),
        results,
        region: None,
        safe_search: SafeSearch::Moderate,
    };
    let found = search(&engine, &wanted).await?;
    let links: Vec<&str> = found
        .iter()
        .map(|hit| hit.link.trim_start_matches("http://"))
        .collect();
    Ok(links.join(" "))
}

/// Acceptance: 44
#[tokio::test]
async fn pages_are_joined_until_there_is_enough() {
    let pages: &[&[&str]] = &[
        &["http://a/", "http://b/"],
        &["http://b/", "http://c/", "http://d/"],
    ];
    assert_eq!(check(pages, 3).await.unwrap(), "a/ b/ c/");
    assert_eq!(check(pages, 9).await.unwrap(), "a/ b/ c/ d/");
    assert_eq!(check(pages, 1).await.unwrap(), "a/");
}

#[tokio::test]
async fn a_page_that_says_nothing_new_is_the_last() {
    let pages: &[&[&str]] = &[&["http://a/"], &["http://a/"], &["http://b/"]];
    assert_eq!(check(pages, 9).await.unwrap(), "a/");
    assert_eq!(
        check(&[&["javascript:x"], &["http://b/"]], 9)
            .await
            .unwrap(),
        ""
    );
}

#[tokio::test]
async fn a_failure_counts_only_before_the_first_result() {
    assert_eq!(check(&[&["http://a/"], &[]], 9).await.unwrap(), "a/");
    assert_eq!(check(&[&[]], 9).await.unwrap_err().message, "away");
}

#[test]
fn texts_lose_tags_and_control_characters() {
    let hit = Hit::new(
        "<b>A</b> &amp;\n B\u{7}",
        " https://x.example/?q=1 ",
        "1 < 2",
    )
    .unwrap();
    assert_eq!(hit.title, "A & B");
    assert_eq!(hit.link, "https://x.example/?q=1");
    assert_eq!(hit.snippet, "1 < 2");
    assert_eq!(
        Hit::new("", "http://x.example", "").unwrap().title,
        "http://x.example"
    );
    assert_eq!(Hit::new("t", "file:///etc/passwd", ""), None);
}
