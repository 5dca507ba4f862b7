//! Drives a door and counts.

use super::http::HubWorker;
use super::{BenchError, Door};
use hdrhistogram::Histogram;
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// When calls are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Each connection sends when its last answer is there.
    Closed,
    /// So many calls a second over all connections, whatever the answers do.
    Open {
        /// Calls a second; at least 1.
        per_second: u32,
    },
}

/// How a door is driven.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Connections, each with one call at a time; 1 to 1024.
    pub connections: usize,
    /// How long.
    pub duration: Duration,
    /// When calls are sent.
    pub pace: Pace,
}

/// What was seen. Times are of successful calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Calls with a result.
    pub calls: u64,
    /// Calls without one.
    pub failures: u64,
    /// The first of them; `None` when there were none.
    pub first_failure: Option<String>,
    /// From the first call to the last answer.
    pub took: Duration,
    /// Half of the calls took at most this.
    pub p50: Duration,
    /// 99 of 100.
    pub p99: Duration,
    /// 999 of 1000.
    pub p999: Duration,
    /// All of them.
    pub max: Duration,
}

impl Figures {
    /// Calls with a result, a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        let calls = u32::try_from(self.calls).unwrap_or(u32::MAX);
        f64::from(calls) / self.took.as_secs_f64().max(f64::EPSILON)
    }
}

const MAX_CONNECTIONS: usize = 1024;
/// Longest time that is told apart: an hour, in nanoseconds.
const LONGEST: u64 = 3_600_000_000_000;
/// A worker whose calls fail this often in a row stops.
const GIVE_UP: u32 = 100;

/// Drives `door`.
///
/// # Errors
/// [`BenchError`] when no connection can be opened or the plan is impossible; failed calls are
/// figures.
pub async fn load(door: &Arc<Door>, plan: Plan) -> Result<Figures, BenchError> {
    let possible = (1..=MAX_CONNECTIONS).contains(&plan.connections);
    if !possible || plan.pace == (Pace::Open { per_second: 0 }) {
        return Err(BenchError::Setup(format!(
            "connections must be 1 to {MAX_CONNECTIONS}, the rate at least 1"
        )));
    }
    let tasks = Tasks::new();
    let mut workers = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        workers.push(Worker::open(door, &tasks).await?);
    }
    let began = Instant::now();
    let running: Vec<_> = workers
        .into_iter()
        .enumerate()
        .map(|(number, worker)| {
            let schedule = Schedule::of(plan, number, began);
            tasks.spawn("bench worker", worker.run(schedule))
        })
        .collect();
    let mut seen = Seen::new()?;
    for worker in running {
        let ended = worker.await;
        let ended = ended.map_err(|error| BenchError::Setup(error.to_string()))??;
        seen.add(ended)?;
    }
    let figures = seen.figures(began.elapsed());
    tasks.shutdown(Duration::from_secs(1)).await;
    Ok(figures)
}

/// When one worker sends.
struct Schedule {
    next: Instant,
    end: Instant,
    /// `None`: as soon as the last answer is there.
    every: Option<Duration>,
}

impl Schedule {
    fn of(plan: Plan, number: usize, began: Instant) -> Self {
        let workers = u32::try_from(plan.connections).unwrap_or(u32::MAX);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let (next, every) = match plan.pace {
            Pace::Closed => (began, None),
            Pace::Open { per_second } => {
                let each = Duration::from_secs(1) / per_second.max(1);
                (began + each * number, Some(each * workers))
            }
        };
        Self {
            next,
            end: began + plan.duration,
            every,
        }
    }

    /// Waits until the next call is due; `None` when the time is over.
    async fn due(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let due = match self.every {
            None => now,
            Some(every) => {
                let due = self.next;
                self.next += every;
                due
            }
        };
        if due >= self.end || now >= self.end {
            return None;
        }
        if due > now {
            sleep_until(due).await;
        }
        Some(due)
    }
}

/// One connection.
enum Worker {
    Hub(Box<HubWorker>),
    Spoke(Arc<Door>),
}

impl Worker {
    async fn open(door: &Arc<Door>, tasks: &Tasks) -> Result<Self, BenchError> {
        match &**door {
            Door::Hub(hub) => Ok(Self::Hub(Box::new(hub.connect(tasks).await?))),
            Door::Spoke(_) => Ok(Self::Spoke(Arc::clone(door))),
        }
    }

