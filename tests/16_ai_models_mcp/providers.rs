//! Strict stubs of the two providers: they check path, key, version and every field of the body, count
//! what they answer, and say back what they were told.

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

/// The keys they know.
pub(crate) const GEMINI_KEY: &str = "AIza-stub-key-of-gemini";
pub(crate) const ANTHROPIC_KEY: &str = "sk-ant-stub-key";

/// Both providers at one address.
#[derive(Clone, Default)]
pub(crate) struct Providers(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// Questions that were answered, as each provider was asked.
    questions: Vec<Value>,
    /// Status and body of the next answer.
    next: Option<(u16, Value)>,
    delay: Duration,
}

impl Providers {
    pub(crate) async fn start(&self) -> MockServer {
        let server = MockServer::start().await;
        let mock = Mock::given(matchers::any()).respond_with(self.clone());
        mock.mount(&server).await;
        server
    }

    /// Questions since this was asked last.
    pub(crate) fn questions(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().questions)
    }

    /// Answers the next question so.
    pub(crate) fn answer_next(&self, status: u16, body: Value) {
        self.0.lock().next = Some((status, body));
    }

    /// Waits before each answer.
    pub(crate) fn wait(&self, delay: Duration) {
        self.0.lock().delay = delay;
    }

    fn planned(&self) -> Option<ResponseTemplate> {
        let (status, body) = self.0.lock().next.take()?;
        let answer = ResponseTemplate::new(status).insert_header("retry-after", "7");
        Some(answer.set_body_json(body))
    }

    fn messages(&self, body: Value) -> ResponseTemplate {
        let refused = |what: &str| {
            let error = json!({"type": "invalid_request_error", "message": what});
            ResponseTemplate::new(400).set_body_json(json!({"type": "error", "error": error}))
        };
        let known = ["model", "max_tokens", "messages", "system", "temperature"];
        if let Some(field) = unknown(&body, &known) {
            return refused(&format!("{field}: Extra inputs are not permitted"));
        }
        let (Some(model), Some(most)) = (body["model"].as_str(), body["max_tokens"].as_u64())
        else {
            return refused("model, max_tokens: Field required");
        };
        if model == "nobody" {
            let error = json!({"type": "not_found_error", "message": "model: nobody"});
            let body = json!({"type": "error", "error": error});
            return ResponseTemplate::new(404).set_body_json(body);
        }
        if !most.ge(&1) || !alternates(&body["messages"], ["user", "assistant"], "content") {
            return refused("messages: roles must alternate");
        }
        let last = last(&body["messages"])["content"]
            .as_str()
            .unwrap()
            .to_owned();
        let answer = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": format!("{model}-20251001"),
            "content": [{"type": "text", "text": format!("you said {last}")}],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 1000, "output_tokens": 200,
                "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
        });
        self.0.lock().questions.push(body);
        self.planned()
            .unwrap_or_else(|| ResponseTemplate::new(200).set_body_json(answer))
    }

    fn generate(&self, model: &str, body: Value) -> ResponseTemplate {
        let refused = |what: &str| {
            let error = json!({"code": 400, "message": what, "status": "INVALID_ARGUMENT"});
            ResponseTemplate::new(400).set_body_json(json!({"error": error}))
        };
        let known = ["contents", "generationConfig", "systemInstruction"];
        let settings = ["temperature", "maxOutputTokens"];
        let settings = unknown(&body["generationConfig"], &settings);
        if let Some(field) = unknown(&body, &known).or(settings) {
            return refused(&format!("Unknown name \"{field}\""));
        }
        if !alternates(&body["contents"], ["user", "model"], "parts") {
            return refused("contents: roles must alternate");
        }
        let last = last(&body["contents"])["parts"][0]["text"].clone();
        let said = format!("you said {}", last.as_str().unwrap());
        let answer = json!({
            "candidates": [{
                "content": {"role": "model", "parts": [
                    {"text": "let me think", "thought": true}, {"text": said},
                ]},
                "finishReason": "STOP", "index": 0,
            }],
            "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20,
                "thoughtsTokenCount": 30, "totalTokenCount": 150},
            "modelVersion": model, "responseId": "r",
        });
        self.0.lock().questions.push(body);
        self.planned()
            .unwrap_or_else(|| ResponseTemplate::new(200).set_body_json(answer))
    }
}

