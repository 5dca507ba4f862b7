//! Where pages may not go, however they try.

use crate::running::{Browse, ELSEWHERE, HERE, start_here, start_with};
use serde_json::{Value, json};
use shared::error::Code;
use std::net::UdpSocket;
use tests::site::Site;

async fn refused(browse: &mut Browse, url: &str) -> String {
    let to = json!({"url": url});
    let error = browse.call("navigation.navigateTo", to).await.unwrap_err();
    assert_eq!(error.code, Code::AddressRefused, "{url}: {error}");
    error.message
}

/// Acceptance: 49
#[tokio::test(flavor = "multi_thread")]
async fn special_addresses_and_names_that_lead_there_are_refused() {
    let mut browse = start_with(&[], "").await;
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/",
        "http://localhost/",
        "https://localhost/",
    ] {
        refused(&mut browse, url).await;
    }
    browse.running.stop().await;
}

/// Acceptance: 49
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_a_refused_address_is_refused_too() {
    let secret = Site::at(ELSEWHERE)
        .await
        .page("/", "<title>secret</title>")
        .await;
    let target = secret.url("/");
    let leave = format!("<script>location = '{target}'</script>");
    let refresh = format!("<meta http-equiv=refresh content='0;url={target}'>");
    let site = Site::at(HERE)
        .await
        .says("/moved", 302, &[("location", target.as_str())], "")
        .await
        .says("/kept", 307, &[("location", target.as_str())], "")
        .await
        .says("/tls", 302, &[("location", "https://169.254.169.254/")], "")
        .await
        .page("/leave", &leave)
        .await
        .page("/refresh", &refresh)
        .await;
    let mut browse = start_here().await;
    for path in ["/moved", "/kept", "/tls"] {
        refused(&mut browse, &site.url(path)).await;
    }
    for path in ["/leave", "/refresh"] {
        let to = json!({"url": site.url(path), "wait_until": "networkidle"});
        // Whether the page counts as loaded before it leaves is a matter of time.
        drop(browse.call("navigation.navigateTo", to).await);
        assert!(!browse.text().await.contains("secret"));
    }
    assert_eq!(secret.asked().await, Vec::<String>::new());
    browse.running.stop().await;
}

/// Acceptance: 49
#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_page_are_held_to_the_same_rule() {
    let secret = Site::at(ELSEWHERE).await.page("/x", "secret").await;
    let target = secret.url("/x");
    let socket = target.replace("http:", "ws:");
    let page = format!(
        "<img src='{target}'><iframe src='{target}'></iframe><script src='{target}'></script>\
         <link rel=stylesheet href='{target}'><link rel=prefetch href='{target}'>\
         <link rel=preconnect href='{target}'><script>\
         const all = [fetch('{target}', {{mode: 'no-cors'}}), fetch('/own'),\
           new Promise((_, no) => {{ new WebSocket('{socket}').onerror = no; }}),\
           new Promise((_, no) => {{ new EventSource('{target}').onerror = no; }})];\
         navigator.sendBeacon('{target}', 'x');\
         Promise.allSettled(all).then((ends) => {{\
           document.title = ends.map((end) => end.status).join(' '); }});</script>"
    );
    let site = Site::at(HERE)
        .await
        .page("/", &page)
        .await
        .page("/own", "own")
        .await;
    let mut browse = start_here().await;
    let to = json!({"url": site.url("/"), "wait_until": "networkidle"});
    browse.call("navigation.navigateTo", to).await.unwrap();
    let title = until_title(&mut browse).await;
    // An opaque answer is an answer: the guard's own.
    assert_eq!(title, "fulfilled fulfilled rejected rejected");
    assert_eq!(secret.asked().await, Vec::<String>::new());
    assert!(site.asked().await.contains(&"/own".to_owned()));
    browse.running.stop().await;
}

/// Waits until the page gave itself a title.
async fn until_title(browse: &mut Browse) -> String {
    for _ in 0..100 {
        let here = browse
            .call("navigation.getCurrentUrl", json!({}))
            .await
            .unwrap();
        if let Some(title) = here["title"]
            .as_str()
            .filter(|it| !it.is_empty() && !it.contains("://") && !it.starts_with(HERE))
        {
            return title.to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the page never finished");
}

/// Acceptance: 49
#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_other_kinds_do_not_go_around_the_guard() {
    let socket = UdpSocket::bind((HERE, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let port = socket.local_addr().unwrap().port();
    let page = format!(
        "<script>const peer = new RTCPeerConnection({{iceServers: [{{urls: 'stun:{HERE}:{port}'}}]}});\
         peer.createDataChannel('x');\
         peer.onicegatheringstatechange = () => {{\
           if (peer.iceGatheringState === 'complete') document.title = 'gathered'; }};\
         peer.createOffer().then((offer) => peer.setLocalDescription(offer));</script>"
    );
    let site = Site::at(HERE).await.page("/", &page).await;
    let mut browse = start_here().await;
    browse.go(&site.url("/")).await;
    assert_eq!(until_title(&mut browse).await, "gathered");
    let mut packet = [0; 64];
    let received = socket.recv(&mut packet);
    assert_eq!(received.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    browse.running.stop().await;
}

/// Acceptance: 49
#[tokio::test(flavor = "multi_thread")]
async fn the_browsers_own_port_is_hidden_from_its_pages() {
    let site = Site::at(HERE).await.page("/", "<p>hello").await;
    let mut browse = start_here().await;
    browse.go(&site.url("/")).await;
    let profile = std::fs::read_dir(browse.folder.path().join("data/07_web_browsing_mcp"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.join("DevToolsActivePort").is_file());
    let port = std::fs::read_to_string(profile.unwrap().join("DevToolsActivePort")).unwrap();
    let port = port.lines().next().unwrap();
    for host in [HERE, "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{port}/json/list");
        refused(&mut browse, &url).await;
    }
    browse.running.stop().await;
}

/// Acceptance: 49
#[tokio::test(flavor = "multi_thread")]
async fn names_and_ranges_can_be_allowed() {
    let site = Site::at(ELSEWHERE)
        .await
        .page("/", "<title>inside</title>")
        .await;
    let mut browse = start_with(&[("BROWSE_ALLOW", "127.0.0.0/8,intranet.example")], "").await;
    let arrived: Value = browse.go(&site.url("/")).await;
    assert_eq!(arrived["title"], "inside");
    browse.running.stop().await;
}
