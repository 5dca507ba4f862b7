//! The three file tools.

use crate::running::{backups, with};
use proto::spoke::Effect;
use serde_json::json;
use shared::error::Code;
use std::os::unix::fs::symlink;

const READ: &str = "os.linux.cli.readFile";
const WRITE: &str = "os.linux.cli.writeFile";
const LIST: &str = "os.linux.cli.listDirectory";

#[tokio::test]
async fn a_file_is_read_as_text_or_base64() {
    let mut linux = with(&[]).await;
    std::fs::write(linux.work("a.txt"), "héllo").unwrap();
    std::fs::write(linux.work("b.bin"), [0xff, 0]).unwrap();
    let path = linux.text("a.txt");
    let text = linux.call(READ, json!({ "path": path })).await.unwrap();
    assert_eq!(
        (
            &text["path"],
            &text["content"],
            &text["encoding"],
            &text["size_bytes"]
        ),
        (&json!(path), &json!("héllo"), &json!("utf-8"), &json!(6))
    );
    assert_eq!(text["truncated"], false);
    assert!(text["modified_at"].as_str().unwrap().ends_with('Z'));
    let path = linux.text("b.bin");
    let error = linux.call(READ, json!({ "path": path })).await.unwrap_err();
    assert_eq!(error.details.unwrap()["field"], "encoding");
    let arguments = json!({"path": path, "encoding": "base64"});
    assert_eq!(
        linux.call(READ, arguments).await.unwrap()["content"],
        "/wA="
    );
}

/// Acceptance: 36
#[tokio::test]
async fn files_outside_the_allowed_folders_are_not_read() {
    let mut linux = with(&[]).await;
    let token = linux.outside("token").display().to_string();
    symlink(&token, linux.work("link.txt")).unwrap();
    symlink("..", linux.work("up")).unwrap();
    for path in [
        token,
        linux.text("../token"),
        linux.text("link.txt"),
        linux.text("up/token"),
        "/etc/shadow".into(),
        "/proc/self/environ".into(),
    ] {
        let error = linux.call(READ, json!({ "path": path })).await.unwrap_err();
        assert_eq!(error.code, Code::PolicyViolation, "{path}: {error}");
        assert!(error.message.contains("ALLOWED_READ_PATHS"), "{error}");
        assert!(
            !error.message.contains("token"),
            "no path in messages: {error}"
        );
    }
    let arguments = json!({"path": linux.text("up")});
    assert_eq!(
        linux.call(LIST, arguments).await.unwrap_err().code,
        Code::PolicyViolation
    );
}

/// Acceptance: 37, 353
#[tokio::test]
async fn a_write_needs_approval_and_keeps_the_old_bytes() {
    let mut linux = with(&[]).await;
    std::fs::write(linux.work("a.txt"), "old").unwrap();
    let write = |content: &str| json!({"path": linux.text("a.txt"), "content": content});
    let (first, second) = (write("new"), write("newer"));
    let error = linux.call(WRITE, first.clone()).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired);
    assert_eq!(std::fs::read_to_string(linux.work("a.txt")).unwrap(), "old");
    assert!(backups(&linux.work("a.txt")).is_empty());

    let assessment = linux.assess(WRITE, first.clone()).await;
    assert_eq!(assessment.effect(), Effect::Mutate);
    assert!(
        assessment.summary.contains("\nnew"),
        "{}",
        assessment.summary
    );

    let written = linux.approved(WRITE, first).await.unwrap();
    linux.approved(WRITE, second).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(linux.work("a.txt")).unwrap(),
        "newer"
    );
    let kept: Vec<_> = backups(&linux.work("a.txt"))
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(kept, ["old", "new"]);
    assert_eq!(written["bytes_written"], 3);
    let backup = written["backup_path"].as_str().unwrap();
    assert!(backup.starts_with(&linux.text("a.txt.BAK_20")), "{backup}");
    assert_eq!(written["sha256"], json!(shared::files::sha256(b"new")));
}

#[tokio::test]
async fn appending_keeps_what_was_there() {
    let mut linux = with(&[]).await;
    std::fs::write(linux.work("a.md"), "one\n").unwrap();
    let arguments = json!({"path": linux.text("a.md"), "content": "two\n", "append": true});
    let written = linux.approved(WRITE, arguments).await.unwrap();
    assert_eq!(written["bytes_written"], 4);
    assert_eq!(
        std::fs::read_to_string(linux.work("a.md")).unwrap(),
        "one\ntwo\n"
    );
}

/// Acceptance: 87
#[tokio::test]
async fn only_allowed_types_are_written() {
    let mut linux = with(&[]).await;
    for (name, accepted) in [
        ("a.txt", true),
        ("a.json", true),
        ("a.yaml", true),
        ("a.md", true),
        ("a.exe", false),
        ("a", false),
        ("a.sh", false),
    ] {
        let arguments = json!({"path": linux.text(name), "content": "x"});
        let result = linux.approved(WRITE, arguments).await;
        let code = result.as_ref().err().map(|error| error.code);
        let expected = (!accepted).then_some(Code::PolicyViolation);
        assert_eq!(code, expected, "{name}: {result:?}");
        assert_eq!(linux.work(name).exists(), accepted, "{name}");
    }
}

/// Acceptance: 86
#[tokio::test]
async fn ten_megabytes_and_a_byte_are_not_written() {
    let mut linux = with(&[]).await;
    let content = "x".repeat(10_000_001);
    let arguments = json!({"path": linux.text("big.txt"), "content": content});
    let error = linux.approved(WRITE, arguments).await.unwrap_err();
    assert_eq!(error.code, Code::PayloadTooLarge, "{error}");
    assert!(!linux.work("big.txt").exists());
}

#[tokio::test]
async fn a_folder_is_listed() {
    let mut linux = with(&[]).await;
    std::fs::write(linux.work("b.txt"), "12345").unwrap();
    std::fs::create_dir(linux.work("a")).unwrap();
    std::fs::write(linux.work("a/c.txt"), "").unwrap();
    symlink("/etc", linux.work("link")).unwrap();
    let arguments = json!({"path": linux.text(""), "recursive": true});
    let listing = linux.call(LIST, arguments).await.unwrap();
    let entries = listing["entries"].as_array().unwrap();
    let names: Vec<_> = entries
        .iter()
        .map(|entry| {
            format!(
                "{} {}",
                entry["name"].as_str().unwrap(),
                entry["type"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(names, ["a dir", "c.txt file", "b.txt file", "link symlink"]);
    assert_eq!(
        (&listing["count"], &listing["truncated"]),
        (&json!(4), &json!(false))
    );
    let file = &entries[2];
    assert_eq!(
        (&file["size_bytes"], &file["path"]),
        (&json!(5), &json!(linux.text("b.txt")))
    );
    assert_eq!(file["mode"].as_str().unwrap().len(), 4);
    assert!(!file["owner"].as_str().unwrap().is_empty());
    let arguments = json!({"path": linux.text(""), "max_entries": 1});
    assert_eq!(
        linux.call(LIST, arguments).await.unwrap()["truncated"],
        true
    );
}
