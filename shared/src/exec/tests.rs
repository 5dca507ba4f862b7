//! Runs of real programs: output, limits, and that nothing is left.

use super::*;
use crate::tasks::Tasks;
use std::time::Duration;

fn executor() -> Executor {
    Executor::new(SearchPath::system(), Tasks::new()).unwrap()
}

fn sh(script: &str) -> Run {
    Run::new("sh", ["-c", script])
}

/// Whether a process has this text among its arguments.
fn lives(text: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| {
            String::from_utf8_lossy(&line)
                .split('\0')
                .any(|word| word == text)
        })
}

async fn until(mut holds: impl FnMut() -> bool) -> bool {
    for _ in 0..500 {
        if holds() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn a_program_gets_its_arguments_as_they_are() {
    let run = Run::new("printf", ["%s|", "a b", "$(id)", "*", ";", "'"]);
    let finished = executor().run(run).await.unwrap();
    assert_eq!(finished.stdout.text(), "a b|$(id)|*|;|'|");
    assert_eq!(finished.ended, Ended::Exited(0));
    assert_eq!(finished.survivors, 0);
}

#[tokio::test]
async fn the_environment_is_cleared() {
    let finished = executor().run(Run::new("env", [""; 0])).await.unwrap();
    let text = finished.stdout.text();
    let mut names: Vec<_> = text
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "PATH", "TERM"]);
}

#[tokio::test]
async fn the_walls_stand() {
    let script =
        "grep NoNewPrivs /proc/self/status; ulimit -c; ulimit -n; ps -o sid= -p $$; echo $$";
    let finished = executor().run(sh(script)).await.unwrap();
    let text = finished.stdout.text();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    assert_eq!(lines.first(), Some(&"NoNewPrivs:\t1"));
    assert_eq!(lines.get(1..3), Some(["0", "256"].as_slice()));
    assert_eq!(lines.get(3), lines.get(4), "a session of its own: {text}");
}

#[tokio::test]
async fn input_is_given_and_closed() {
    let mut run = Run::new("cat", [""; 0]);
    run.input = b"hello".to_vec();
    assert_eq!(executor().run(run).await.unwrap().stdout.text(), "hello");
    let run = Run::new("cat", [""; 0]);
    assert_eq!(executor().run(run).await.unwrap().stdout.text(), "");
}

#[tokio::test]
async fn both_outputs_are_read_and_capped() {
    let mut run = sh("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; echo é");
    run.output_limit = 1000;
    let finished = executor().run(run).await.unwrap();
    assert_eq!(finished.stdout.bytes.len(), 1000);
    assert_eq!(finished.stdout.total, 300_003);
    assert_eq!(finished.stderr.total, 300_000);
    assert!(finished.stdout.truncated());
}

#[test]
fn text_is_cut_between_characters() {
    let cut = |bytes: &[u8], total| {
        let bytes = bytes.to_vec();
        Captured { bytes, total }.text()
    };
    assert_eq!(cut(b"a\xc3", 3), "a");
    assert_eq!(cut(b"a\xc3", 2), "a\u{fffd}");
    assert_eq!(cut(b"\xff\xc3", 3), "\u{fffd}\u{fffd}");
}

#[tokio::test]
async fn exit_code_and_signal_are_told() {
    let executor = executor();
    let failed = executor.run(sh("exit 3")).await.unwrap();
    assert_eq!((failed.ended, failed.exit_code()), (Ended::Exited(3), 3));
    let killed = executor.run(sh("kill -KILL $$")).await.unwrap();
    assert_eq!(
        (killed.ended, killed.exit_code()),
        (Ended::Signalled(9), 137)
    );
}

/// Acceptance: 35
#[tokio::test]
async fn a_time_limit_ends_the_run_and_all_it_started() {
    let run = Run::new("sleep", ["31501"]).timeout(Duration::from_secs(1));
    let finished = executor().run(run).await.unwrap();
    assert_eq!(finished.ended, Ended::TimedOut);
    assert!(
        finished.duration < Duration::from_secs(2),
        "{:?}",
        finished.duration
    );
    assert_eq!(finished.survivors, 0);
    assert!(!lives("31501"));
}

#[tokio::test]
async fn a_daemon_that_left_its_session_is_ended_too() {
    let script =
        "setsid sh -c 'trap \"\" TERM; (setsid sleep 31502 &) ; sleep 31502' >/dev/null 2>&1 &
                  setsid setsid sleep 31502 >/dev/null 2>&1 < /dev/null &
                  trap '' TERM; sleep 31502 & wait; wait; sleep 31502";
    let run = sh(script).timeout(Duration::from_secs(1));
    let finished = executor().run(run).await.unwrap();
    assert_eq!(finished.survivors, 0);
    assert!(!lives("31502"));
}

#[tokio::test]
async fn nothing_is_left_after_a_normal_end_either() {
    let script = "setsid sleep 31503 >/dev/null 2>&1 < /dev/null & sleep 31503 & echo done";
    let finished = executor().run(sh(script)).await.unwrap();
    assert_eq!(
        (finished.ended, finished.stdout.text().as_str()),
        (Ended::Exited(0), "done\n")
    );
    assert!(!lives("31503"));
}

#[tokio::test]
async fn runs_do_not_end_each_other() {
    let executor = executor();
    let long = tokio::time::timeout(
        Duration::from_secs(20),
        executor.run(sh("sleep 2 & wait; echo survived")),
    );
    let short = async {
        for _ in 0..10 {
            executor.run(sh("sleep 0.05 & true")).await.unwrap();
        }
    };
    let (long, ()) = tokio::join!(long, short);
    assert_eq!(long.unwrap().unwrap().stdout.text(), "survived\n");
}

#[tokio::test]
async fn a_caller_who_goes_away_ends_the_run() {
    let executor = executor();
    let run = sh("setsid sleep 31504 >/dev/null 2>&1 & sleep 31504");
    {
        let running = executor.run(run);
        tokio::pin!(running);
        tokio::select! {
            _ = &mut running => panic!("ended by itself"),
            started = until(|| lives("31504")) => assert!(started),
        }
    }
    assert!(until(|| !lives("31504")).await);
}

#[tokio::test]
async fn stopping_the_process_ends_its_runs() {
    let tasks = Tasks::new();
    let executor = Executor::new(SearchPath::system(), tasks.clone()).unwrap();
    let running = executor.run(Run::new("sleep", ["31505"]));
    let stopping = async {
        assert!(until(|| lives("31505")).await);
        assert!(tasks.shutdown(Duration::from_secs(10)).await.is_empty());
    };
    let (finished, ()) = tokio::join!(running, stopping);
    assert_eq!(finished.unwrap().ended, Ended::Stopped);
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_before_it_starts() {
    let executor = executor();
    let refuse = async |run: Run| executor.run(run).await.unwrap_err();
    let no = [""; 0];
    assert!(matches!(
        refuse(Run::new("/bin/ls", no)).await,
        ExecError::Name(_)
    ));
    assert!(matches!(
        refuse(Run::new("no-such-program", no)).await,
        ExecError::NotFound(_)
    ));
    assert!(matches!(
        refuse(Run::new("ls", ["a\0b"])).await,
        ExecError::Arguments(_)
    ));
    assert!(matches!(
        refuse(Run::new("ls", ["x"; 257])).await,
        ExecError::Arguments(_)
    ));
    let long = Run::new("ls", no).timeout(Duration::from_secs(301));
    assert!(matches!(refuse(long).await, ExecError::Timeout));
    let nowhere = Run::new("ls", no).directory("/no/such/place");
    assert!(matches!(refuse(nowhere).await, ExecError::Directory(_)));
}
