//! Ways out of the allowed roots: by name, by link, by race.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ways that name something outside, below the fixture's top.
const FORMS: [&str; 37] = [
    "out/secret.txt",
    "in/../out/secret.txt",
    "in/sub/../../out/secret.txt",
    "in/./../out/secret.txt",
    "in//..//out//secret.txt",
    "in/../in/../out/secret.txt",
    "in/relative.txt",
    "in/absolute.txt",
    "in/folder/secret.txt",
    "in/chain.txt",
    "in/./folder/./secret.txt",
    "in/sub/../folder/secret.txt",
    "in/folder/../out/secret.txt",
    "in/loop.txt",
    "inside-by-name-only/secret.txt",
    "in/../inside-by-name-only/secret.txt",
    "in.txt",
    "in/..",
    "in/../",
    "out",
    "out/",
    "in/folder",
    "in/folder/",
    "in/top",
    "in/a.txt/../../out/secret.txt",
    "IN/a.txt",
    "in /a.txt",
    "in\u{200b}/a.txt",
    "in/%2e%2e/out/secret.txt",
    "in/..%2fout/secret.txt",
    "in/..\\out\\secret.txt",
    "in/\u{ff0e}\u{ff0e}/out/secret.txt",
    "in/.../out/secret.txt",
    "in/~/secret.txt",
    "in/$HOME/secret.txt",
    "in/a.txt\0/../../out/secret.txt",
    "in/top/etc/hostname",
];

/// Acceptance: 36
#[test]
fn fifty_forms_of_a_path_do_not_lead_out() {
    let fixture = Fixture::new();
    let top = fixture.top.display().to_string();
    symlink("../out/secret.txt", fixture.path("in/relative.txt")).unwrap();
    symlink(
        fixture.path("out/secret.txt"),
        fixture.path("in/absolute.txt"),
    )
    .unwrap();
    symlink("../out", fixture.path("in/folder")).unwrap();
    symlink("folder/secret.txt", fixture.path("in/chain.txt")).unwrap();
    symlink("/", fixture.path("in/top")).unwrap();
    symlink("/proc/self/root", fixture.path("in/proc")).unwrap();
    symlink("loop.txt", fixture.path("in/loop.txt")).unwrap();
    let mut forms: Vec<String> = FORMS.iter().map(|form| format!("{top}/{form}")).collect();
    forms.extend([
        format!("{top}/in/top{top}/out/secret.txt"),
        format!("{top}/in/proc{top}/out/secret.txt"),
        format!("/proc/self/root{top}/out/secret.txt"),
        format!("/proc/self/cwd/../../../../../..{top}/out/secret.txt"),
        format!("//{top}/out/secret.txt"),
        format!("file://{top}/in/a.txt"),
        "in/a.txt".into(),
        "./in/a.txt".into(),
        "../out/secret.txt".into(),
        "~/a.txt".into(),
        String::new(),
        "/".into(),
        "//".into(),
        ".".into(),
        "/etc/shadow".into(),
        "/proc/self/environ".into(),
        "/dev/zero".into(),
        format!("/{}", "a/".repeat(3000)),
    ]);
    assert!(forms.len() >= 50, "{}", forms.len());
    for form in forms {
        let read = fixture.files.read(&form);
        assert!(read.is_err(), "{form:?} gave {read:?}");
        let write = fixture
            .files
            .write(&form, b"x", Writing::Replace, Timestamp::UNIX_EPOCH);
        let written = write.is_ok_and(|written| !written.path.starts_with(fixture.top.join("in")));
        assert!(!written, "{form:?} was written");
    }
    assert_eq!(
        fs::read_to_string(fixture.path("out/secret.txt")).unwrap(),
        SECRET
    );
    assert_eq!(fs::read_dir(fixture.path("out")).unwrap().count(), 1);
}

/// Acceptance: 36
#[test]
fn a_directory_swapped_for_a_link_does_not_lead_out() {
    let fixture = Fixture::new();
    fs::write(fixture.path("out/b.txt"), SECRET).unwrap();
    let [sub, aside] = ["in/sub", "in/aside"].map(|name| fixture.path(name));
    symlink("../out", &aside).unwrap();
    let done = AtomicBool::new(false);
    let mut good = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, &sub, rustix::fs::CWD, &aside, exchange)
                    .unwrap();
            }
        });
        for _ in 0..20_000 {
            match fixture.read("in/sub/b.txt") {
                Ok(text) => {
                    assert_eq!(text, "below");
                    good += 1;
                }
                Err(error) => assert!(!matches!(error, FilesError::Io(_)), "{error:?}"),
            }
        }
        for _ in 0..50 {
            drop(fixture.write("in/sub/w.txt", b"x"));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(good > 0, "the race never let a good read through");
    assert!(!fs::exists(fixture.path("out/w.txt")).unwrap());
}
