//! The ledger on a real file, without tools around it.

use super::*;
use crate::spoke::store;

const INTENT: Intent<'static> = Intent {
    principal: "key:1",
    key: "k",
    tool: "a.b",
    arguments_hash: "h",
    idempotent: false,
    now: 1000,
};

async fn ledger_of(folder: &tempfile::TempDir) -> Ledger {
    Ledger::new(store::open(folder.path()).await.unwrap())
}

fn output(text: &str) -> Result<Output, ToolError> {
    Ok(Output::structured(
        RawValue::from_string(text.to_owned()).unwrap(),
    ))
}

async fn begun(ledger: &Ledger, intent: Intent<'_>) -> Entry {
    match ledger.begin(intent).await.unwrap() {
        Begin::Run(entry) => entry,
        other => panic!("{other:?}"),
    }
}

async fn refused(ledger: &Ledger, intent: Intent<'_>) -> (Code, bool) {
    match ledger.begin(intent).await.unwrap() {
        Begin::Refused(error) => (error.code, error.retryable),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_finished_change_is_replayed_byte_for_byte_even_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger_of(&folder).await;
    let entry = begun(&ledger, INTENT).await;
    entry.finish(&output(r#"{"b":1.0,"a":2}"#)).await.unwrap();
    let again = ledger_of(&folder).await;
    match again.begin(INTENT).await.unwrap() {
        Begin::Replay(Ok(output)) => {
            assert_eq!(output.structured.get(), r#"{"b":1.0,"a":2}"#);
            assert!(output.replayed);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_same_key_for_another_call_is_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger_of(&folder).await;
    let entry = begun(&ledger, INTENT).await;
    assert_eq!(refused(&ledger, INTENT).await, (Code::Conflict, true));
    entry.finish(&output("1")).await.unwrap();
    let other = Intent {
        arguments_hash: "x",
        ..INTENT
    };
    assert_eq!(refused(&ledger, other).await, (Code::Conflict, false));
    let other = Intent {
        tool: "a.c",
        ..INTENT
    };
    assert_eq!(refused(&ledger, other).await, (Code::Conflict, false));
    begun(
        &ledger,
        Intent {
            principal: "key:2",
            ..INTENT
        },
    )
    .await;
}

#[tokio::test]
async fn an_unfinished_change_is_unknown_and_only_an_idempotent_one_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger_of(&folder).await;
    drop(begun(&ledger, INTENT).await);
    assert_eq!(
        refused(&ledger, INTENT).await,
        (Code::OutcomeUnknown, false)
    );
    let idempotent = Intent {
        idempotent: true,
        ..INTENT
    };
    let entry = begun(&ledger, idempotent).await;
    let timeout = ToolError::new(Code::Timeout, "too slow");
    entry.finish(&Err(timeout)).await.unwrap();
    assert_eq!(
        refused(&ledger, INTENT).await,
        (Code::OutcomeUnknown, false)
    );
}

#[tokio::test]
async fn what_did_not_run_may_run_and_what_failed_stays_failed() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger_of(&folder).await;
    let entry = begun(&ledger, INTENT).await;
    let refusal = ToolError::refused(Code::PolicyViolation, "no");
    entry.finish(&Err(refusal)).await.unwrap();
    let entry = begun(&ledger, INTENT).await;
    let failure = ToolError::new(Code::BadGateway, "nonsense came back");
    entry.finish(&Err(failure)).await.unwrap();
    match ledger.begin(INTENT).await.unwrap() {
        Begin::Replay(Err(error)) => assert_eq!(error.code, Code::BadGateway),
        other => panic!("{other:?}"),
    }
    let later = Intent {
        now: INTENT.now + KEPT,
        ..INTENT
    };
    begun(&ledger, later).await;
}
