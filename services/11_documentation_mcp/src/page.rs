//! A document as a web page that needs nothing else.
//!
//! HTML in a document is shown as text, and links lead to web, mail and neighbours only: a page made
//! of it runs nothing.

use crate::library::Doc;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag};

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
                     pre,code{background:#8882;overflow:auto}table{border-collapse:collapse}\
                     td,th{border:1px solid #8886;padding:.2rem .5rem}";

/// The page of a document.
pub(crate) fn page(doc: &Doc, content: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut body = String::new();
    let events = Parser::new_ext(content, options).map(harmless);
    pulldown_cmark::html::push_html(&mut body, events);
    let facts = format!(
        "{} · version {} · {} · {}",
        doc.category, doc.version, doc.modified, doc.author
    );
    let main = format!("{body}<hr><p>{}</p>", escaped(&facts));
    frame(&doc.title, &main)
}

/// The page that leads to the others: their paths and titles.
pub(crate) fn contents(pages: &[(String, String)]) -> String {
    let item = |(path, title): &(String, String)| {
        format!(
            "<li><a href=\"{}\">{}</a></li>",
            escaped(path),
            escaped(title)
        )
    };
    let items: String = pages.iter().map(item).collect();
    frame("Documents", &format!("<h1>Documents</h1><ul>{items}</ul>"))
}

fn frame(title: &str, main: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <style>{STYLE}</style></head><body>{main}</body></html>\n",
        escaped(title)
    )
}

fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url: kept(dest_url),
            title,
            id,
        }),
        Event::Start(Tag::Image {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Image {
            link_type,
            dest_url: kept(dest_url),
            title,
            id,
        }),
        event => event,
    }
}

/// The address, or nothing when it does more than lead somewhere.
fn kept(address: CowStr<'_>) -> CowStr<'_> {
    let plain: String = address
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .collect();
    let plain = plain.to_ascii_lowercase();
    let scheme = plain.split(['/', '?', '#']).next().unwrap_or_default();
    let leads = ["http:", "https:", "mailto:"]
        .iter()
        .any(|known| plain.starts_with(known));
    match leads || !scheme.contains(':') {
        true => address,
        false => CowStr::Borrowed(""),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_page_runs_nothing() {
        let doc = Doc {
            id: "x".into(),
            title: "<x>".into(),
            category: "api".into(),
            tags: Vec::new(),
            path: "api/x.md".into(),
            created: Timestamp::UNIX_EPOCH,
            modified: Timestamp::UNIX_EPOCH,
            author: "a\"b".into(),
            version: 1,
        };
        let text = "# Hi\n<script>alert(1)</script>\n\n[a](javascript:alert(1)) ![b](data:text/html,x) \
                    [c](https://x.example/) [d](other.html)\n\n|t|\n|-|\n|1|";
        let page = page(&doc, text);
        assert!(
            !page.contains("<script") && !page.contains("javascript:"),
            "{page}"
        );
        assert!(
            !page.contains("data:") && page.contains("&lt;x&gt;"),
            "{page}"
        );
        assert!(
            page.contains("https://x.example/") && page.contains("<td>1</td>"),
            "{page}"
        );
        assert!(page.contains("href=\"other.html\""), "{page}");
    }
}
