//! Conversations: who they belong to, what is sent along, lists.

use crate::running::{CLAUDE, GEMINI, with};
use serde_json::json;
use shared::error::Code;

/// Acceptance: 63
#[tokio::test]
async fn a_conversation_is_sent_along_for_its_id_and_principal_only() {
    let mut models = with(&[]).await;
    let ask = |prompt: &str, id: &str| json!({"prompt": prompt, "conversation_id": id});
    for tool in [GEMINI, CLAUDE] {
        let id = format!("about-{}", tool.len());
        let told = models.call(tool, ask("first", &id)).await.unwrap();
        assert_eq!(told["conversation_id"], json!(id));
        models.call(tool, ask("second", &id)).await.unwrap();
        models.call(tool, ask("other", "another-one-")).await.ok();
        models.principal = "key:2";
        models.call(tool, ask("stranger", &id)).await.unwrap();
        models.principal = "key:1";
        let asked = models.providers.questions();
        let turns = |at: usize| {
            let body = &asked[at];
            let turns = body["contents"].as_array().or(body["messages"].as_array());
            turns.unwrap().clone()
        };
        assert_eq!(turns(0).len(), 1);
        assert_eq!(turns(1).len(), 3, "{tool}");
        let said = turns(1)[1].to_string();
        assert!(said.contains("you said first"), "{said}");
        assert_eq!(turns(asked.len() - 1).len(), 1, "a stranger knows nothing");
    }
    let error = models
        .call(CLAUDE, ask("x", "another-one-"))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::Conflict, "begun with the other provider");
}

#[tokio::test]
async fn conversations_are_listed_page_by_page_read_and_deleted() {
    let mut models = with(&[]).await;
    for id in ["a", "b", "c"] {
        let arguments = json!({"prompt": "hello", "conversation_id": id});
        models.call(GEMINI, arguments).await.unwrap();
        models.later(60);
    }
    let mut models = models.restart().await;
    let list = "ai.models.conversation.list";
    let page = models.call(list, json!({"limit": 2})).await.unwrap();
    let ids = |page: &serde_json::Value| {
        let all = page["conversations"].as_array().unwrap().clone();
        let ids = all.into_iter().map(|it| it["conversation_id"].clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(&page), ["c", "b"]);
    assert_eq!(
        page["conversations"][0],
        json!({"conversation_id": "c", "provider": "gemini", "messages": 2, "tokens": 52,
            "updated_at": "2026-11-20T12:02:00Z"})
    );
    let next = json!({"limit": 2, "cursor": page["next_cursor"]});
    let page = models.call(list, next).await.unwrap();
    assert_eq!(ids(&page), ["a"]);
    assert_eq!(page.get("next_cursor"), None);
    let error = models.call(list, json!({"cursor": "x"})).await.unwrap_err();
    assert_eq!(error.code, Code::InvalidInput);

    let get = "ai.models.conversation.get";
    let found = models
        .call(get, json!({"conversation_id": "a"}))
        .await
        .unwrap();
    assert_eq!(
        found["messages"][1],
        json!({"role": "assistant", "content": "you said hello", "tokens": 50,
            "at": "2026-11-20T12:00:00Z"})
    );
    let delete = "ai.models.conversation.delete";
    models.principal = "key:2";
    let error = models
        .call(get, json!({"conversation_id": "a"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    let gone = models
        .call(delete, json!({"conversation_id": "a"}))
        .await
        .unwrap();
    assert_eq!(gone["deleted"], false, "not theirs");
    models.principal = "key:1";
    for deleted in [true, false] {
        let gone = models
            .call(delete, json!({"conversation_id": "a"}))
            .await
            .unwrap();
        assert_eq!(gone["deleted"], deleted);
    }
    let error = models
        .call(get, json!({"conversation_id": "a"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotFound);
}

/// Acceptance: 63
#[tokio::test]
async fn the_oldest_turns_are_left_out_when_there_are_too_many() {
    let mut models = with(&[("AI_CONTEXT_MAX_TOKENS", "130")]).await;
    for prompt in ["one", "two", "three", "four"] {
        let arguments = json!({"prompt": prompt, "conversation_id": "c"});
        models.call(GEMINI, arguments).await.unwrap();
    }
    let asked = models.providers.questions();
    let turns: Vec<usize> = asked
        .iter()
        .map(|body| body["contents"].as_array().unwrap().len())
        .collect();
    assert_eq!(turns, [1, 3, 5, 5]);
    assert_eq!(asked[3]["contents"][0]["parts"][0]["text"], "two");
}
