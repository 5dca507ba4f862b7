//! Progress and log lines of one call on their way to the host.
//!
//! The sink never blocks and holds a bounded amount: of progress the latest, of log lines the latest
//! few. What the host did not ask for is dropped at the sink.

use super::frame;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared::tool::{LogLevel, Progress, Report};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Notify;

/// Log lines held for a slow host.
const MAX_LINES: usize = 64;
/// Requests to the host that wait to be sent.
const MAX_QUESTIONS: usize = 64;
/// What a heartbeat adds, since progress must grow.
const HEARTBEAT_STEP: f64 = 0.001;

/// What the host wants to hear of.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Progress, under this token; `None` for none.
    pub token: Option<Box<RawValue>>,
    /// Log lines at least this severe; `None` for none.
    pub level: Option<LogLevel>,
}

/// The reports of one call. Clones share them.
#[derive(Clone)]
pub struct Reports(Arc<Inner>);

struct Inner {
    wanted: Mutex<Wanted>,
    pending: Mutex<Pending>,
    wake: Notify,
}

struct Pending {
    progress: Option<(f64, Option<f64>, String)>,
    lines: VecDeque<Bytes>,
    /// Requests to the host: never dropped.
    questions: VecDeque<Bytes>,
    /// The last progress handed out or waiting.
    last: f64,
}

impl Reports {
    /// No reports yet.
    #[must_use]
    pub fn new(wanted: Wanted) -> Self {
        Self(Arc::new(Inner {
            wanted: Mutex::new(wanted),
            pending: Mutex::new(Pending {
                progress: None,
                lines: VecDeque::new(),
                questions: VecDeque::new(),
                last: f64::NEG_INFINITY,
            }),
            wake: Notify::new(),
        }))
    }

    /// Where the call reports to.
    #[must_use]
    pub fn sink(&self) -> Progress {
        let wanted = self.0.wanted.lock();
        if wanted.token.is_none() && wanted.level.is_none() {
            return Progress::ignored();
        }
        drop(wanted);
        let inner = Arc::clone(&self.0);
        Progress::to(move |report| inner.take(report))
    }

    /// The next report as a frame; waits for one. Dropping the future loses nothing.
    pub async fn next(&self) -> Bytes {
        loop {
            let woken = self.0.wake.notified();
            if let Some(frame) = self.try_next() {
                return frame;
            }
            woken.await;
        }
    }

    /// The next report as a frame, if one waits.
    #[must_use]
    pub fn try_next(&self) -> Option<Bytes> {
        let mut pending = self.0.pending.lock();
        if let Some(line) = pending.lines.pop_front() {
            return Some(line);
        }
        if let Some((done, total, text)) = pending.progress.take() {
            drop(pending);
            return Some(self.progress(done, total, &text));
        }
        pending.questions.pop_front()
    }

    /// Adds a request to the host; `false` when too many wait.
    #[must_use]
    pub fn push(&self, question: Bytes) -> bool {
        let mut pending = self.0.pending.lock();
        let room = pending.questions.len() < MAX_QUESTIONS;
        if room {
            pending.questions.push_back(question);
        }
        drop(pending);
        self.0.wake.notify_one();
        room
    }

    /// Adds a log line that is a frame already; the oldest goes when too many wait.
    pub fn push_line(&self, line: Bytes) {
        self.0.pending.lock().push_line(line);
        self.0.wake.notify_one();
    }

    /// From now on the reports are for another request of the same call.
    pub fn rebind(&self, wanted: Wanted) {
        *self.0.wanted.lock() = wanted;
    }

    /// A sign of life for a host that gave a token and hears nothing; `None` for any other host.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Bytes> {
        self.0.wanted.lock().token.as_ref()?;
        let mut pending = self.0.pending.lock();
        let last = if pending.last.is_finite() {
            pending.last
        } else {
            0.0
        };
        pending.last = last + HEARTBEAT_STEP;
        let done = pending.last;
        drop(pending);
        Some(self.progress(done, None, "still working"))
    }

    fn progress(&self, done: f64, total: Option<f64>, text: &str) -> Bytes {
        let token = self.0.wanted.lock().token.clone();
        let mut params = json!({ "progressToken": token, "progress": done });
        if let Value::Object(params) = &mut params {
            params.extend(total.map(|total| ("total".to_owned(), json!(total))));
            if !text.is_empty() {
                params.insert("message".to_owned(), json!(text));
            }
        }
        frame::notification("notifications/progress", params)
    }
}

