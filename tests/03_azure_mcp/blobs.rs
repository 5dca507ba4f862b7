//! Blobs against Azurite.

use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::Effect;
use tests::azure::Azure;
use tests::azurite::{ACCOUNT, Azurite};
use tests::rig::Rig;

const LIST: &str = "cloud.azure.storage.listBlobs";
const DOWNLOAD: &str = "cloud.azure.storage.downloadBlob";
const UPLOAD: &str = "cloud.azure.storage.uploadBlob";
const DELETE: &str = "cloud.azure.storage.deleteBlob";

struct Ground {
    _stub: Azure,
    azurite: Azurite,
    files: tempfile::TempDir,
    azure: Rig,
}

impl Ground {
    async fn start() -> Self {
        let (stub, azurite) = (Azure::start().await, Azurite::start().await);
        let files = tempfile::tempdir().unwrap();
        let mut settings = stub.settings(&azurite.url());
        let folder = files.path().display().to_string();
        settings.push(("ALLOWED_READ_PATHS", folder.clone()));
        settings.push(("ALLOWED_WRITE_PATHS", folder));
        let azure = crate::with(&settings).await;
        Self {
            _stub: stub,
            azurite,
            files,
            azure,
        }
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    async fn upload(&mut self, from: &str, name: &str, overwrite: bool) -> Result<Value, Code> {
        let arguments = json!({"accountName": ACCOUNT, "containerName": "docs",
            "sourcePath": self.path(from), "destinationBlobName": name, "overwrite": overwrite,
            "contentType": "text/plain"});
        let done = self.azure.approved(UPLOAD, arguments, Effect::Mutate).await;
        done.map_err(|error| error.code)
    }
}

fn blob(name: &str) -> Value {
    json!({"accountName": ACCOUNT, "containerName": "docs", "blobName": name})
}

#[tokio::test]
async fn a_file_goes_up_is_listed_comes_down_and_is_deleted() {
    let mut ground = Ground::start().await;
    std::fs::write(ground.path("a.txt"), "hello").unwrap();
    let large: Vec<u8> = (0..9_000_000u32).map(|n| n.to_le_bytes()[1]).collect();
    std::fs::write(ground.path("large.txt"), &large).unwrap();
    let up = ground.upload("a.txt", "x/ä b&c?.txt", false).await.unwrap();
    assert_eq!(up["size_bytes"], 5);
    assert_eq!(
        ground.upload("a.txt", "x/ä b&c?.txt", false).await,
        Err(Code::AlreadyExists)
    );
    ground.upload("a.txt", "x/ä b&c?.txt", true).await.unwrap();
    let up = ground.upload("large.txt", "large", false).await.unwrap();
    assert_eq!(up["size_bytes"], 9_000_000);
    let page = |cursor: &Value| json!({"accountName": ACCOUNT, "containerName": "docs", "limit": 1, "cursor": cursor});
    let mut first = page(&Value::Null);
    first.as_object_mut().unwrap().remove("cursor");
    let first = ground.azure.call(LIST, first).await.unwrap();
    assert_eq!(first["blobs"][0]["name"], "large");
    let second = ground
        .azure
        .call(LIST, page(&first["next_cursor"]))
        .await
        .unwrap();
    assert_eq!(second["blobs"][0]["name"], "x/ä b&c?.txt");
    assert_eq!(second["blobs"][0]["content_type"], "text/plain");
    assert_eq!(second["next_cursor"], Value::Null);
    let mut arguments = blob("large");
    arguments["destinationPath"] = json!(ground.path("a.txt"));
    let down = ground.azure.call(DOWNLOAD, arguments).await.unwrap();
    assert_eq!(std::fs::read(ground.path("a.txt")).unwrap(), large);
    assert_eq!(down["sha256"], shared::files::sha256(&large));
    let backup = std::fs::read(down["backup_path"].as_str().unwrap()).unwrap();
    assert_eq!(backup, b"hello");
    let deleted = ground
        .azure
        .approved(DELETE, blob("large"), Effect::Critical);
    assert_eq!(deleted.await.unwrap()["deleted"], true);
    let again = ground
        .azure
        .approved(DELETE, blob("large"), Effect::Critical);
    assert_eq!(again.await.unwrap_err().code, Code::NotReady);
}

#[tokio::test]
async fn a_leased_blob_is_kept() {
    let mut ground = Ground::start().await;
    std::fs::write(ground.path("a.txt"), "hello").unwrap();
    ground.upload("a.txt", "a", false).await.unwrap();
    let lease = [
        ("x-ms-lease-action", "acquire"),
        ("x-ms-lease-duration", "-1"),
    ];
    ground.azurite.put("docs/a?comp=lease", "", &lease).await;
    let kept = ground.azure.approved(DELETE, blob("a"), Effect::Critical);
    let kept = kept.await.unwrap_err();
    assert_eq!(kept.code, Code::NotReady);
    assert!(kept.details.unwrap().to_string().contains("no_lease"));
}

#[tokio::test]
async fn files_and_names_outside_their_places_are_refused() {
    let mut ground = Ground::start().await;
    for (name, path, code) in [
        ("a", "/etc/x.txt".to_owned(), Code::PolicyViolation),
        ("a", ground.path("x.sh"), Code::PolicyViolation),
        ("a/../b", ground.path("x.txt"), Code::InvalidInput),
        ("missing", ground.path("x.txt"), Code::NotFound),
    ] {
        let mut arguments = blob(name);
        arguments["destinationPath"] = json!(path);
        let error = ground.azure.call(DOWNLOAD, arguments).await.unwrap_err();
        assert_eq!(error.code, code, "{name} {path}: {error}");
    }
    let arguments = json!({"accountName": "evil.example/", "containerName": "docs"});
    let error = ground.azure.call(LIST, arguments).await.unwrap_err();
    assert_eq!(error.code, Code::InvalidInput);
}
