//! Files of a host.

use crate::windows::usual;
use serde_json::{Value, json};
use shared::error::Code;

const READ: &str = "os.windows.fs.readFile";
const WRITE: &str = "os.windows.fs.writeFile";

/// Acceptance: 65
#[tokio::test]
async fn files_are_read_listed_and_looked_for() {
    let mut windows = usual().await;
    let found = windows.answer(READ, json!({"path": "c:/Logs/a.txt"})).await;
    assert_eq!(
        (&found["path"], &found["content"]),
        (&json!("C:\\Logs\\a.txt"), &json!("one\r\ntwo\r\n"))
    );
    let binary = json!({"path": "C:\\Logs\\b.bin"});
    let error = windows.call(READ, binary).await.unwrap_err();
    assert_eq!(error.details.unwrap()["field"], "encoding");
    let binary = json!({"path": "C:\\Logs\\b.bin", "encoding": "base64"});
    assert_eq!(windows.answer(READ, binary).await["content"], "AP8B");
    let list = "os.windows.fs.listDirectory";
    let found = windows.answer(list, json!({"path": "C:\\Logs"})).await;
    assert_eq!(
        (&found["count"], &found["entries"][0]["name"]),
        (&json!(2), &json!("a.txt"))
    );
    let test = "os.windows.fs.testPath";
    for (path, exists, kind) in [
        ("C:\\Logs", true, json!("dir")),
        ("C:\\Logs\\a.txt", true, json!("file")),
        ("C:\\Logs\\absent", false, Value::Null),
    ] {
        let found = windows.answer(test, json!({"path": path})).await;
        assert_eq!(
            (&found["exists"], &found["type"]),
            (&json!(exists), &kind),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_lies_outside_is_refused_however_it_is_spelled() {
    let mut windows = usual().await;
    for (path, code) in [
        ("C:\\Windows\\win.ini", Code::PolicyViolation),
        ("C:\\Logs\\..\\Windows\\win.ini", Code::InvalidInput),
        ("C:\\Logs\\a.txt:stream", Code::InvalidInput),
        ("\\\\server\\share\\a.txt", Code::InvalidInput),
        ("a.txt", Code::InvalidInput),
    ] {
        let error = windows.call(READ, json!({"path": path})).await.unwrap_err();
        assert_eq!(error.code, code, "{path}: {error}");
    }
    assert!(windows.host.record().is_empty(), "nobody was asked");
    for (path, code) in [
        ("C:\\Logs\\link\\a.txt", Code::PolicyViolation),
        ("C:\\Logs\\denied.txt", Code::PolicyViolation),
        ("C:\\Logs\\absent.txt", Code::NotFound),
        ("C:\\Logs", Code::InvalidInput),
    ] {
        let error = windows.call(READ, json!({"path": path})).await.unwrap_err();
        assert_eq!(
            (error.code, error.did_not_run),
            (code, true),
            "{path}: {error}"
        );
    }
}

/// Acceptance: 65, 86, 87, 353
#[tokio::test]
async fn a_write_keeps_the_old_bytes_and_to_its_limits() {
    let mut windows = usual().await;
    let path = "C:\\Logs\\a.txt";
    let arguments =
        |content: &str, append: bool| json!({"path": path, "content": content, "append": append});
    let error = windows
        .call(WRITE, arguments("x", false))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired);
    let large = "é".repeat(200_000);
    let written = windows
        .approved(WRITE, arguments(&large, false))
        .await
        .unwrap();
    assert_eq!(written["bytes_written"], 400_000);
    let written = windows.approved(WRITE, arguments("!", true)).await.unwrap();
    let backup = written["backup_path"].as_str().unwrap().to_owned();
    assert!(backup.starts_with("C:\\Logs\\a.txt.BAK_20"), "{backup}");
    let kept = windows.answer(READ, json!({"path": backup})).await;
    assert_eq!(kept["content"], large);
    let now = windows.answer(READ, json!({"path": path})).await;
    assert_eq!(now["content"], format!("{large}!"));
    let too_large = "x".repeat(10_000_001);
    for (path, content, code) in [
        ("C:\\Windows\\x.txt", "x", Code::PolicyViolation),
        ("C:\\Logs\\x.exe", "x", Code::PolicyViolation),
        ("C:\\Logs\\x.txt", too_large.as_str(), Code::PayloadTooLarge),
        ("C:\\Logs\\none\\x.txt", "x", Code::NotFound),
    ] {
        let arguments = json!({"path": path, "content": content});
        let error = windows.approved(WRITE, arguments).await.unwrap_err();
        assert_eq!(error.code, code, "{path}: {error}");
    }
    for name in ["x.txt", "x.json", "x.yaml", "x.md"] {
        let arguments = json!({"path": format!("C:\\Logs\\{name}"), "content": ""});
        windows.approved(WRITE, arguments).await.unwrap();
    }
}
