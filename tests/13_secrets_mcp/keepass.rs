//! Real `KeePass` files, made here: KDBX 4 by the library's writer, KDBX 3.1 by one of our own.

use crate::kdbx;
use crate::running::{ALL, Secrets, with};
use keepass::config::{DatabaseConfig, KdfConfig};
use keepass::db::fields;
use keepass::{Database, DatabaseKey};
use serde_json::json;
use shared::error::Code;
use tempfile::TempDir;

const GET: &str = "secrets.keepass.getEntry";
const PASSWORD: &str = "master of all";

/// A database whose key costs little to derive.
fn fourth(password: &str, keyfile: Option<&[u8]>) -> Vec<u8> {
    let mut config = DatabaseConfig::default();
    if let KdfConfig::Argon2 {
        iterations, memory, ..
    } = &mut config.kdf_config
    {
        (*iterations, *memory) = (1, 64 * 1024);
    }
    let mut database = Database::with_config(config);
    let mut root = database.root_mut();
    let mut web = root.add_group();
    web.name = "Web".into();
    for (title, password) in [("Mail", "s3cret & <more>"), ("Twice", "a"), ("Twice", "b")] {
        let mut entry = web.add_entry();
        entry.set_unprotected(fields::TITLE, title);
        entry.set_unprotected(fields::USERNAME, "anna");
        entry.set_protected(fields::PASSWORD, password);
        entry.set_protected("API Key", "custom value");
    }
    let mut key = DatabaseKey::new().with_password(password);
    if let Some(mut keyfile) = keyfile {
        key = key.with_keyfile(&mut keyfile).unwrap();
    }
    let mut file = Vec::new();
    database.save(&mut file, key).unwrap();
    file
}

async fn over(file: &[u8], more: &[(&str, &str)]) -> (Secrets, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret-place.kdbx");
    std::fs::write(&path, file).unwrap();
    let path = path.display().to_string();
    let mut variables = vec![
        ("KEEPASS_DB_PATH", path.as_str()),
        ("KEEPASS_PASSWORD", PASSWORD),
    ];
    variables.extend_from_slice(more);
    (with(ALL, &variables).await, folder)
}

/// Acceptance: 57, 56
#[tokio::test]
async fn a_kdbx4_file_gives_the_password_and_a_custom_field() {
    let (mut secrets, _folder) = over(&fourth(PASSWORD, None), &[]).await;
    for (arguments, value) in [
        (json!({"entryPath": "Web/Mail"}), "s3cret & <more>"),
        (
            json!({"entryPath": "Web/Mail", "field": "API Key"}),
            "custom value",
        ),
        (
            json!({"entryPath": "/Web/Mail", "field": "UserName"}),
            "anna",
        ),
    ] {
        let found = secrets.call(GET, arguments.clone()).await.unwrap();
        assert_eq!(found["value"], value, "{arguments}");
    }
    let named = json!({"secretName": "keepass-Web/Mail#username"});
    let found = secrets.call("secrets.getSecret", named).await.unwrap();
    assert_eq!(
        (&found["value"], &found["backend"]),
        (&json!("anna"), &json!("keepass"))
    );
    for (arguments, code) in [
        (json!({"entryPath": "Web/mail"}), Code::NotFound),
        (json!({"entryPath": "Mail"}), Code::NotFound),
        (
            json!({"entryPath": "Web/Mail", "field": "none"}),
            Code::NotFound,
        ),
        (json!({"entryPath": "Web/Twice"}), Code::Conflict),
        (json!({"entryPath": "Web/../Mail"}), Code::InvalidInput),
    ] {
        let error = secrets.call(GET, arguments.clone()).await.unwrap_err();
        assert_eq!(error.code, code, "{arguments}");
    }
}

/// Acceptance: 57
#[tokio::test]
async fn a_wrong_master_password_is_told_without_path() {
    let (mut secrets, _folder) = over(&fourth("another", None), &[]).await;
    let error = secrets.call(GET, json!({"entryPath": "Web/Mail"})).await;
    let error = error.unwrap_err();
    assert_eq!(error.code, Code::ServiceUnavailable);
    assert!(
        error.message.contains("KEEPASS_PASSWORD_SECRET_PATH"),
        "{error}"
    );
    assert!(!error.message.contains("secret-place"), "{error}");
    assert_eq!(secrets.health("keepass").await.0, "degraded");
}

#[tokio::test]
async fn a_key_file_is_needed_where_the_database_says_so() {
    let keyfile = [7_u8; 32];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, keyfile).unwrap();
    let path = path.display().to_string();
    let file = fourth(PASSWORD, Some(&keyfile));
    let read = json!({"entryPath": "Web/Mail"});
    let (mut with_it, _one) = over(&file, &[("KEEPASS_KEYFILE_PATH", &path)]).await;
    assert!(with_it.call(GET, read.clone()).await.is_ok());
    let (mut without, _two) = over(&file, &[]).await;
    assert!(without.call(GET, read).await.is_err());
}

/// Acceptance: 57
#[tokio::test]
async fn a_kdbx3_file_is_read_too() {
    let entries: &[kdbx::Entry<'_>] = &[("Mail", &[("Password", "of the third"), ("PIN", "1234")])];
    let file = kdbx::database(PASSWORD, entries);
    let (mut secrets, _folder) = over(&file, &[]).await;
    let read = json!({"entryPath": "Web/Mail"});
    let found = secrets.call(GET, read.clone()).await.unwrap();
    assert_eq!(found["value"], "of the third");
    let pin = json!({"entryPath": "Web/Mail", "field": "PIN"});
    assert_eq!(secrets.call(GET, pin).await.unwrap()["value"], "1234");
    let (mut secrets, _other) = over(&kdbx::database("another", entries), &[]).await;
    let error = secrets.call(GET, read).await.unwrap_err();
    assert!(
        error.message.contains("KEEPASS_PASSWORD_SECRET_PATH"),
        "{error}"
    );
}

#[tokio::test]
async fn files_that_are_none_are_an_error_and_no_end() {
    let read = json!({"entryPath": "Web/Mail"});
    let good = fourth(PASSWORD, None);
    let cut = &good[..good.len() / 2];
    for file in [b"hello".as_slice(), b"", cut] {
        let (mut secrets, _folder) = over(file, &[]).await;
        let error = secrets.call(GET, read.clone()).await.unwrap_err();
        assert_eq!(error.code, Code::ServiceUnavailable, "{error}");
    }
    let away = [("KEEPASS_DB_PATH", "/no/such/file.kdbx")];
    let (mut secrets, _folder) = over(b"", &away).await;
    let error = secrets.call(GET, read).await.unwrap_err();
    assert_eq!(
        error.message,
        "the file named by KEEPASS_DB_PATH cannot be read"
    );
}
