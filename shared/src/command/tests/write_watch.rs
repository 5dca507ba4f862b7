//! The rules against the programs themselves: what is taken for a read is run, and leaves no trace.

use super::*;
use crate::command::grammar::Type;
use crate::exec::{Executor, Run, SearchPath};
use crate::tasks::Tasks;
use futures::StreamExt;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// Values tried for a flag that takes text, until one fits its type.
const VALUES: [&str; 16] = [
    "1", "x", "name", "cmd", "pid", "size", "short", "user", "always", "json", "source", "0644",
    "f", "%n", "+pid", "running",
];
/// Runs at once.
const AT_ONCE: usize = 4;

/// What can be seen of a file from outside: contents, mode, and when it was last changed.
type Seen = (Vec<u8>, u32, i64, i64);

/// Everything below a folder.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut seen = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let about = path.symlink_metadata().unwrap();
            let contents = match about.is_dir() {
                true => Vec::new(),
                false => std::fs::read(&path).unwrap(),
            };
            if about.is_dir() {
                folders.push(path.clone());
            }
            let changed = (about.mtime(), about.mtime_nsec());
            seen.insert(path, (contents, about.mode(), changed.0, changed.1));
        }
    }
    seen
}

/// Every flag of a rule, with a value where it takes one.
fn flags(rule: &grammar::Rule, file: &str) -> Vec<Vec<String>> {
    let value = |kind: &Type| match kind {
        Type::Path => Some(file.to_owned()),
        Type::Text(pattern) => VALUES
            .into_iter()
            .find(|value| {
                pattern
                    .find(value)
                    .is_some_and(|hit| hit.len() == value.len())
            })
            .map(str::to_owned),
    };
    let bare = rule.bare.iter().map(|flag| vec![flag.clone()]);
    let valued = rule
        .valued
        .iter()
        .filter_map(|(flag, kind)| Some(vec![flag.clone(), value(kind)?]));
    let optional = rule
        .optional
        .iter()
        .filter_map(|(flag, kind)| Some(vec![format!("{flag}={}", value(kind)?)]));
    bare.chain(valued).chain(optional).collect()
}

/// Attack T3: a flag that writes among those of a rule that reads would be seen here.
#[tokio::test]
async fn what_is_taken_for_a_read_leaves_no_trace() {
    let inside = TempDir::new().unwrap();
    for name in ["a", "b", "x"] {
        std::fs::write(inside.path().join(name), "one\ntwo\n").unwrap();
    }
    let top = inside.path().to_str().unwrap();
    let file = format!("{top}/a");
    let policy = wide();
    let roots = Roots::new([inside.path()], "ALLOWED_READ_PATHS");
    let scene = Scene::Here {
        read: &roots,
        directory: inside.path(),
    };
    let tasks = Tasks::new();
    let executor = Executor::new(SearchPath::system(), tasks.clone()).unwrap();
    let rules = &*RULES;
    let mut runs: Vec<Vec<String>> = Vec::new();
    for line in rules.examples.iter().flat_map(|examples| &examples.reads) {
        let words = split(&line.replace("{in}", top)).unwrap();
        let Some(rule) = rules.read.get(&words[0]) else {
            continue;
        };
        if executor.find(&words[0]).is_err() {
            continue;
        }
        runs.extend(flags(rule, &file).into_iter().map(|flag| {
            let mut argv = words.clone();
            argv.splice(1..1, flag);
            argv
        }));
    }
    runs.retain(|argv| {
        let verdict = policy.judge(argv, &scene);
        verdict.is_ok_and(|verdict| verdict.effect == Effect::Read)
    });
    assert!(runs.len() > 300, "only {} lines to try", runs.len());
    let before = snapshot(inside.path());
    let executor = &executor;
    let ended: Vec<_> = futures::stream::iter(&runs)
        .map(|argv| async move {
            let run = Run::new(&argv[0], &argv[1..])
                .directory(top)
                .timeout(Duration::from_secs(5));
            executor.run(run).await
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let succeeded = ended.iter().flatten().filter(|run| run.succeeded()).count();
    assert!(succeeded > 200, "only {succeeded} of {} ran", runs.len());
    assert_eq!(snapshot(inside.path()), before);
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
}
