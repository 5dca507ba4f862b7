//! The queue between a tool that reports progress and a caller who may be slow.

use crate::tool::{Progress, Report};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Notify;

/// Reports that wait at most; then the oldest goes.
const MAX_WAITING: usize = 64;

/// A bounded queue: of successive progress reports only the latest waits. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Reports(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<VecDeque<Report>>,
    news: Notify,
}

impl Reports {
    /// The end a tool writes to.
    pub(super) fn progress(&self) -> Progress {
        let reports = self.clone();
        Progress::to(move |report| reports.push(report))
    }

    fn push(&self, report: Report) {
        let mut waiting = self.0.waiting.lock();
        let is_progress = |report: &Report| matches!(report, Report::Progress { .. });
        if waiting.back().is_some_and(is_progress) && is_progress(&report) {
            waiting.pop_back();
        } else if waiting.len() >= MAX_WAITING {
            waiting.pop_front();
        }
        waiting.push_back(report);
        drop(waiting);
        self.0.news.notify_one();
    }

    /// The next report, if one waits.
    pub(super) fn take(&self) -> Option<Report> {
        self.0.waiting.lock().pop_front()
    }

    /// Waits for the next report. Safe to drop and await again.
    pub(super) async fn next(&self) -> Report {
        loop {
            if let Some(report) = self.take() {
                return report;
            }
            self.0.news.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::LogLevel;

    #[tokio::test]
    async fn the_latest_progress_wins_and_logs_stay_in_order() {
        let reports = Reports::default();
        let progress = reports.progress();
        for done in 0..1000_u32 {
            progress.report(f64::from(done), None, "");
        }
        let log = Report::Log {
            level: LogLevel::Info,
            message: "between".into(),
        };
        progress.send(log.clone());
        progress.report(1000.0, None, "");
        assert!(matches!(reports.next().await, Report::Progress { done, .. } if done == 999.0));
        assert_eq!(reports.next().await, log);
        assert!(matches!(reports.next().await, Report::Progress { done, .. } if done == 1000.0));
        for _ in 0..1000 {
            progress.send(log.clone());
        }
        assert_eq!(std::iter::from_fn(|| reports.take()).count(), MAX_WAITING);
    }
}
