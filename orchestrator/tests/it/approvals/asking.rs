//! Opening requests.

use super::desk::{Asked, Desk};
use crate::fixture::Fixture;
use futures::future::join_all;
use orchestrator::approvals::{ApprovalError, ApprovalState, Verdict};
use serde_json::json;
use shared::tool::Effect;
use std::time::Duration;

pub(super) async fn the_same_call_is_one_request(desk: &Desk) {
    let first = desk.ask("key:1", "h").await.unwrap();
    let crowd = join_all((0..20).map(|_| desk.ask("key:1", "h"))).await;
    assert!(crowd.into_iter().all(|asked| asked.unwrap().id == first.id));
    let mut others = vec![
        desk.ask("key:2", "h").await.unwrap(),
        desk.ask("key:1", "x").await.unwrap(),
    ];
    let mut tool = Asked::by("key:1", "h");
    tool.tool = "os.linux.other";
    others.push(desk.ask_for(tool).await.unwrap());
    let mut effect = Asked::by("key:1", "h");
    effect.effect = Effect::Critical;
    others.push(desk.ask_for(effect).await.unwrap());
    let mut stricter = Asked::by("key:1", "h");
    stricter.terms = "{approvers: 2}";
    others.push(desk.ask_for(stricter).await.unwrap());
    let mut ids: Vec<String> = others.into_iter().map(|asked| asked.id).collect();
    ids.push(first.id.clone());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    desk.decide(&first.id, "key:boss", Verdict::Approve)
        .await
        .unwrap();
    let approved = desk.ask("key:1", "h").await.unwrap();
    assert_eq!(
        (approved.id, approved.state),
        (first.id, ApprovalState::Approved)
    );
}

/// Attack: T8
pub(super) async fn a_flood_is_held_back(desk: &Desk) {
    let hashes: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    let (some, more) = hashes.split_at(50);
    let mut answers = join_all(some.iter().map(|hash| desk.ask("key:0", hash))).await;
    answers.extend(join_all(more.iter().map(|hash| desk.ask("key:0", hash))).await);
    let open = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(open, 5);
    for refused in answers.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, ApprovalError::Flood), "{refused:?}");
    }
    for requester in ["key:1", "key:2", "key:3", "key:4", "key:5"] {
        for hash in hashes.iter().take(6) {
            drop(desk.ask(requester, hash).await);
        }
    }
    let boss = desk.principal("key:boss");
    let waiting = desk
        .approvals
        .list(&boss, Some(ApprovalState::Pending), 200)
        .await
        .unwrap();
    assert_eq!(waiting.len(), 20);
    desk.decide(&waiting.first().unwrap().id, "key:boss", Verdict::Reject)
        .await
        .unwrap();
    assert!(desk.ask("key:9", "h").await.is_ok());
    desk.clock.advance(Duration::from_secs(901));
    assert!(
        desk.ask("key:0", "new").await.is_ok(),
        "what is over makes room"
    );
}

pub(super) async fn a_rejected_call_is_not_asked_for_again(desk: &Desk) {
    let asked = desk.ask("key:1", "h").await.unwrap();
    desk.decide(&asked.id, "key:boss", Verdict::Reject)
        .await
        .unwrap();
    assert!(matches!(
        desk.ask("key:1", "h").await,
        Err(ApprovalError::Invalid(_))
    ));
    assert!(desk.ask("key:1", "other").await.is_ok());
    assert!(desk.ask("key:2", "h").await.is_ok());
    desk.clock.advance(Duration::from_secs(3601));
    assert_ne!(desk.ask("key:1", "h").await.unwrap().id, asked.id);
}

/// Attack: T7
#[tokio::test]
async fn the_approver_reads_everything_and_no_secret() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(fixture.store.clone(), "show").await;
    let mut asked = Asked::by("key:1", "h");
    asked.arguments = json!({
        "argv": ["rm", "-rf", "/srv/\u{202e}gpj.exe"],
        "password": "hunter2hunter2",
        "deep": {"empty": [], "n": 1.5, "b": null},
        "line\nbreak": "a\u{1b}[2Kb",
    });
    asked.summary = "Removes files.\nOn \u{200b}web-1.";
    let approval = desk.ask_for(asked).await.unwrap();
    let text = approval.text();
    for line in [
        "/argv/0 = \"rm\"",
        "/argv/2 = \"/srv/\\u{202e}gpj.exe\"",
        "/deep/empty = []",
        "/deep/n = 1.5",
        "/deep/b = null",
        "/line\\nbreak = \"a\\u{1b}[2Kb\"",
        "would         Removes files.",
        "On \\u{200b}web-1.",
        "check ok      reachable: answers",
    ] {
        assert!(
            text.lines().any(|shown| shown.trim() == line),
            "{line}\n{text}"
        );
    }
    let json = desk.approvals.to_json(&approval, &desk.principal("key:1"));
    assert!(!json.to_string().contains("hunter2"), "{json}");
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(json["readiness"]["ready"], true);
    assert!(json.get("token").is_none());
}

/// Attack: T7
#[tokio::test]
async fn what_is_too_long_to_read_is_refused_and_not_cut() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(fixture.store.clone(), "long").await;
    let mut asked = Asked::by("key:1", "h");
    asked.arguments = json!({"text": "x".repeat(1024 * 1024)});
    assert!(matches!(
        desk.ask_for(asked).await,
        Err(ApprovalError::Invalid(_))
    ));
    let mut asked = Asked::by("key:1", "h");
    asked.arguments = json!({"text": "x".repeat(60_000)});
    let approval = desk.ask_for(asked).await.unwrap();
    assert!(approval.text().contains(&"x".repeat(60_000)));
}
