//! Whose page is whose, how long it lives, and what happens when the browser does not.

use crate::running::{HERE, start_here, start_with};
use serde_json::json;
use shared::error::Code;
use std::time::Duration;
use tests::site::Site;
use tokio::time::Instant;

async fn site() -> Site {
    let set = "<script>document.write(document.cookie || 'none');\
               document.cookie = 'who=me'; localStorage.who = 'me'</script>";
    Site::at(HERE).await.page("/cookie", set).await
}

/// Acceptance: 47
#[tokio::test(flavor = "multi_thread")]
async fn callers_and_sessions_share_nothing() {
    let (site, mut browse) = (site().await, start_here().await);
    let url = site.url("/cookie");
    browse.go(&url).await;
    assert_eq!(browse.text().await, "none");
    browse.go(&url).await;
    assert_eq!(browse.text().await, "who=me");
    let other = json!({"url": url, "session_id": "other"});
    browse.call("navigation.navigateTo", other).await.unwrap();
    let read = json!({"session_id": "other"});
    let content = browse
        .call("extraction.getPageContent", read.clone())
        .await
        .unwrap();
    assert_eq!(content["content"], "none");
    browse.is_now("key:2");
    let blank = browse.call("navigation.getCurrentUrl", read).await.unwrap();
    assert_eq!(blank["url"], "about:blank");
    browse.go(&url).await;
    assert_eq!(browse.text().await, "none");
    browse.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_pages_is_bounded() {
    let settings = "[contexts]\nmost = 3\nmost_of_one_caller = 2\n";
    let (site, mut browse) = (
        site().await,
        start_with(&[("BROWSE_ALLOW", HERE)], settings).await,
    );
    let to = |session: &str| json!({"url": site.url("/cookie"), "session_id": session});
    for session in ["a", "b"] {
        browse
            .call("navigation.navigateTo", to(session))
            .await
            .unwrap();
    }
    let error = browse
        .call("navigation.navigateTo", to("c"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.retryable),
        (Code::ServiceUnavailable, true)
    );
    browse.is_now("key:2");
    browse.call("navigation.navigateTo", to("a")).await.unwrap();
    let error = browse
        .call("navigation.navigateTo", to("b"))
        .await
        .unwrap_err();
    assert!(error.message.contains("too many pages"), "{error}");
    browse.running.stop().await;
}

fn processes(marker: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(id) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(marker) {
            found.push(id);
        }
    }
    found
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_starts_when_needed_comes_back_after_a_crash_and_ends_with_the_service() {
    let (site, mut browse) = (site().await, start_here().await);
    let marker = browse.folder.path().display().to_string();
    browse
        .call("navigation.getCurrentUrl", json!({}))
        .await
        .unwrap();
    assert_eq!(processes(&marker), Vec::<u32>::new());
    let metrics = browse.call("getMetrics", json!({})).await.unwrap();
    assert_eq!(metrics["metrics"]["browser_active"], false);
    browse
        .go(&format!("{}?secret=1#x", site.url("/cookie")))
        .await;
    let metrics = browse.call("getMetrics", json!({})).await.unwrap();
    assert_eq!(metrics["metrics"]["browser_active"], true);
    assert_eq!(metrics["metrics"]["pages_loaded"], 1);
    assert_eq!(metrics["metrics"]["last_url"], site.url("/cookie"));
    let running = processes(&marker);
    let main = running.iter().min().unwrap();
    let main = rustix::process::Pid::from_raw(i32::try_from(*main).unwrap()).unwrap();
    rustix::process::kill_process(main, rustix::process::Signal::KILL).unwrap();
    until("the crash is noticed", || {
        running.iter().all(|id| !processes(&marker).contains(id))
    })
    .await;
    browse.go(&site.url("/cookie")).await;
    assert_eq!(browse.text().await, "none");
    browse.running.stop().await;
    until("the browser ends", || processes(&marker).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_nobody_uses_are_closed_and_the_browser_with_the_last() {
    let settings = "[contexts]\nidle_seconds = 10\n";
    let (site, mut browse) = (
        site().await,
        start_with(&[("BROWSE_ALLOW", HERE)], settings).await,
    );
    let marker = browse.folder.path().display().to_string();
    browse.go(&site.url("/cookie")).await;
    assert!(!processes(&marker).is_empty());
    until("the browser rests", || processes(&marker).is_empty()).await;
    browse.go(&site.url("/cookie")).await;
    assert_eq!(browse.text().await, "none");
    browse.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_hangs_costs_its_own_session_only() {
    let hang = "<title>hang</title><p>before</p><script>onload = () => setTimeout(() => { for (;;); }, 0)</script>";
    let site = site().await.page("/hang", hang).await;
    let mut browse = start_here().await;
    let to = json!({"url": site.url("/hang"), "timeout": 5, "session_id": "bad"});
    drop(browse.call("navigation.navigateTo", to).await);
    browse.go(&site.url("/cookie")).await;
    assert_eq!(browse.text().await, "none");
    let read = json!({"session_id": "bad"});
    let error = browse
        .call("extraction.getPageContent", read.clone())
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::Timeout, "{error}");
    let to = json!({"url": site.url("/cookie"), "session_id": "bad"});
    browse.call("navigation.navigateTo", to).await.unwrap();
    browse.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_browser_the_service_starts_and_says_what_to_set() {
    let mut browse = start_with(&[("BROWSER_PATH", "/no/such/browser")], "").await;
    let to = json!({"url": "http://example.org/"});
    let error = browse.call("navigation.navigateTo", to).await.unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
    assert!(error.message.contains("BROWSER_PATH"), "{error}");
    let url = format!("http://{}/health", browse.running.address);
    let health: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(health["status"], "degraded", "{health}");
    assert!(health.to_string().contains("BROWSER_PATH"), "{health}");
    browse.running.stop().await;
}
