//! Reads and writes beneath temporary roots.

mod escapes;

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

const SECRET: &str = "SECRET-OUTSIDE";

struct Fixture {
    _top: TempDir,
    top: PathBuf,
    files: Files,
}

impl Fixture {
    /// `top/in` may be read and written, `top/also` read; `top/out/secret.txt` neither.
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let top = directory.path().canonicalize().unwrap();
        for folder in ["in/sub", "also", "out", "inside-by-name-only"] {
            fs::create_dir_all(top.join(folder)).unwrap();
        }
        fs::write(top.join("in/a.txt"), "inside").unwrap();
        fs::write(top.join("in/sub/b.txt"), "below").unwrap();
        fs::write(top.join("also/c.txt"), "also").unwrap();
        fs::write(top.join("out/secret.txt"), SECRET).unwrap();
        fs::write(top.join("inside-by-name-only/secret.txt"), SECRET).unwrap();
        let read = Roots::new([top.join("in"), top.join("also")], "ALLOWED_READ_PATHS");
        let write = Roots::new([top.join("in")], "ALLOWED_WRITE_PATHS");
        Self {
            _top: directory,
            files: Files::new(Rules::new(read, write)),
            top,
        }
    }

    fn path(&self, below: &str) -> String {
        format!("{}/{below}", self.top.display())
    }

    fn read(&self, below: &str) -> Result<String, FilesError> {
        let contents = self.files.read(&self.path(below))?;
        Ok(String::from_utf8(contents.bytes).unwrap())
    }

    fn write(&self, below: &str, content: &[u8]) -> Result<Written, FilesError> {
        let now = "2026-11-20T12:34:56Z".parse().unwrap();
        self.files
            .write(&self.path(below), content, Writing::Replace, now)
    }
}

#[test]
fn files_beneath_a_root_are_read() {
    let fixture = Fixture::new();
    assert_eq!(fixture.read("in/a.txt").unwrap(), "inside");
    assert_eq!(fixture.read("in/sub/../a.txt").unwrap(), "inside");
    assert_eq!(fixture.read("out/../in//./sub/b.txt").unwrap(), "below");
    symlink(fixture.path("also/c.txt"), fixture.path("in/link.txt")).unwrap();
    assert_eq!(fixture.read("in/link.txt").unwrap(), "also");
    let contents = fixture.files.read(&fixture.path("in/link.txt")).unwrap();
    assert_eq!(contents.path, fixture.top.join("also/c.txt"));
}

#[test]
fn what_is_not_a_file_is_not_read() {
    let fixture = Fixture::new();
    assert!(matches!(fixture.read("in/sub"), Err(FilesError::Not(_))));
    let fifo = fixture.path("in/pipe.txt");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(matches!(
        fixture.read("in/pipe.txt"),
        Err(FilesError::Not(_))
    ));
    assert!(fixture.write("in/pipe.txt", b"x").is_err());
    assert!(matches!(
        fixture.read("in/absent.txt"),
        Err(FilesError::NotFound)
    ));
}

