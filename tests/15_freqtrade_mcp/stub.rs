//! A stub of a bot, by the published REST API v1, strict about credentials, paths and bodies; and a
//! stand-in for the program that writes down its words.

use parking_lot::Mutex;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

pub(crate) const USER: &str = "trader";
pub(crate) const PASSWORD: &str = "a-password-0123456789";
/// `trader:a-password-0123456789`.
const BASIC: &str = "Basic dHJhZGVyOmEtcGFzc3dvcmQtMDEyMzQ1Njc4OQ==";

/// The stub.
pub(crate) struct Stub {
    /// What it knows.
    pub(crate) state: Arc<Mutex<State>>,
    server: MockServer,
}

/// What the stub knows and was told.
pub(crate) struct State {
    /// Number of the token that is good.
    pub(crate) token: u32,
    /// Answers in the place of the usual ones, by path.
    pub(crate) instead: Vec<(&'static str, u16, Value)>,
    /// Requests with a good token: method, path and query, body.
    pub(crate) told: Vec<(String, String, Value)>,
}

struct Answers(Arc<Mutex<State>>);

impl Stub {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            token: 1,
            instead: Vec::new(),
            told: Vec::new(),
        }));
        let server = MockServer::start().await;
        let answers = Answers(Arc::clone(&state));
        Mock::given(any())
            .respond_with(answers)
            .mount(&server)
            .await;
        Self { state, server }
    }

    /// One that runs as long as the process, for callers that cannot wait.
    pub(crate) fn forever() -> String {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let stub = Self::start().await;
                sender.send(stub.url()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// Answers otherwise from now on.
    pub(crate) fn instead(&self, path: &'static str, status: u16, body: Value) {
        self.state.lock().instead.push((path, status, body));
    }

    /// Requests that were no questions.
    pub(crate) fn done(&self) -> Vec<(String, String, Value)> {
        let told = self.state.lock().told.clone();
        told.into_iter()
            .filter(|(method, ..)| method != "GET")
            .collect()
    }
}

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock();
        let header = |name: &str| {
            request
                .headers
                .get(name)
                .map(|it| it.to_str().unwrap().to_owned())
        };
        let given = header("authorization").unwrap_or_default();
        let path = request.url.path().to_owned();
        if path == "/api/v1/token/login" {
            let good = request.method.as_str() == "POST" && given == BASIC;
            let tokens = json!({"access_token": format!("t{}", state.token), "refresh_token": "r"});
            return match good {
                true => answer(200, &tokens),
                false => answer(401, &json!({"detail": "Incorrect username or password"})),
            };
        }
        if given != format!("Bearer t{}", state.token) {
            return answer(401, &json!({"detail": "Could not validate credentials"}));
        }
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let query = request
            .url
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let method = request.method.as_str().to_owned();
        let local = path.strip_prefix("/api/v1/").unwrap_or("").to_owned();
        state
            .told
            .push((method.clone(), format!("{local}{query}"), body.clone()));
        if let Some((_, status, body)) = state.instead.iter().rev().find(|it| it.0 == local) {
            return answer(*status, body);
        }
        match known(&method, &local, &query, &body) {
            Some(told) => answer(200, &told),
            None => answer(
                422,
                &json!({"detail": format!("{method} {local}{query} {body}")}),
            ),
        }
    }
}

