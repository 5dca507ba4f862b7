//! Clients that start runs and look after them while the hub dies under them.
//!
//! Whatever a client was not told it asks again, with the same key; how runs end is judged elsewhere.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Runs looked after at the same time.
const CLIENTS: usize = 32;
/// Between two looks at a run.
const PACE: Duration = Duration::from_millis(300);
/// Longest wait for an answer of a hub that is being killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The workflow: four steps that may be repeated, three that must not, a timer.
const WORKFLOW: &str = include_str!("eight.yaml");

/// What every client knows.
pub(crate) struct Load {
    http: reqwest::Client,
    url: String,
    key: String,
    next: AtomicUsize,
    least: usize,
    enough: AtomicBool,
}

impl Load {
    /// For a hub at `url`; at least so many runs are started.
    pub(crate) fn new(url: &str, key: &str, least: usize) -> Arc<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        Arc::new(Self {
            http: http.build().unwrap(),
            url: url.to_owned(),
            key: key.to_owned(),
            next: AtomicUsize::new(0),
            least,
            enough: AtomicBool::new(false),
        })
    }

    /// Returns when the hub knows the tools of the spoke, which it keeps from then on.
    pub(crate) async fn until_tools_are_known(&self) {
        let body = json!({"workflow": WORKFLOW});
        let deadline = Instant::now() + PATIENCE * 6;
        loop {
            let answer = self.post("/api/workflows/validate", &body).await;
            if matches!(answer, Some((200, _))) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the tools are unknown: {answer:?}"
            );
            tokio::time::sleep(PACE).await;
        }
    }

    /// Starts runs until there are enough and [`Load::stop`] was called: their ids by their names.
    pub(crate) async fn run(self: Arc<Self>) -> BTreeMap<String, String> {
        let clients = (0..CLIENTS).map(|_| tokio::spawn(Arc::clone(&self).client()));
        let done = futures::future::join_all(clients).await;
        done.into_iter().flat_map(Result::unwrap).collect()
    }

    /// No more runs than the least.
    pub(crate) fn stop(&self) {
        self.enough.store(true, Ordering::Release);
    }

    /// How many runs were begun.
    pub(crate) fn begun(&self) -> usize {
        self.next.load(Ordering::Acquire)
    }

    async fn client(self: Arc<Self>) -> Vec<(String, String)> {
        let mut own = Vec::new();
        while !self.enough.load(Ordering::Acquire) || self.begun() < self.least {
            let name = format!("run-{}", self.next.fetch_add(1, Ordering::AcqRel));
            let id = self.start(&name).await;
            self.until_it_rests(&id).await;
            own.push((name, id));
        }
        own
    }

    /// Starts a run, as often as it takes.
    async fn start(&self, name: &str) -> String {
        let body = json!({
            "workflow": WORKFLOW, "input": {"run": name}, "idempotency_key": name,
        });
        loop {
            let (status, answer) = self.post("/api/workflows", &body).await.unwrap_or_default();
            assert!(
                [0, 200, 201, 429, 503].contains(&status),
                "{name}: {status} {answer}"
            );
            match answer["data"]["workflow_id"].as_str() {
                Some(id) => return id.to_owned(),
                None => tokio::time::sleep(PACE).await,
            }
        }
    }

    /// Looks at a run until it is over or needs somebody.
    async fn until_it_rests(&self, id: &str) {
        loop {
            if self.show(id).await.is_some_and(|run| rests(&run)) {
                return;
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// A run as the hub shows it; `None` when the hub does not answer.
    pub(crate) async fn show(&self, id: &str) -> Option<Value> {
        let url = format!("{}/api/workflows/{id}", self.url);
        let request = self.http.get(url).header("X-API-Key", &self.key);
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.ok()?;
        assert!([200, 429, 503].contains(&status), "{id}: {status} {body}");
        (status == 200).then(|| body["data"].clone())
    }

    /// Status and answer; `None` when the hub does not answer.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        let answer = request.header("X-API-Key", &self.key).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }
}

/// Whether a run is over or waits for an operator.
pub(crate) fn rests(run: &Value) -> bool {
    let over = ["completed", "failed", "cancelled"];
    over.iter().any(|word| run["status"] == *word) || run["phase"] == "suspended"
}
