//! Who may decide, and how many it takes.

use super::desk::{Asked, Desk};
use crate::fixture::Fixture;
use orchestrator::approvals::{
    ApprovalError, ApprovalState, Said, Signed, Verdict, WebhookError, sign_webhook,
};
use orchestrator::auth::CredentialKind;
use serde_json::json;
use shared::secret::Secret;
use shared::tool::Effect;
use std::time::Duration;

/// Acceptance: 346
pub(super) async fn two_of_three_takes_two_people(desk: &Desk) {
    let two = |hash: &'static str| {
        let mut asked = Asked::by("key:1", hash);
        asked.terms = "{approvers: 2}";
        desk.ask_for(asked)
    };
    let asked = two("h").await.unwrap();
    let once = desk
        .decide(&asked.id, "key:boss", Verdict::Approve)
        .await
        .unwrap();
    assert_eq!(once.state, ApprovalState::Pending);
    assert!(matches!(
        desk.decide(&asked.id, "key:boss", Verdict::Approve).await,
        Err(ApprovalError::Conflict(_))
    ));
    let twice = desk
        .decide(&asked.id, "key:helper", Verdict::Approve)
        .await
        .unwrap();
    assert_eq!(
        (twice.state, twice.votes.len()),
        (ApprovalState::Approved, 2)
    );

    for hash in ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"] {
        let asked = two(hash).await.unwrap();
        let (one, other) = tokio::join!(
            desk.decide(&asked.id, "key:boss", Verdict::Approve),
            desk.decide(&asked.id, "key:helper", Verdict::Approve),
        );
        assert!(one.is_ok() && other.is_ok());
        let boss = desk.principal("key:boss");
        let state = desk.approvals.get(&asked.id, &boss).await.unwrap().state;
        assert_eq!(state, ApprovalState::Approved, "both votes count");
    }
    let asked = two("n").await.unwrap();
    desk.decide(&asked.id, "key:boss", Verdict::Approve)
        .await
        .unwrap();
    let no = desk
        .decide(&asked.id, "key:helper", Verdict::Reject)
        .await
        .unwrap();
    assert_eq!(no.state, ApprovalState::Rejected, "one no is enough");
    let expected = [
        "approval.requested key:1",
        "approval.voted key:boss",
        "approval.rejected key:helper",
    ];
    assert_eq!(desk.trail(&asked.id).await, expected);
}

pub(super) async fn readers_see_what_they_may(desk: &Desk) {
    let asked = desk.ask("key:1", "h").await.unwrap();
    let count = async |reader: &str, state| {
        let reader = desk.principal(reader);
        desk.approvals.list(&reader, state, 50).await.unwrap().len()
    };
    assert_eq!(count("key:1", None).await, 1);
    assert_eq!(count("key:2", None).await, 0);
    assert_eq!(count("key:boss", Some(ApprovalState::Pending)).await, 1);
    assert_eq!(count("key:boss", Some(ApprovalState::Approved)).await, 0);
    let foreign = desk
        .approvals
        .get(&asked.id, &desk.principal("key:2"))
        .await;
    assert!(matches!(foreign, Err(ApprovalError::NotFound)));
    desk.clock.advance(Duration::from_secs(901));
    assert_eq!(count("key:boss", Some(ApprovalState::Pending)).await, 0);
    assert_eq!(count("key:boss", Some(ApprovalState::Expired)).await, 1);
    assert_eq!(desk.token(&asked.id, "key:1").await, None);
}

/// Acceptance: 346
/// Attack: T6
#[tokio::test]
async fn only_another_person_of_the_organisation_decides() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(fixture.store.clone(), "who").await;
    let abroad = Desk::open(fixture.store.clone(), "abroad").await;
    let asked = desk.ask("key:boss", "h").await.unwrap();
    let yes = Verdict::Approve;
    let refused = |answer| matches!(answer, Err(ApprovalError::Forbidden(_)));
    let unknown = |answer| matches!(answer, Err(ApprovalError::NotFound));
    assert!(
        refused(desk.decide(&asked.id, "key:boss", yes).await),
        "the requester"
    );
    assert!(
        unknown(desk.decide(&asked.id, "key:2", yes).await),
        "without permission"
    );
    assert!(
        unknown(abroad.decide(&asked.id, "key:boss", yes).await),
        "another organisation"
    );
    let mut agent = desk.principal("key:helper");
    agent.kind = CredentialKind::A2aKey;
    assert!(
        refused(
            desk.approvals
                .decide(&asked.id, &agent, Said::plain(yes, None))
                .await
        ),
        "an agent"
    );
    assert!(unknown(desk.decide("apr_nothing", "key:helper", yes).await));
    assert!(desk.decide(&asked.id, "key:helper", yes).await.is_ok());
}

/// Acceptance: 346
/// Attack: T6
#[tokio::test]
async fn a_rule_may_allow_own_approvals_but_never_of_critical_work() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(fixture.store.clone(), "own").await;
    let own = async |effect| {
        let mut asked = Asked::by("key:boss", "h");
        (asked.effect, asked.terms) = (effect, "{self_approval: true}");
        let asked = desk.ask_for(asked).await.unwrap();
        desk.decide(&asked.id, "key:boss", Verdict::Approve).await
    };
    assert_eq!(
        own(Effect::Mutate).await.unwrap().state,
        ApprovalState::Approved
    );
    assert!(matches!(
        own(Effect::Critical).await,
        Err(ApprovalError::Forbidden(_))
    ));
}

