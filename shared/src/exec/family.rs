//! The processes of one run, found and ended however they were started.
//!
//! A process group is not enough: a child that calls `setsid` leaves it, and one whose parent died
//! has another parent. So a run is marked with something a process inherits, cannot raise, and has no
//! reason to change: its limit of file locks, a number the kernel stopped looking at long ago. A
//! process belongs to the family when its limit is the mark, or when it descends from one that does.
//! (A program that lowers that limit of its own accord, and only for its orphans, would hide them;
//! the container it runs in is the wall for that.)
//!
//! Signals go through a pidfd whose process was looked at again after it was opened, so a number that
//! was given to another process meanwhile is not hit.

use rustix::process::{
    Pid, PidfdFlags, Resource, Signal, WaitOptions, getrlimit, kill_process_group, pidfd_open,
    pidfd_send_signal, waitpid,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rounds of killing before giving up, 20 ms apart.
const ROUNDS: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);
/// Scans in which new processes may turn up before those known are killed.
const FREEZES: usize = 10;
/// Large enough that two runs never have the same.
const MARKS: std::ops::Range<u64> = 1 << 40..1 << 48;

/// What the processes of one run have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Mark {
    pub(super) fn random() -> Self {
        let drawn = rand::random_range(MARKS);
        // Under a finite limit of our own a larger one cannot be set.
        match getrlimit(Resource::Locks).maximum {
            Some(maximum) => Self(drawn % maximum.max(1)),
            None => Self(drawn),
        }
    }

    /// As an argument of `prlimit`.
    pub(super) fn argument(self) -> String {
        format!("--locks={}", self.0)
    }
}

/// The processes of one run. Dropped before [`Family::end`], it kills what it finds once.
#[derive(Debug)]
pub(super) struct Family {
    first: Option<Pid>,
    mark: Mark,
    ended: bool,
}

impl Family {
    pub(super) fn of(first: Option<u32>, mark: Mark) -> Self {
        let first = first.and_then(|id| i32::try_from(id).ok());
        Self {
            first: first.and_then(Pid::from_raw),
            mark,
            ended: false,
        }
    }

    /// Asks the first process and its group to end. Call only while the first was not waited for.
    pub(super) fn ask(&self) {
        if let Some(first) = self.first
            && let Err(error) = kill_process_group(first, Signal::TERM)
        {
            tracing::debug!(event = "exec_ask_failed", %error, "a group could not be signalled");
        }
    }

    /// Ends every process; returns how many are left (0 unless the kernel holds one back).
    pub(super) async fn end(mut self) -> usize {
        let (first, mark) = (self.first, self.mark);
        let mut left = 0;
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            left = tokio::task::spawn_blocking(move || sweep(first, mark))
                .await
                .unwrap_or(usize::MAX);
            if left == 0 {
                break;
            }
        }
        self.ended = true;
        left
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if !self.ended {
            sweep(self.first, self.mark);
        }
    }
}

/// One round: stop all, so that none starts more, then kill all. Returns how many were alive.
fn sweep(first: Option<Pid>, mark: Mark) -> usize {
    let mut known = BTreeSet::new();
    for _ in 0..FREEZES {
        let members = members(first, mark);
        let fresh: Vec<_> = members.difference(&known).copied().collect();
        if fresh.is_empty() {
            break;
        }
        for process in fresh {
            signal(process, Signal::STOP);
            known.insert(process);
        }
    }
    for process in &known {
        signal(*process, Signal::KILL);
    }
    known.len()
}

/// A process: its number, and when it started in clock ticks since boot, which tells it from a later
/// one of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    id: i32,
    started: u64,
}

fn signal(process: Process, signal: Signal) {
    let Some(pid) = Pid::from_raw(process.id) else {
        return;
    };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if Entry::read(process.id).is_some_and(|entry| entry.process == process)
        && let Err(error) = pidfd_send_signal(handle, signal)
    {
        tracing::debug!(event = "exec_signal_failed", %error, "a process could not be signalled");
    }
}

/// Every living member of the family, the first process excepted once it is dead.
fn members(first: Option<Pid>, mark: Mark) -> BTreeSet<Process> {
    let Ok(listing) = std::fs::read_dir("/proc") else {
        return BTreeSet::new();
    };
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    let first = first.map(|pid| pid.as_raw_nonzero().get());
    let mut alive = BTreeMap::new();
    for name in listing.flatten().map(|entry| entry.file_name()) {
        let id = name.to_str().and_then(|name| name.parse().ok());
        let Some(entry) = id.and_then(Entry::read) else {
            continue;
        };
        if !entry.dead {
            alive.insert(entry.process.id, entry);
        } else if entry.parent == me
            && Some(entry.process.id) != first
            && mark.is_on(entry.process.id)
        {
            reap(entry.process.id);
        }
    }
    let mut found: BTreeSet<i32> = alive
        .keys()
        .copied()
        .filter(|id| Some(*id) == first || mark.is_on(*id))
        .filter(|id| *id != me)
        .collect();
    // Parents before children is not given, so go on until nothing is added.
    loop {
        let before = found.len();
        let children = alive.values().filter(|entry| found.contains(&entry.parent));
        let children: Vec<_> = children.map(|entry| entry.process.id).collect();
        found.extend(children);
        if found.len() == before {
            break;
        }
    }
    let members = found.iter().filter_map(|id| alive.get(id));
    members.map(|entry| entry.process).collect()
}

/// A dead orphan that fell to this process, which is the first of its container.
fn reap(id: i32) {
    if let Some(pid) = Pid::from_raw(id)
        && let Err(error) = waitpid(Some(pid), WaitOptions::NOHANG)
    {
        tracing::debug!(event = "exec_reap_failed", %error, "a dead process was not ours");
    }
}

impl Mark {
    fn is_on(self, id: i32) -> bool {
        let Ok(limits) = std::fs::read_to_string(format!("/proc/{id}/limits")) else {
            return false;
        };
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max file locks"));
        let hard = line.and_then(|line| line.split_whitespace().nth(4));
        hard.and_then(|text| text.parse().ok()) == Some(self.0)
    }
}

/// A line of the process table.
#[derive(Debug)]
struct Entry {
    process: Process,
    parent: i32,
    /// Ended, not yet waited for.
    dead: bool,
}

impl Entry {
    fn read(id: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name, in brackets, may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        Some(Self {
            process: Process { id, started },
            parent,
            dead: matches!(state, "Z" | "X"),
        })
    }
}
