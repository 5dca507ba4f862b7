//! Going somewhere and reading what is there.

use crate::running::{HERE, start_here};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use shared::error::Code;
use tests::site::Site;

const PAGE: &str = "<!doctype html><title>A page</title><body>\
    <h1>Hello <em>there</em></h1><p>See <a href='/two'>the <b>second</b> page</a>.</p>\
    <ul><li>one<li>two</ul><script>document.write('<p id=late>written late</p>')</script>\
    <p style='display:none'>unseen</p><table><tr><th>a<th>b<tr><td>1<td>2|3</table>\
    <pre>x\n  y</pre></body>";

async fn site() -> Site {
    Site::at(HERE)
        .await
        .page("/one", PAGE)
        .await
        .page("/two", "<title>Two</title><p id=p>second</p>")
        .await
        .says("/moved", 302, &[("location", "/two")], "")
        .await
        .says(
            "/away",
            404,
            &[("content-type", "text/html")],
            "<title>None</title>nothing",
        )
        .await
        .says("/empty", 500, &[], "")
        .await
        .says(
            "/file",
            200,
            &[("content-disposition", "attachment")],
            "bytes",
        )
        .await
}

/// Acceptance: 47
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_loaded_read_and_shown() {
    let (site, mut browse) = (site().await, start_here().await);
    let arrived = browse.go(&site.url("/one")).await;
    assert_eq!(
        arrived,
        json!({"success": true, "url": site.url("/one"), "title": "A page", "status": 200})
    );
    let text = browse.text().await;
    assert!(
        text.contains("Hello there") && text.contains("written late"),
        "{text}"
    );
    assert!(!text.contains("unseen"), "{text}");
    let shot = browse
        .call("extraction.getScreenshot", json!({}))
        .await
        .unwrap();
    let picture = STANDARD
        .decode(shot["screenshot"].as_str().unwrap())
        .unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(shot["size"], picture.len());
    assert_eq!(
        (&shot["width"], &shot["type"]),
        (&json!(1280), &json!("page"))
    );
    browse.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_three_forms() {
    let (site, mut browse) = (site().await, start_here().await);
    browse.go(&site.url("/one")).await;
    let read = json!({"format": "markdown"});
    let content = browse
        .call("extraction.getPageContent", read)
        .await
        .unwrap();
    let expected = format!(
        "# Hello _there_\n\nSee [the **second** page]({}).\n\n- one\n- two\n\nwritten late\n\n\
         | a | b |\n| --- | --- |\n| 1 | 2\\|3 |\n\n```\nx\n  y\n```",
        site.url("/two")
    );
    assert_eq!(content["content"], expected);
    assert_eq!(content["length"], expected.len());
    assert_eq!(
        (&content["truncated"], &content["format"]),
        (&json!(false), &json!("markdown"))
    );
    let read = json!({"format": "html"});
    let content = browse
        .call("extraction.getPageContent", read)
        .await
        .unwrap();
    assert!(
        content["content"]
            .as_str()
            .unwrap()
            .contains("<p id=\"late\">written late</p>")
    );
    let read = json!({"selector": "li:nth-of-type(2)"});
    let element = browse
        .call("extraction.getElementText", read)
        .await
        .unwrap();
    assert_eq!(element["text"], "two");
    browse.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_statuses_and_history_are_told_as_they_are() {
    let (site, mut browse) = (site().await, start_here().await);
    browse.go(&site.url("/one")).await;
    let moved = browse.go(&site.url("/moved")).await;
    assert_eq!(
        (&moved["url"], &moved["status"]),
        (&json!(site.url("/two")), &json!(200))
    );
    let away = browse.go(&site.url("/away")).await;
    assert_eq!(
        (&away["success"], &away["status"]),
        (&json!(false), &json!(404))
    );
    let empty = browse.go(&site.url("/empty")).await;
    assert_eq!(
        (&empty["success"], &empty["status"]),
        (&json!(false), &json!(500))
    );
    browse.call("navigation.goBack", json!({})).await.unwrap();
    let back = browse.call("navigation.goBack", json!({})).await.unwrap();
    assert_eq!(back["title"], "Two");
    let back = browse.call("navigation.goBack", json!({})).await.unwrap();
    assert_eq!(back["title"], "A page");
    let beyond = browse
        .call("navigation.goBack", json!({}))
        .await
        .unwrap_err();
    assert_eq!(beyond.code, Code::NotFound);
    let forward = browse
        .call("navigation.goForward", json!({}))
        .await
        .unwrap();
    assert_eq!(forward["url"], site.url("/two"));
    let here = browse
        .call("navigation.getCurrentUrl", json!({}))
        .await
        .unwrap();
    assert_eq!(here, forward);
    browse.running.stop().await;
}

/// Where nothing listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind((HERE, 0)).unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_said_in_a_sentence() {
    let (site, mut browse) = (site().await, start_here().await);
    let to = |url: String| json!({"url": url});
    for (url, code, words) in [
        (
            site.url("/file"),
            Code::UnsupportedMediaType,
            "a file to save",
        ),
        (
            "http://nobody.invalid/".into(),
            Code::BadGateway,
            "nobody.invalid cannot be reached",
        ),
        (
            "https://nobody.invalid/".into(),
            Code::BadGateway,
            "nobody.invalid cannot be reached",
        ),
        (
            format!("http://{HERE}:1/"),
            Code::BadGateway,
            "net::ERR_UNSAFE_PORT",
        ),
        (
            closed_port(),
            Code::BadGateway,
            "127.0.0.1 cannot be reached",
        ),
        (
            "file:///etc/passwd".into(),
            Code::InvalidInput,
            "not an http or https address",
        ),
        (
            "javascript:alert(1)".into(),
            Code::InvalidInput,
            "not an http or https address",
        ),
        (
            "http://u:p@example.org/".into(),
            Code::InvalidInput,
            "a user or a password",
        ),
        ("no address".into(), Code::InvalidInput, "url: "),
    ] {
        let error = browse
            .call("navigation.navigateTo", to(url.clone()))
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{url}: {error}");
        assert!(error.message.contains(words), "{url}: {error}");
    }
    browse.go(&site.url("/two")).await;
    for (selector, code) in [("#none", Code::NotFound), ("p[", Code::InvalidInput)] {
        let read = json!({"selector": selector});
        let error = browse
            .call("extraction.getElementText", read)
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{error}");
    }
    browse.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_does_not_come_in_time_is_given_up() {
    let slow = Site::at(HERE).await;
    let answer = wiremock::ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(60));
    let slow = slow
        .answer("/slow", answer)
        .await
        .page("/quick", "<p>quick</p>")
        .await;
    let mut browse = start_here().await;
    let arguments = json!({"url": slow.url("/slow"), "timeout": 1});
    let error = browse
        .call("navigation.navigateTo", arguments)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.retryable),
        (Code::Timeout, true),
        "{error}"
    );
    browse.go(&slow.url("/quick")).await;
    assert_eq!(browse.text().await, "quick");
    browse.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_pages_are_cut_and_large_pictures_made_small() {
    let page = "<body style='margin:0'><canvas id=c width=2000 height=2000></canvas><script>\
        const c = document.getElementById('c').getContext('2d');\
        const d = c.createImageData(2000, 2000);\
        for (let i = 0; i < d.data.length; i++) d.data[i] = i % 4 == 3 ? 255 : Math.random() * 256;\
        c.putImageData(d, 0, 0);\
        document.body.append('ä'.repeat(1200000));</script>";
    let site = Site::at(HERE).await.page("/large", page).await;
    let mut browse = start_here().await;
    browse.go(&site.url("/large")).await;
    let content = browse
        .call("extraction.getPageContent", json!({}))
        .await
        .unwrap();
    assert_eq!(content["truncated"], true);
    assert!(content["content"].as_str().unwrap().len() <= 1024 * 1024);
    assert!(content["length"].as_u64().unwrap() >= 1_200_000);
    let shot = json!({"selector": "#c"});
    let shot = browse.call("extraction.getScreenshot", shot).await.unwrap();
    assert!(
        shot["size"].as_u64().unwrap() <= 768 * 1024,
        "{}",
        shot["size"]
    );
    assert!(shot["width"].as_u64().unwrap() < 2000);
    assert_eq!(shot["type"], "element");
    browse.running.stop().await;
}
