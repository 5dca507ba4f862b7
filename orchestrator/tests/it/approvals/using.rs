//! The one use of an approval.

use super::desk::{Asked, Desk};
use futures::future::join_all;
use orchestrator::approvals::{ApprovalError, ApprovalState, Verdict};
use orchestrator::policy::Permit;
use shared::grant::{Grant, GrantError};
use shared::id::ToolId;
use shared::tool::Effect;
use std::time::Duration;

async fn approved(desk: &Desk, requester: &str, hash: &str) -> (String, String) {
    let asked = desk.ask(requester, hash).await.unwrap();
    assert_eq!(
        desk.token(&asked.id, requester).await,
        None,
        "not before it is approved"
    );
    desk.decide(&asked.id, "key:boss", Verdict::Approve)
        .await
        .unwrap();
    assert_eq!(
        desk.token(&asked.id, "key:boss").await,
        None,
        "only for the requester"
    );
    let token = desk.token(&asked.id, requester).await.unwrap();
    (asked.id, token)
}

fn reason<T: std::fmt::Debug>(answer: Result<T, ApprovalError>) -> &'static str {
    match answer {
        Err(ApprovalError::Invalid(reason)) => reason,
        other => unreachable!("expected a refusal, got {other:?}"),
    }
}

fn permit(desk: &Desk, asked: &Asked<'_>, grant: Grant) -> Result<Permit, GrantError> {
    let caller = desk.caller(asked.requester);
    let ask = desk.question(&caller, &ToolId::parse(asked.tool).unwrap(), asked);
    ask.permit(grant, desk.approvals.public_key(), 1_800_000_000)
}

/// Acceptance: 99
/// Attack: T4, T5
pub(super) async fn a_token_fits_one_call_once(desk: &Desk) {
    let (id, token) = approved(desk, "key:1", "h").await;
    let other = "it is for another call";
    assert_eq!(reason(desk.redeem(&token, "key:1", "x").await), other);
    assert_eq!(reason(desk.redeem(&token, "key:2", "h").await), other);
    let caller = desk.caller("key:1");
    let mut tool = Asked::by("key:1", "h");
    tool.tool = "os.linux.other";
    assert_eq!(reason(desk.redeem_for(&token, &caller, &tool).await), other);
    let mut effect = Asked::by("key:1", "h");
    effect.effect = Effect::Critical;
    assert_eq!(
        reason(desk.redeem_for(&token, &caller, &effect).await),
        other
    );
    let mut abroad = desk.caller("key:1");
    let mut principal = desk.principal("key:1");
    principal.organization = "elsewhere".into();
    abroad.principal = principal.into();
    let same = Asked::by("key:1", "h");
    assert_eq!(reason(desk.redeem_for(&token, &abroad, &same).await), other);
    for wrong in ["", "x", &format!("{token}x"), &id, &"x".repeat(10_000)] {
        assert_eq!(
            reason(desk.redeem(wrong, "key:1", "h").await),
            "there is no such approval"
        );
    }

    let grant = desk.redeem(&token, "key:1", "h").await.unwrap();
    assert_eq!(
        (grant.approval_id.as_str(), grant.approvers.len()),
        (id.as_str(), 1)
    );
    assert!(permit(desk, &same, grant.clone()).is_ok());
    let mut stricter = Asked::by("key:1", "h");
    stricter.terms = "{approvers: 2}";
    let refused = permit(desk, &stricter, grant.clone()).unwrap_err();
    assert_eq!(refused, GrantError::Mismatch("number of approvers"));
    let another = permit(desk, &Asked::by("key:1", "x"), grant).unwrap_err();
    assert_eq!(another, GrantError::Mismatch("set of arguments"));

    assert_eq!(
        reason(desk.redeem(&token, "key:1", "h").await),
        "it was used already"
    );
    let expected = [
        "approval.requested key:1",
        "approval.approved key:boss",
        "approval.consumed key:1",
    ];
    assert_eq!(desk.trail(&id).await, expected);
    assert_ne!(
        desk.ask("key:1", "h").await.unwrap().id,
        id,
        "the next use is asked for anew"
    );
}

/// Attack: T5
pub(super) async fn of_a_hundred_one_gets_the_grant(desk: &Desk) {
    let (id, token) = approved(desk, "key:1", "h").await;
    let answers = join_all((0..100).map(|_| desk.redeem(&token, "key:1", "h"))).await;
    let grants: Vec<Grant> = answers.into_iter().filter_map(Result::ok).collect();
    assert_eq!(grants.len(), 1);
    let trail = desk.trail(&id).await;
    assert_eq!(
        trail
            .iter()
            .filter(|line| line.starts_with("approval.consumed"))
            .count(),
        1
    );
}

/// Acceptance: 99, 345
pub(super) async fn time_running_out_is_a_no(desk: &Desk) {
    let pending = desk.ask("key:1", "never decided").await.unwrap();
    desk.clock.advance(Duration::from_secs(899));
    let (used_late, token) = approved(desk, "key:1", "used late").await;
    desk.clock.advance(Duration::from_secs(1));
    let late = desk.decide(&pending.id, "key:boss", Verdict::Approve).await;
    assert!(matches!(late, Err(ApprovalError::Conflict(_))));
    desk.clock.advance(Duration::from_secs(298));
    let boss = desk.principal("key:boss");
    let state = async |id: &str| desk.approvals.get(id, &boss).await.unwrap().state;
    assert_eq!(state(&used_late).await, ApprovalState::Approved);
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(
        reason(desk.redeem(&token, "key:1", "used late").await),
        "its time is over"
    );
    assert_eq!(state(&used_late).await, ApprovalState::Expired);

    while desk.approvals.expire().await.unwrap() > 0 {}
    for id in [&pending.id, &used_late] {
        assert_eq!(state(id).await, ApprovalState::Expired);
        assert_eq!(
            desk.trail(id).await.last().unwrap(),
            "approval.expired system:hub"
        );
    }
    assert_ne!(
        desk.ask("key:1", "never decided").await.unwrap().id,
        pending.id
    );
}
