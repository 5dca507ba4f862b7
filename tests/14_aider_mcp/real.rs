//! The real aider, against a stand-in for an OpenAI-compatible server that checks what it is asked.

use crate::desk::{Desk, KEY, strings};
use serde_json::json;
use shared::tool::Effect;
use tests::clients::installed;
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A change as aider's models write it; put together here, so that no tool takes this file for an
/// unsettled merge.
fn edit() -> String {
    let (open, close) = ("<".repeat(7), ">".repeat(7));
    format!(
        "Here is the change.\n\nnote.txt\n```\n{open} SEARCH\nmine\n=======\nours\n{close} REPLACE\n```\n"
    )
}

async fn answering(text: &str) -> MockServer {
    let server = MockServer::start().await;
    let answer = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-4o",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    });
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", format!("Bearer {KEY}").as_str()))
        .and(body_partial_json(json!({"model": "gpt-4o"})))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&server)
        .await;
    server
}

async fn real(server: &MockServer) -> Desk {
    let program = installed().join("aider/bin/aider");
    assert!(
        program.is_file(),
        "{} is missing; install it with: deploy/scripts/test-deps.sh",
        program.display()
    );
    Desk::start(&[
        ("AIDER_PATH", &program.display().to_string()),
        ("AIDER_MODEL", "openai/gpt-4o"),
        ("AIDER_OPENAI_API_BASE", &format!("{}/v1", server.uri())),
    ])
    .await
}

fn said(requests: &[Request]) -> String {
    requests
        .iter()
        .map(|it| String::from_utf8_lossy(&it.body).into_owned())
        .collect()
}

/// Acceptance: 59
#[tokio::test]
async fn the_real_aider_edits_a_file_and_answers_a_question() {
    let server = answering(&edit()).await;
    let mut desk = real(&server).await;
    let arguments = json!({"file": "note.txt", "instruction": "Make mine ours"});
    let edited = desk
        .rig
        .approved("aider.editFile", arguments, Effect::Mutate)
        .await
        .unwrap();
    assert_eq!(edited["success"], true, "{edited}");
    assert_eq!(strings(&edited["changed_files"]), ["note.txt"], "{edited}");
    assert!(
        edited["diff"].as_str().unwrap().contains("-mine\n+ours"),
        "{edited}"
    );
    assert_eq!(desk.text("note.txt"), "first\nours\n");
    let asked = said(&server.received_requests().await.unwrap());
    assert!(
        asked.contains("Make mine ours") && asked.contains("first\\nmine"),
        "{asked}"
    );
    let question = json!({"question": "What is in it?", "files": ["note.txt"]});
    let answer = desk.rig.call("aider.ask", question).await.unwrap();
    assert!(
        answer["answer"]
            .as_str()
            .unwrap()
            .contains("Here is the change."),
        "{answer}"
    );
    assert_eq!(
        desk.text("note.txt"),
        "first\nours\n",
        "a question changes nothing"
    );
}

#[tokio::test]
async fn the_real_aider_that_is_refused_by_its_provider_is_no_success() {
    let server = MockServer::start().await;
    let refusal = json!({"error": {"message": "no such key", "type": "invalid_request_error"}});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(401).set_body_json(refusal))
        .mount(&server)
        .await;
    let mut desk = real(&server).await;
    let answer = desk
        .rig
        .call("aider.ask", json!({"question": "What is here?"}))
        .await
        .unwrap();
    assert_eq!(answer["success"], false, "{answer}");
    assert!(!answer.to_string().contains(KEY), "{answer}");
}