impl Inner {
    fn take(&self, report: Report) {
        let (heard, least) = {
            let wanted = self.wanted.lock();
            (wanted.token.is_some(), wanted.level)
        };
        let mut pending = self.pending.lock();
        match report {
            Report::Progress {
                done,
                total,
                message,
            } => {
                let grows = done.is_finite() && done > pending.last;
                if !heard || !grows {
                    return;
                }
                pending.last = done;
                pending.progress = Some((done, total.filter(|total| total.is_finite()), message));
            }
            Report::Log { level, message } => {
                if least.is_none_or(|least| rank(level) < rank(least)) {
                    return;
                }
                pending.push_line(line(level, &message));
            }
        }
        drop(pending);
        self.wake.notify_one();
    }
}

impl Pending {
    fn push_line(&mut self, line: Bytes) {
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

/// MCP's word for a severity.
pub const fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
    }
}

/// Reads MCP's word for a severity: eight words, our four.
#[must_use]
pub fn level_of(word: &str) -> Option<LogLevel> {
    match word {
        "debug" => Some(LogLevel::Debug),
        "info" | "notice" => Some(LogLevel::Info),
        "warning" => Some(LogLevel::Warning),
        "error" | "critical" | "alert" | "emergency" => Some(LogLevel::Error),
        _ => None,
    }
}

const fn rank(level: LogLevel) -> u8 {
    match level {
        LogLevel::Debug => 0,
        LogLevel::Info => 1,
        LogLevel::Warning => 2,
        LogLevel::Error => 3,
    }
}

fn line(level: LogLevel, text: &str) -> Bytes {
    frame::notification(
        "notifications/message",
        json!({"level": word(level), "data": text}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(token: Option<&str>, level: Option<LogLevel>) -> Reports {
        let token = token.map(|text| RawValue::from_string(text.to_owned()).unwrap());
        Reports::new(Wanted { token, level })
    }

    fn values(reports: &Reports) -> Vec<Value> {
        std::iter::from_fn(|| reports.try_next())
            .map(|frame| serde_json::from_slice(&frame).unwrap())
            .collect()
    }

    #[test]
    fn only_what_was_asked_for_is_kept() {
        let all = |reports: Reports| {
            let sink = reports.sink();
            sink.report(1.0, Some(2.0), "half");
            sink.send(Report::Log {
                level: LogLevel::Info,
                message: "detail".into(),
            });
            sink.send(Report::Log {
                level: LogLevel::Error,
                message: "oh".into(),
            });
            values(&reports)
        };
        assert!(all(reports(None, None)).is_empty());
        let progress = all(reports(Some("\"t\""), None));
        assert_eq!(progress.len(), 1);
        assert_eq!(
            progress[0]["params"],
            json!({"progressToken":"t","progress":1.0,"total":2.0,"message":"half"})
        );
        let lines = all(reports(None, Some(LogLevel::Warning)));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["params"], json!({"level":"error","data":"oh"}));
    }

    #[test]
    fn progress_only_grows_and_the_latest_wins() {
        let reports = reports(Some("7"), None);
        let sink = reports.sink();
        sink.report(1.0, None, "");
        sink.report(3.0, None, "");
        sink.report(2.0, None, "");
        sink.report(f64::NAN, None, "");
        let seen = values(&reports);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0]["params"]["progress"], 3.0);
        sink.report(3.0, None, "");
        assert!(values(&reports).is_empty());
        let beat: Value = serde_json::from_slice(&reports.heartbeat().unwrap()).unwrap();
        assert!(beat["params"]["progress"].as_f64().unwrap() > 3.0);
    }

    #[test]
    fn log_lines_are_bounded() {
        let reports = reports(None, Some(LogLevel::Debug));
        let sink = reports.sink();
        for number in 0..200 {
            sink.send(Report::Log {
                level: LogLevel::Info,
                message: number.to_string(),
            });
        }
        let seen = values(&reports);
        assert_eq!(seen.len(), MAX_LINES);
        assert_eq!(seen.last().unwrap()["params"]["data"], "199");
    }

    #[tokio::test]
    async fn a_report_wakes_the_reader() {
        let reports = reports(Some("1"), None);
        let reader = reports.next();
        tokio::pin!(reader);
        assert!(futures::poll!(&mut reader).is_pending());
        reports.sink().report(1.0, None, "");
        assert!(futures::poll!(&mut reader).is_ready());
    }
}
