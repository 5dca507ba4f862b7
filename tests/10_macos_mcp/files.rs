//! Files over SFTP.

use crate::mac::{self, backups};
use serde_json::{Value, json};
use shared::error::Code;
use std::os::unix::fs::{PermissionsExt, symlink};

const READ: &str = "os.macos.cli.readFile";
const LIST: &str = "os.macos.cli.listDirectory";
const WRITE: &str = "os.macos.cli.writeFile";

/// Acceptance: 65
#[tokio::test]
async fn a_file_is_read_as_text_or_as_bytes() {
    let mut mac = mac::with(&[]).await;
    let long = "é".repeat(100_000);
    std::fs::write(mac.work("a.txt"), &long).unwrap();
    std::fs::write(mac.work("b.bin"), [0, 255, 1]).unwrap();
    let found = mac.answer(READ, json!({"path": mac.text("a.txt")})).await;
    assert_eq!(found["content"], long);
    assert_eq!(
        (&found["size_bytes"], &found["truncated"]),
        (&json!(200_000), &json!(false))
    );
    let path = mac.text("b.bin");
    let error = mac.call(READ, json!({"path": path})).await.unwrap_err();
    assert_eq!(error.details.unwrap()["field"], "encoding");
    let found = mac
        .answer(READ, json!({"path": path, "encoding": "base64"}))
        .await;
    assert_eq!(found["content"], "AP8B");
}

#[tokio::test]
async fn what_lies_outside_is_refused_however_it_is_reached() {
    let mut mac = mac::with(&[]).await;
    std::fs::write(mac.outside("secret.txt"), "secret").unwrap();
    std::fs::write(mac.work("in.txt"), "in").unwrap();
    symlink(mac.outside("secret.txt"), mac.work("out")).unwrap();
    symlink(mac.work("in.txt"), mac.work("link")).unwrap();
    let outside = mac.outside("secret.txt").display().to_string();
    for (path, code) in [
        (outside.clone(), Code::PolicyViolation),
        (mac.text("../secret.txt"), Code::PolicyViolation),
        (mac.text("out"), Code::PolicyViolation),
        (
            mac.outside("absent").display().to_string(),
            Code::PolicyViolation,
        ),
        (mac.text("absent"), Code::NotFound),
        (mac.text(""), Code::InvalidInput),
        ("relative".into(), Code::InvalidInput),
        (format!("{outside}\n"), Code::InvalidInput),
    ] {
        let error = mac.call(READ, json!({"path": path})).await.unwrap_err();
        assert_eq!(error.code, code, "{path}: {error}");
        assert!(!error.message.contains("secret"), "{error}");
    }
    let found = mac.answer(READ, json!({"path": mac.text("link")})).await;
    assert_eq!(
        (&found["content"], &found["path"]),
        (&json!("in"), &json!(mac.text("in.txt")))
    );
}

#[tokio::test]
async fn a_root_that_is_a_link_allows_what_it_leads_to() {
    let mut first = mac::with(&[]).await;
    let link = first.outside("tmp");
    symlink(first.work(""), &link).unwrap();
    let root = link.display().to_string();
    std::fs::write(first.work("a.txt"), "a").unwrap();
    let mut mac = mac::with(&[("ALLOWED_READ_PATHS", &root)]).await;
    let found = mac
        .answer(READ, json!({"path": format!("{root}/a.txt")}))
        .await;
    assert_eq!(found["path"], first.text("a.txt"));
    assert_eq!(
        first.answer(LIST, json!({"path": first.text("")})).await["count"],
        1
    );
}

#[tokio::test]
async fn a_folder_is_listed_in_the_order_of_names() {
    let mut mac = mac::with(&[]).await;
    std::fs::write(mac.work("b.txt"), "12345").unwrap();
    std::fs::create_dir(mac.work("a")).unwrap();
    symlink("/etc/passwd", mac.work("c")).unwrap();
    let found = mac.answer(LIST, json!({"path": mac.text("")})).await;
    let seen: Vec<(&Value, &Value)> = found["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (&entry["name"], &entry["type"]))
        .collect();
    let wanted =
        [("a", "dir"), ("b.txt", "file"), ("c", "symlink")].map(|(a, b)| (json!(a), json!(b)));
    assert_eq!(seen, wanted.each_ref().map(|(a, b)| (a, b)));
    let file = &found["entries"][1];
    assert_eq!(
        (&file["size_bytes"], &file["mode"]),
        (&json!(5), &json!("0644"))
    );
    assert_eq!(
        (&found["count"], &found["truncated"]),
        (&json!(3), &json!(false))
    );
    let error = mac.call(LIST, json!({"path": mac.text("b.txt")})).await;
    assert_eq!(error.unwrap_err().code, Code::InvalidInput);
}

/// Acceptance: 65, 353
#[tokio::test]
async fn a_write_keeps_the_old_bytes_and_mode() {
    let mut mac = mac::with(&[]).await;
    let path = mac.work("a.txt");
    let arguments =
        |content: &str, append: bool| json!({"path": path, "content": content, "append": append});
    let error = mac.call(WRITE, arguments("one", false)).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired);
    assert!(!path.exists());
    let written = mac.approved(WRITE, arguments("one", false)).await.unwrap();
    assert_eq!(
        (&written["backup_path"], &written["bytes_written"]),
        (&Value::Null, &json!(3))
    );
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    mac.approved(WRITE, arguments("two", false)).await.unwrap();
    let written = mac.approved(WRITE, arguments(" more", true)).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "two more");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let copies = backups(&path);
    let mut kept: Vec<_> = copies
        .iter()
        .map(|it| std::fs::read_to_string(it).unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["one", "two"]);
    let backup = written["backup_path"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(backup).unwrap(), "two");
    let names = std::fs::read_dir(mac.work("")).unwrap().count();
    assert_eq!(names, 3, "nothing else is left behind");
}

/// Acceptance: 86, 87
#[tokio::test]
async fn a_write_keeps_to_places_types_and_sizes() {
    let mut mac = mac::with(&[]).await;
    symlink(mac.outside("x.txt"), mac.work("link.txt")).unwrap();
    symlink(mac.outside(""), mac.work("folder")).unwrap();
    let large = "x".repeat(10_000_001);
    for (path, content, code) in [
        (mac.outside("x.txt"), "x", Code::PolicyViolation),
        (mac.work("folder/x.txt"), "x", Code::PolicyViolation),
        (mac.work("link.txt"), "x", Code::InvalidInput),
        (mac.work("x.exe"), "x", Code::PolicyViolation),
        (mac.work("absent/x.txt"), "x", Code::NotFound),
        (mac.work("x.txt"), large.as_str(), Code::PayloadTooLarge),
    ] {
        let arguments = json!({"path": path, "content": content});
        let error = mac.approved(WRITE, arguments).await.unwrap_err();
        assert_eq!(error.code, code, "{}: {error}", path.display());
    }
    assert!(!mac.outside("x.txt").exists() && !mac.work("x.txt").exists());
    for name in ["a.txt", "a.json", "a.yaml", "a.md"] {
        let arguments = json!({"path": mac.text(name), "content": "x"});
        mac.approved(WRITE, arguments).await.unwrap();
    }
}