    async fn run(mut self, mut schedule: Schedule) -> Result<Seen, BenchError> {
        let mut seen = Seen::new()?;
        let mut in_a_row = 0;
        while let Some(due) = schedule.due().await {
            match self.call().await {
                Ok(()) => {
                    in_a_row = 0;
                    seen.success(due.elapsed());
                }
                Err(error) => {
                    in_a_row += 1;
                    seen.failure(&error);
                }
            }
            if in_a_row >= GIVE_UP {
                break;
            }
        }
        Ok(seen)
    }

    async fn call(&mut self) -> Result<(), BenchError> {
        match self {
            Self::Hub(hub) => hub.call().await,
            Self::Spoke(door) => match &**door {
                Door::Spoke(spoke) => spoke.call().await,
                Door::Hub(_) => Ok(()),
            },
        }
    }
}

/// What one worker, or all of them, saw.
struct Seen {
    times: Histogram<u64>,
    failures: u64,
    first_failure: Option<String>,
}

impl Seen {
    fn new() -> Result<Self, BenchError> {
        let times = Histogram::new_with_bounds(1, LONGEST, 3);
        let times = times.map_err(|error| BenchError::Setup(error.to_string()))?;
        Ok(Self {
            times,
            failures: 0,
            first_failure: None,
        })
    }

    fn success(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(LONGEST);
        self.times.saturating_record(nanos);
    }

    fn failure(&mut self, error: &BenchError) {
        self.failures += 1;
        if self.first_failure.is_none() {
            let cause = std::error::Error::source(error);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            self.first_failure = Some(format!("{error}{cause}"));
        }
    }

    fn add(&mut self, other: Self) -> Result<(), BenchError> {
        let added = self.times.add(&other.times);
        added.map_err(|error| BenchError::Setup(error.to_string()))?;
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        Ok(())
    }

    fn figures(self, took: Duration) -> Figures {
        let at = |quantile| Duration::from_nanos(self.times.value_at_quantile(quantile));
        Figures {
            calls: self.times.len(),
            failures: self.failures,
            took,
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: Duration::from_nanos(self.times.max()),
            first_failure: self.first_failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(pace: Pace) -> Plan {
        Plan {
            connections: 2,
            duration: Duration::from_secs(10),
            pace,
        }
    }

    /// How many calls one of two workers makes when each takes `takes`, and the longest seen.
    async fn check(pace: Pace, takes: Duration) -> (u64, Duration) {
        let mut schedule = Schedule::of(plan(pace), 0, Instant::now());
        let mut seen = Seen::new().unwrap();
        while let Some(due) = schedule.due().await {
            tokio::time::sleep(takes).await;
            seen.success(due.elapsed());
        }
        let figures = seen.figures(Duration::from_secs(10));
        (figures.calls, figures.max)
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_waits_for_its_answers() {
        let (calls, max) = check(Pace::Closed, Duration::from_millis(100)).await;
        assert_eq!(calls, 100);
        assert!(max < Duration::from_millis(110));
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_loop_counts_the_time_a_call_was_due() {
        let pace = Pace::Open { per_second: 20 };
        let (calls, max) = check(pace, Duration::from_millis(10)).await;
        assert_eq!(calls, 100);
        assert!(max < Duration::from_millis(20));
        // Ten a second for one worker, and each takes 200 ms: it falls behind by half.
        let (calls, max) = check(pace, Duration::from_millis(200)).await;
        assert!((50..=51).contains(&calls), "{calls}");
        assert!(
            max > Duration::from_secs(4),
            "the backlog is part of the time: {max:?}"
        );
    }

    #[tokio::test]
    async fn an_impossible_plan_is_refused() {
        let door = Arc::new(Door::Hub(
            super::super::HubDoor::echo("127.0.0.1:1", "k").unwrap(),
        ));
        let mut none = plan(Pace::Closed);
        none.connections = 0;
        assert!(matches!(load(&door, none).await, Err(BenchError::Setup(_))));
        let never = plan(Pace::Open { per_second: 0 });
        assert!(matches!(
            load(&door, never).await,
            Err(BenchError::Setup(_))
        ));
        assert!(matches!(
            load(&door, plan(Pace::Closed)).await,
            Err(BenchError::Connect(_))
        ));
    }
}
