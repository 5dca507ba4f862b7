//! What a process has used, as Linux tells it.

use std::time::Duration;

/// Ticks a second in `/proc/<pid>/stat`; fixed by the kernel's interface on every platform we build for.
const TICKS: u32 = 100;

/// Processor time and memory of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time since it started, all threads, in steps of 10 ms.
    pub cpu: Duration,
    /// Memory in RAM now, in bytes.
    pub resident: u64,
    /// The most it ever had there.
    pub peak: u64,
}

impl Usage {
    /// Usage of a process; `None` when it is gone or this is no Linux.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        Some(Self {
            cpu: cpu(&stat)?,
            resident: kilobytes(&status, "VmRSS:")?,
            peak: kilobytes(&status, "VmHWM:")?,
        })
    }

    /// Processor time since `earlier`.
    #[must_use]
    pub const fn cpu_since(&self, earlier: &Self) -> Duration {
        self.cpu.saturating_sub(earlier.cpu)
    }
}

/// User and system time. The command's name may hold spaces and parentheses, so the fields are counted
/// from the last parenthesis.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let ticks = u32::try_from(user + system).ok()?;
    Some(Duration::from_secs(1) / TICKS * ticks)
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let count: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(count * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 0";
        assert_eq!(cpu(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu("7"), None);
        let status = "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t 1024 kB\n";
        assert_eq!(kilobytes(status, "VmHWM:"), Some(2 * 1024 * 1024));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        let own = Usage::of(std::process::id()).unwrap();
        assert!(own.resident > 0 && own.peak >= own.resident);
        assert_eq!(Usage::of(u32::MAX), None);
    }
}