fn answer(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

/// What the published API answers; nothing for what it does not take.
fn known(method: &str, path: &str, query: &str, body: &Value) -> Option<Value> {
    let locks = json!({"lock_count": 1, "locks": [{"id": 3, "pair": "XRP/USDT", "active": true,
        "side": "*", "reason": "news", "lock_end_time": "2030-01-01 00:00:00"}]});
    let lists = json!({"blacklist": ["DOGE/USDT"], "blacklist_expanded": ["DOGE/USDT"], "errors": {},
        "length": 1, "method": ["StaticPairList"]});
    let said = |word: &str| Some(json!({"status": word}));
    match (method, path) {
        ("GET", "status") => Some(json!([{"trade_id": 7, "pair": "ETH/USDT", "is_open": true}])),
        ("GET", "count") => Some(json!({"current": 1, "max": 3, "total_stake": 100.0})),
        ("GET", "health") => Some(json!({"last_process": "2026-01-01", "bot_start_ts": 1})),
        ("GET", "version") => Some(json!({"version": "2026.9"})),
        ("GET", "show_config") => Some(json!({"dry_run": true, "state": "running",
            "stake_currency": "USDT", "stake_amount": "50", "max_open_trades": 3})),
        ("GET", "balance") => Some(json!({"currencies": [{"currency": "USDT", "free": 80.0}]})),
        ("GET", "profit" | "performance") => Some(json!({"of": path})),
        ("GET", "daily") => (query == "?timescale=3").then(|| json!({"data": []})),
        ("GET", "trades") => (query == "?limit=2&offset=4").then(|| json!({"trades": []})),
        ("GET", "trade/7") => Some(json!({"trade_id": 7})),
        ("GET", "whitelist") => Some(json!({"whitelist": ["BTC/USDT", "XRP/USDT", "DOGE/USDT"]})),
        ("GET", "blacklist") => Some(lists),
        ("GET", "locks") => Some(locks),
        ("POST", "start" | "stop" | "pause" | "stopbuy" | "reload_config") => said(path),
        ("POST", "blacklist") => body["blacklist"].is_array().then_some(lists),
        ("DELETE", "blacklist") => {
            (query == "?pairs_to_delete=DOGE%2FUSDT&pairs_to_delete=A%2FB").then_some(lists)
        }
        ("POST", "locks") => {
            let lock = &body.as_array()?[0];
            let fits = lock["pair"].is_string() && lock["until"].as_str()?.ends_with('Z');
            (fits && ["*", "long", "short"].contains(&lock["side"].as_str()?)).then_some(locks)
        }
        ("DELETE", "locks/3") => Some(locks),
        ("POST", "forceenter") => {
            let names = [
                "pair",
                "side",
                "price",
                "ordertype",
                "stakeamount",
                "entry_tag",
                "leverage",
            ];
            let fits = body
                .as_object()?
                .keys()
                .all(|key| names.contains(&key.as_str()));
            (fits && body["pair"].is_string()).then(|| json!({"trade_id": 8, "pair": body["pair"]}))
        }
        ("POST", "forceexit") => {
            let names = ["tradeid", "ordertype", "amount", "price"];
            let fits = body
                .as_object()?
                .keys()
                .all(|key| names.contains(&key.as_str()));
            (fits && body["tradeid"] == "7")
                .then(|| json!({"result": "Created exit order for trade 7."}))
        }
        _ => None,
    }
}

const SCRIPT: &str = r#"#!/bin/sh
printf '%s\n' "$@" >> "$0.words"
case "$1" in
  --version) echo "freqtrade 2026.9" ;;
  list-strategies) printf '┃ name ┃ location ┃ status ┃\n│ Sample │ sample.py │ OK │\n│ Odd │ odd.py │ LOAD FAILED │\n' ;;
  hyperopt) echo "epoch 1" >&2; echo "epoch 2" >&2; printf 'Best result:\n{"params": {"a": 1}}\n' ;;
  backtesting) printf 'SUMMARY METRICS\n┃ Metric ┃ Value ┃\n│ Absolute profit │ 1.5 USDT │\n' ;;
  download-data) echo "no such exchange" >&2; exit 2 ;;
  show-config) sleep 60 ;;
  *) echo "$1" ;;
esac
"#;

/// The stand-in for the program in a folder.
#[expect(clippy::disallowed_methods, reason = "a helper of the test")]
pub(crate) fn program(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let source = folder.join("source");
    std::fs::write(&source, SCRIPT).unwrap();
    // Copied by another process: a file this one still has open for writing could not be run.
    let copied = std::process::Command::new("install")
        .args(["-m", "755"])
        .args([&source, &folder.join("freqtrade")])
        .status();
    assert!(copied.unwrap().success());
}

/// A small checkout in a folder.
pub(crate) fn checkout(folder: &Path) {
    for (name, text) in [
        ("README.md", "# freqtrade\n"),
        (
            "docs/hyperopt.md",
            "# Hyperopt\n\nThe Sharpe loss function weighs risk.\nA loss.\n",
        ),
        ("docs/faq.md", "Sharpe? No.\nA loss is a loss.\n"),
        ("freqtrade/main.py", "print('loss')\n"),
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}
