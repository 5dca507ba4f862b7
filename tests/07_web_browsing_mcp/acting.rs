//! Clicking, filling in, scrolling; and who has to say yes.

use crate::running::{Browse, HERE, start_here};
use serde_json::{Value, json};
use shared::error::Code;
use tests::site::Site;

const FORM: &str = "<!doctype html><title>Form</title><body style='height:5000px'>\
    <form action=/sent method=get><input name=a value=old><textarea name=b></textarea>\
    <select name=c><option value=1>One<option value=2>Two</select>\
    <input type=checkbox name=d><input type=date name=e><input name=f disabled>\
    <input type=file name=g><button id=send style='margin-top:3000px'>Send</button></form>\
    <a id=new href=/new target=_blank>new</a><button id=ask onclick=\"if (!confirm('sure?'))\
    document.title = 'not sure'\">ask</button>\
    <div style='position:relative'><button id=under>under</button>\
    <div style='position:absolute;inset:0;background:red'>over</div></div></body>";

async fn at_the_form() -> (Site, Browse) {
    let site = Site::at(HERE)
        .await
        .page("/", FORM)
        .await
        .page("/sent", "<title>Sent</title>thanks")
        .await
        .page("/new", "<title>New</title>a window")
        .await;
    let mut browse = start_here().await;
    browse.go(&site.url("/")).await;
    (site, browse)
}

async fn fill(browse: &mut Browse, selector: &str, value: &str) -> Value {
    let arguments = json!({"selector": selector, "value": value});
    let filled = browse.approved("interaction.fillForm", arguments).await;
    filled.unwrap_or_else(|error| panic!("{selector}: {error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_filled_in_and_sent() {
    let (site, mut browse) = at_the_form().await;
    for (selector, value) in [
        ("[name=a]", "new & better"),
        ("[name=b]", "two\nlines"),
        ("[name=c]", "Two"),
        ("[name=d]", "true"),
        ("[name=e]", "2026-11-21"),
    ] {
        let filled = fill(&mut browse, selector, value).await;
        assert_eq!(filled, json!({"success": true, "selector": selector}));
    }
    let click = json!({"selector": "#send"});
    let clicked = browse
        .approved("interaction.clickElement", click)
        .await
        .unwrap();
    let sent = site.asked().await;
    let sent = sent.iter().find(|path| path.starts_with("/sent")).unwrap();
    assert_eq!(
        sent,
        "/sent?a=new+%26+better&b=two%0D%0Alines&c=2&d=on&e=2026-11-21&g="
    );
    assert_eq!(clicked["url"], site.url(sent));
    assert_eq!(browse.text().await, "thanks");
    browse.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_can_be_emptied_and_what_is_no_field_is_refused() {
    let (_site, mut browse) = at_the_form().await;
    fill(&mut browse, "[name=a]", "").await;
    let read = json!({"format": "html"});
    browse
        .call("extraction.getPageContent", read)
        .await
        .unwrap();
    for (selector, value, words) in [
        ("[name=c]", "Three", "no such option"),
        ("[name=d]", "perhaps", "true or false"),
        ("[name=f]", "x", "disabled"),
        ("[name=g]", "/etc/passwd", "files are not given"),
        ("#send", "x", "not a field"),
        ("#under", "x", "covered"),
    ] {
        let arguments = json!({"selector": selector, "value": value});
        let error = browse
            .approved("interaction.fillForm", arguments)
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::Conflict, "{selector}: {error}");
        assert!(error.message.contains(words), "{selector}: {error}");
    }
    browse.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_and_questions_do_not_stop_the_page() {
    let (site, mut browse) = at_the_form().await;
    let ask = json!({"selector": "#ask"});
    browse
        .approved("interaction.clickElement", ask)
        .await
        .unwrap();
    let here = browse
        .call("navigation.getCurrentUrl", json!({}))
        .await
        .unwrap();
    assert_eq!(here["title"], "not sure");
    let open = json!({"selector": "#new"});
    let clicked = browse
        .approved("interaction.clickElement", open)
        .await
        .unwrap();
    assert_eq!(clicked["url"], site.url("/new"));
    assert_eq!(browse.text().await, "a window");
    browse.go(&site.url("/sent")).await;
    assert_eq!(browse.text().await, "thanks");
    browse.running.stop().await;
}

/// Acceptance: 48
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_clicked_or_filled_in_without_a_yes() {
    let (site, mut browse) = at_the_form().await;
    let acts = [
        ("interaction.clickElement", json!({"selector": "#send"})),
        (
            "interaction.fillForm",
            json!({"selector": "[name=a]", "value": "v"}),
        ),
    ];
    for (tool, plain) in acts {
        let error = browse.call(tool, plain.clone()).await.unwrap_err();
        assert_eq!(error.code, Code::ApprovalRequired, "{tool}: {error}");
        for token in ["x", "apr_0123456789", "true"] {
            let mut arguments = plain.clone();
            arguments["approval_token"] = json!(token);
            let error = browse.call(tool, arguments).await.unwrap_err();
            let refused = [Code::ApprovalRequired, Code::ApprovalInvalid];
            assert!(refused.contains(&error.code), "{tool} {token}: {error}");
        }
    }
    let sent = site.asked().await;
    assert!(
        sent.iter().all(|path| !path.starts_with("/sent")),
        "{sent:?}"
    );
    browse.running.stop().await;
}

/// Acceptance: 48
#[tokio::test(flavor = "multi_thread")]
async fn the_approver_sees_where_and_what_but_not_the_value() {
    let (site, mut browse) = at_the_form().await;
    let arguments = json!({"selector": "[name=a]", "value": "hunter2"});
    let call = browse.now("interaction.fillForm", &arguments);
    let assessment = browse.hub.assess(&call).await.unwrap();
    assert!(
        assessment.summary.contains(&site.url("/")),
        "{}",
        assessment.summary
    );
    assert!(
        assessment.summary.contains("[name=a] with 7 characters"),
        "{}",
        assessment.summary
    );
    assert!(!assessment.summary.contains("hunter2"));
    browse.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_scrolled_as_far_as_it_goes() {
    let (_site, mut browse) = at_the_form().await;
    let scroll = |direction: &str, amount: i64| json!({"direction": direction, "amount": amount});
    for (arguments, y) in [
        (json!({}), 500),
        (scroll("down", 100), 600),
        (scroll("up", 250), 350),
        (scroll("up", 1000), 0),
        (scroll("right", 1000), 0),
    ] {
        let scrolled = browse
            .call("interaction.scrollPage", arguments)
            .await
            .unwrap();
        assert_eq!(
            scrolled,
            json!({"success": true, "scroll_x": 0, "scroll_y": y})
        );
    }
    let full = json!({"full_page": true});
    let shot = browse.call("extraction.getScreenshot", full).await.unwrap();
    assert!(
        shot["height"].as_u64().unwrap() >= 5000,
        "{}",
        shot["height"]
    );
    browse.running.stop().await;
}