impl Respond for Providers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let delay = self.0.lock().delay;
        self.respond_now(request).set_delay(delay)
    }
}

impl Providers {
    fn respond_now(&self, request: &Request) -> ResponseTemplate {
        let header = |name: &str| request.headers.get(name).and_then(|it| it.to_str().ok());
        let path = request.url.path();
        let query: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
        let pages: Vec<&str> = query.iter().map(|(name, _)| name.as_str()).collect();
        let body = || serde_json::from_slice::<Value>(&request.body).unwrap();
        let post = request.method == "POST" && query.is_empty();
        if let Some(rest) = path.strip_prefix("/v1beta/models") {
            if header("x-goog-api-key") != Some(GEMINI_KEY) {
                return gemini_refusal();
            }
            return match (rest.strip_suffix(":generateContent"), pages.as_slice()) {
                (Some(model), _) if post => self.generate(model.trim_start_matches('/'), body()),
                (None, ["pageSize"]) => gemini_models(&["gemini-b", "gemini-a"], Some("two")),
                (None, ["pageSize", "pageToken"]) => gemini_models(&["gemini-c"], None),
                _ => ResponseTemplate::new(404),
            };
        }
        if header("x-api-key") != Some(ANTHROPIC_KEY)
            || header("anthropic-version") != Some("2023-06-01")
        {
            let error = json!({"type": "authentication_error", "message": "invalid x-api-key"});
            let body = json!({"type": "error", "error": error});
            return ResponseTemplate::new(401).set_body_json(body);
        }
        match (path, pages.as_slice()) {
            ("/v1/messages", []) if post => self.messages(body()),
            ("/v1/models", ["limit"]) => claude_models("claude-b", true),
            ("/v1/models", ["limit", "after_id"]) => claude_models("claude-a", false),
            _ => ResponseTemplate::new(404),
        }
    }
}

fn gemini_refusal() -> ResponseTemplate {
    let message = format!("API key not valid: {GEMINI_KEY}");
    let error = json!({"code": 403, "message": message, "status": "PERMISSION_DENIED"});
    ResponseTemplate::new(403).set_body_json(json!({"error": error}))
}

fn gemini_models(names: &[&str], next: Option<&str>) -> ResponseTemplate {
    let mut models: Vec<Value> = names
        .iter()
        .map(|name| {
            json!({"name": format!("models/{name}"), "supportedGenerationMethods": ["generateContent"]})
        })
        .collect();
    models
        .push(json!({"name": "models/embedding", "supportedGenerationMethods": ["embedContent"]}));
    let mut body = Map::from_iter([("models".to_owned(), json!(models))]);
    if let Some(next) = next {
        body.insert("nextPageToken".into(), json!(next));
    }
    ResponseTemplate::new(200).set_body_json(Value::Object(body))
}

fn claude_models(name: &str, more: bool) -> ResponseTemplate {
    let model = json!({"type": "model", "id": name, "display_name": name});
    let body = json!({"data": [model], "has_more": more, "first_id": name, "last_id": name});
    ResponseTemplate::new(200).set_body_json(body)
}

fn unknown(body: &Value, known: &[&str]) -> Option<String> {
    let mut fields = body.as_object()?.keys();
    fields.find(|name| !known.contains(&name.as_str())).cloned()
}

fn alternates(turns: &Value, roles: [&str; 2], content: &str) -> bool {
    let turns = turns.as_array().unwrap();
    let fits = |(at, turn): (usize, &Value)| {
        let filled = turn[content].as_str().map_or_else(
            || {
                turn[content][0]["text"]
                    .as_str()
                    .is_some_and(|it| !it.is_empty())
            },
            |text| !text.is_empty(),
        );
        turn["role"] == roles[at % 2] && turn.as_object().unwrap().len() == 2 && filled
    };
    turns.len() % 2 == 1 && turns.iter().enumerate().all(fits)
}

fn last(turns: &Value) -> &Value {
    turns.as_array().unwrap().last().unwrap()
}
