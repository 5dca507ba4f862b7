//! Whether a host may be rebooted now. Source: `catalogue.md` 5.

use super::Place;
use shared::command::shown;
use shared::tool::{Check, ToolError};
use std::collections::BTreeSet;

/// A host that was just started may still be working on it.
const MIN_UPTIME: u64 = 600;
/// Files on which package managers hold a lock while they work.
const LOCK_FILES: [&str; 6] = [
    "/var/lib/dpkg/lock",
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/apt/lists/lock",
    "/var/lib/rpm/.rpm.lock",
    "/lib/apk/db/lock",
    "/var/cache/apt/archives/lock",
];
/// Files that exist only while a package manager works.
const PRESENCE_FILES: [&str; 2] = ["/var/lib/pacman/db.lck", "/run/zypp.pid"];

/// Looks at everything; a check that cannot be made does not hold.
pub(super) async fn checks(place: &Place<'_>) -> Vec<Check> {
    let uptime = place.read("/proc/uptime").await;
    let mut checks = vec![reachable(&uptime)];
    checks.push(outcome("system state", state(place).await));
    checks.push(outcome("package manager", packages(place).await));
    checks.push(changes(place));
    checks.push(outcome("uptime", uptime.map(|text| long_up(&text))));
    checks.push(users(place).await);
    checks
}

/// Whether something holds, and what was seen.
type Seen = (bool, String);

fn outcome(name: &str, seen: Result<Seen, ToolError>) -> Check {
    let (ok, detail) = seen.unwrap_or_else(|error| (false, error.message));
    check(name, ok, detail)
}

fn check(name: &str, ok: bool, detail: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        ok,
        detail: detail.into(),
    }
}

fn reachable(answer: &Result<String, ToolError>) -> Check {
    match answer {
        Ok(_) => check("host reachable", true, "it answers"),
        Err(error) => check("host reachable", false, error.message.clone()),
    }
}

async fn state(place: &Place<'_>) -> Result<Seen, ToolError> {
    let words = ["systemctl", "is-system-running"].map(str::to_owned);
    let said = place.run(words.to_vec()).await?.stdout.text();
    let state = shown(said.trim());
    Ok((matches!(state.as_str(), "running" | "degraded"), state))
}

async fn packages(place: &Place<'_>) -> Result<Seen, ToolError> {
    let locks = place.read("/proc/locks").await?;
    let files = |names: &[&str]| {
        let words = ["stat", "-c", "%i %n", "--"].iter().chain(names);
        words.map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    // Files that are not there make it fail, but it names the others.
    let lockable = place.run(files(&LOCK_FILES)).await?.stdout.text();
    let present = place.run(files(&PRESENCE_FILES)).await?.stdout.text();
    let held = held(&locks, &lockable).or_else(|| first_name(&present));
    Ok(match held {
        Some(file) => (false, format!("a package manager holds {file}")),
        None => (true, "no package manager works".to_owned()),
    })
}

/// The first file (`inode name` a line) on which there is a lock in the kernel's table.
fn held(locks: &str, files: &str) -> Option<String> {
    // `1: POSIX  ADVISORY  WRITE 123 08:01:456 0 EOF`; one that waits has `->` behind the number.
    let inode = |word: &str| match word.split(':').collect::<Vec<_>>().as_slice() {
        [_, _, inode] => Some((*inode).to_owned()),
        _ => None,
    };
    let locked: BTreeSet<String> = locks.split_whitespace().filter_map(inode).collect();
    let mut files = files.lines().filter_map(|line| line.split_once(' '));
    let found = files.find(|(inode, _)| locked.contains(*inode));
    found.map(|(_, name)| name.to_owned())
}

fn first_name(files: &str) -> Option<String> {
    let line = files.lines().next()?;
    line.split_once(' ').map(|(_, name)| name.to_owned())
}

fn changes(place: &Place<'_>) -> Check {
    let detail = match place.host().changes.in_progress() {
        0 => return check("other changes", true, "none in progress"),
        count => format!("{count} in progress"),
    };
    check("other changes", false, detail)
}

fn long_up(text: &str) -> Seen {
    let whole = text.split(['.', ' ']).next().unwrap_or_default();
    match whole.parse::<u64>() {
        Ok(seconds) => (seconds > MIN_UPTIME, format!("up for {seconds} s")),
        Err(_) => (false, "unknown".to_owned()),
    }
}

/// Listed for the person who approves; nobody being there is no condition.
async fn users(place: &Place<'_>) -> Check {
    let words = vec!["who".to_owned()];
    let detail = match place.run(words).await {
        Ok(finished) => {
            let text = finished.stdout.text();
            let lines: Vec<_> = text.lines().map(shown).collect();
            match lines.as_slice() {
                [] => "nobody".to_owned(),
                lines => lines.join("; "),
            }
        }
        Err(error) => format!("unknown: {}", error.message),
    };
    check("logged-in users", true, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_found_by_its_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 123 08:01:456 0 EOF\n2: FLOCK  ADVISORY  WRITE 1 00:1a:77 0 EOF\n2: -> FLOCK ADVISORY WRITE 2 00:1a:77 0 EOF\n";
        let files = "9 /var/lib/dpkg/lock\n456 /var/lib/dpkg/lock-frontend\n";
        assert_eq!(
            held(locks, files).as_deref(),
            Some("/var/lib/dpkg/lock-frontend")
        );
        assert_eq!(held(locks, "4 /a\n"), None);
        assert_eq!(held("", files), None);
    }

    #[test]
    fn ten_minutes_must_have_passed() {
        assert_eq!(long_up("600.5 1.0\n"), (false, "up for 600 s".into()));
        assert_eq!(long_up("601.00 1.0\n"), (true, "up for 601 s".into()));
        assert!(!long_up("").0);
    }
}