#[tokio::test]
async fn a_rule_may_want_a_role() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(fixture.store.clone(), "role").await;
    let mut asked = Asked::by("key:1", "h");
    asked.terms = "{roles: [admin]}";
    let asked = desk.ask_for(asked).await.unwrap();
    let helper = desk.decide(&asked.id, "key:helper", Verdict::Approve).await;
    assert!(matches!(helper, Err(ApprovalError::Forbidden(_))));
    assert!(
        desk.decide(&asked.id, "key:boss", Verdict::Approve)
            .await
            .is_ok()
    );
}

/// Acceptance: 346
#[tokio::test]
async fn a_signed_message_decides_once_and_within_five_minutes() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(fixture.store.clone(), "hook").await;
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    let at = 1_800_000_000;
    let send = async |body: &str, signed_at: i64, key: &Secret| {
        let signature = sign_webhook(key, signed_at, body.as_bytes());
        let message = Signed {
            timestamp: &signed_at.to_string(),
            signature: &format!("sha256={signature}"),
            body: body.as_bytes(),
        };
        desk.approvals.decide_signed(&secret, message).await
    };
    let body = |id: &str, approver: &str| {
        json!({"request_id": id, "decision": "approve", "approver": approver}).to_string()
    };
    let asked = desk.ask("key:1", "h").await.unwrap();
    let good = body(&asked.id, "ops@example.org");
    let unsigned = |answer| matches!(answer, Err(WebhookError::Signature));
    let other = Secret::new("another secret of thirty-two bytes");
    assert!(unsigned(send(&good, at, &other).await));
    assert!(unsigned(send(&good, at - 301, &secret).await));
    assert!(unsigned(send(&good, at + 301, &secret).await));
    let own = send(&body(&asked.id, "Name of key:1"), at, &secret).await;
    assert!(matches!(
        own,
        Err(WebhookError::Approval(ApprovalError::Forbidden(_)))
    ));
    let hidden = send(&body(&asked.id, "ops\u{202e}"), at, &secret).await;
    assert!(matches!(hidden, Err(WebhookError::Field("approver"))));
    let decided = send(&good, at, &secret).await.unwrap();
    assert_eq!(decided.state, ApprovalState::Approved);
    assert_eq!(decided.votes[0].approver, "webhook:ops@example.org");
    assert!(unsigned(send(&good, at, &secret).await), "a replay");
    let again = send(&good, at + 1, &secret).await;
    assert!(matches!(
        again,
        Err(WebhookError::Approval(ApprovalError::Conflict(_)))
    ));
}

/// Acceptance: 346
#[tokio::test]
async fn one_person_with_two_keys_is_one_person() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(fixture.store.clone(), "persons").await;
    let mut asked = Asked::by("key:1", "h");
    asked.person = Some("user-1");
    asked.terms = "{approvers: 2}";
    let asked = desk.ask_for(asked).await.unwrap();
    let by = async |key: &str, person: Option<&str>| {
        let mut principal = desk.principal(key);
        principal.person = person.map(Into::into);
        let approvals = &desk.approvals;
        approvals
            .decide(&asked.id, &principal, Said::plain(Verdict::Approve, None))
            .await
    };
    let own = by("key:boss", Some("user-1")).await;
    assert!(matches!(own, Err(ApprovalError::Forbidden(_))), "{own:?}");
    let first = by("key:boss", Some("user-2")).await.unwrap();
    assert_eq!(first.state, ApprovalState::Pending);
    let again = by("key:boss-2", Some("user-2")).await;
    assert!(
        matches!(again, Err(ApprovalError::Conflict(_))),
        "{again:?}"
    );
    let other = by("key:helper", None).await.unwrap();
    assert_eq!(other.state, ApprovalState::Approved);
}

/// Acceptance: 99
#[tokio::test]
async fn a_decision_that_cannot_be_recorded_is_not_made() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(fixture.store.clone(), "atomic").await;
    let asked = desk.ask("key:1", "h").await.unwrap();
    let run = async |sql: &'static str| {
        let statement = orchestrator::store::Statement::new(sql);
        fixture.store.write(vec![statement]).await.unwrap();
    };
    run("CREATE TRIGGER no_yes BEFORE INSERT ON audit_logs \
         WHEN NEW.action = 'approval.approved' BEGIN SELECT RAISE(ABORT, 'no'); END")
    .await;
    let failed = desk.decide(&asked.id, "key:boss", Verdict::Approve).await;
    assert!(matches!(failed, Err(ApprovalError::Audit(_))), "{failed:?}");
    let boss = desk.principal("key:boss");
    let stands = desk.approvals.get(&asked.id, &boss).await.unwrap();
    assert_eq!(
        (stands.state, stands.votes.len()),
        (ApprovalState::Pending, 0)
    );
    run("DROP TRIGGER no_yes").await;
    let decided = desk.decide(&asked.id, "key:boss", Verdict::Approve).await;
    assert_eq!(decided.unwrap().state, ApprovalState::Approved);
    let expected = ["approval.requested key:1", "approval.approved key:boss"];
    assert_eq!(desk.trail(&asked.id).await, expected);
}