/// Acceptance: 353, 37
#[test]
fn a_write_leaves_the_old_bytes_beside_it() {
    let fixture = Fixture::new();
    fs::set_permissions(fixture.path("in/a.txt"), fs::Permissions::from_mode(0o640)).unwrap();
    let first = fixture.write("in/a.txt", b"one").unwrap();
    let second = fixture.write("in/a.txt", b"two").unwrap();
    let third = fixture.write("in/a.txt", b"three").unwrap();
    let names = [first, second, third].map(|written| {
        let backup = written.backup.unwrap();
        let name = backup.file_name().unwrap().to_str().unwrap().to_owned();
        let mode = fs::metadata(&backup).unwrap().permissions().mode() & 0o777;
        (name, fs::read_to_string(backup).unwrap(), mode)
    });
    let expected = [
        ("a.txt.BAK_20261120_123456", "inside"),
        ("a.txt.BAK_20261120_123456_2", "one"),
        ("a.txt.BAK_20261120_123456_3", "two"),
    ];
    assert_eq!(
        names,
        expected.map(|(name, old)| (name.to_owned(), old.to_owned(), 0o640))
    );
    assert_eq!(fixture.read("in/a.txt").unwrap(), "three");
    let mode = fs::metadata(fixture.path("in/a.txt"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    let left: Vec<_> = fs::read_dir(fixture.path("in"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(left.len(), 5, "no temporary file: {left:?}");
}

#[test]
fn a_write_can_be_taken_back() {
    let fixture = Fixture::new();
    let changed = fixture.write("in/a.txt", b"changed").unwrap();
    fixture.files.undo(&changed).unwrap();
    assert_eq!(fixture.read("in/a.txt").unwrap(), "inside");
    assert!(!fs::exists(changed.backup.unwrap()).unwrap());
    let new = fixture.write("in/new.txt", b"new").unwrap();
    fixture.files.undo(&new).unwrap();
    assert!(matches!(
        fixture.read("in/new.txt"),
        Err(FilesError::NotFound)
    ));
}

#[test]
fn the_end_of_a_long_file_is_read() {
    let fixture = Fixture::new();
    fs::write(fixture.path("in/log.txt"), "0123456789").unwrap();
    let end = |bytes| {
        let path = fixture.path("in/log.txt");
        String::from_utf8(fixture.files.read_end(&path, bytes).unwrap().bytes).unwrap()
    };
    assert_eq!((end(3).as_str(), end(100).as_str()), ("789", "0123456789"));
}

#[test]
fn a_new_file_has_no_backup_and_appending_keeps_what_was() {
    let fixture = Fixture::new();
    let written = fixture.write("in/new.md", b"# one\n").unwrap();
    assert_eq!((written.backup, written.size), (None, 6));
    assert_eq!(written.sha256, sha256(b"# one\n"));
    let path = fixture.path("in/new.md");
    let now = Timestamp::UNIX_EPOCH;
    let written = fixture
        .files
        .write(&path, b"two\n", Writing::Append, now)
        .unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "# one\ntwo\n");
    assert_eq!(fs::read(written.backup.unwrap()).unwrap(), b"# one\n");
}

/// Acceptance: 86
#[test]
fn one_byte_too_many_is_refused() {
    let fixture = Fixture::new();
    let mut bytes = vec![b'a'; usize::try_from(MAX_BYTES).unwrap()];
    assert!(fixture.write("in/big.txt", &bytes).is_ok());
    bytes.push(b'a');
    let refused = fixture.write("in/bigger.txt", &bytes);
    assert!(matches!(
        refused,
        Err(FilesError::TooLarge { limit: MAX_BYTES })
    ));
    assert!(!fs::exists(fixture.path("in/bigger.txt")).unwrap());
    let path = fixture.path("in/big.txt");
    let more = fixture
        .files
        .write(&path, b"a", Writing::Append, Timestamp::UNIX_EPOCH);
    assert!(matches!(more, Err(FilesError::TooLarge { .. })));
    fs::write(fixture.path("in/large.txt"), &bytes).unwrap();
    assert!(matches!(
        fixture.read("in/large.txt"),
        Err(FilesError::TooLarge { .. })
    ));
}

/// Acceptance: 87
#[test]
fn only_some_types_are_written() {
    let fixture = Fixture::new();
    for name in ["x.txt", "x.json", "x.yaml", "x.md", "x.TXT", "x.exe.txt"] {
        assert!(fixture.write(&format!("in/{name}"), b"x").is_ok(), "{name}");
    }
    for name in [
        "x.exe",
        "x",
        ".txt",
        "x.txt.exe",
        "x.txt ",
        "x.txt.",
        "x.sh",
        "x.yml",
    ] {
        let refused = fixture.write(&format!("in/{name}"), b"x");
        assert!(
            matches!(refused, Err(FilesError::Type { .. })),
            "{name}: {refused:?}"
        );
    }
    assert!(matches!(
        fixture.write("in/x\n.txt", b"x"),
        Err(FilesError::Path(_))
    ));
}

#[test]
fn a_write_outside_or_through_a_link_is_refused() {
    let fixture = Fixture::new();
    for below in [
        "also/c.txt",
        "out/secret.txt",
        "in/../out/secret.txt",
        "in/none/x.txt",
    ] {
        assert!(fixture.write(below, b"x").is_err(), "{below}");
    }
    symlink("a.txt", fixture.path("in/link.txt")).unwrap();
    assert!(matches!(
        fixture.write("in/link.txt", b"x"),
        Err(FilesError::Not(_))
    ));
    assert_eq!(fixture.read("in/a.txt").unwrap(), "inside");
}

#[test]
fn a_listing_is_sorted_bounded_and_follows_no_link() {
    let fixture = Fixture::new();
    symlink("../out", fixture.path("in/zlink")).unwrap();
    let list = |recursive, max| {
        let listing = fixture
            .files
            .list(&fixture.path("in"), recursive, max)
            .unwrap();
        let names: Vec<_> = listing
            .entries
            .iter()
            .map(|entry| format!("{} {}", entry.name, entry.kind.as_str()))
            .collect();
        (names.join(","), listing.truncated)
    };
    assert_eq!(
        list(false, 10),
        ("a.txt file,sub dir,zlink symlink".into(), false)
    );
    assert_eq!(
        list(true, 10),
        ("a.txt file,sub dir,b.txt file,zlink symlink".into(), false)
    );
    assert_eq!(list(true, 2), ("a.txt file,sub dir".into(), true));
    assert!(matches!(
        fixture.files.list(&fixture.path("in/a.txt"), false, 1),
        Err(FilesError::Not(_))
    ));
    assert!(
        fixture
            .files
            .list(&fixture.path("in/zlink"), false, 1)
            .is_err()
    );
}

#[test]
fn paths_of_another_machine_are_judged_by_name() {
    let roots = Roots::parse("/etc:/var/log::relative", "ALLOWED_READ_PATHS");
    assert_eq!(roots.directories().len(), 2);
    for good in ["/etc", "/etc/hosts", "/var/log/syslog"] {
        assert!(roots.hold_by_name(good), "{good}");
    }
    for bad in [
        "/etcx",
        "/etc/../root",
        "etc/hosts",
        "/var",
        "/",
        "/etc/./hosts",
        "",
    ] {
        assert!(!roots.hold_by_name(bad), "{bad}");
    }
}
