//! Buckets and objects against an emulator of Cloud Storage, behind a door that knows the documents.

use crate::with;
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::Effect;
use tempfile::TempDir;
use tests::google::{BUCKET, Google};
use tests::rig::Rig;

const LIST: &str = "cloud.gcloud.storage.listBucketObjects";
const UPLOAD: &str = "cloud.gcloud.storage.uploadObject";
const DOWNLOAD: &str = "cloud.gcloud.storage.downloadObject";
const DELETE: &str = "cloud.gcloud.storage.deleteObject";

struct Place {
    google: Rig,
    stub: Google,
    files: TempDir,
}

impl Place {
    async fn start() -> Self {
        let stub = Google::start().await;
        let files = tempfile::tempdir().unwrap();
        let mut settings = stub.settings();
        for name in ["ALLOWED_READ_PATHS", "ALLOWED_WRITE_PATHS"] {
            settings.push((name, files.path().display().to_string()));
        }
        let google = with(&settings).await;
        Self {
            google,
            stub,
            files,
        }
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    fn upload(&self, file: &str, content: &str, object: &str) -> Value {
        std::fs::write(self.path(file), content).unwrap();
        json!({
            "bucketName": BUCKET, "sourcePath": self.path(file), "destinationObjectName": object,
            "contentType": "text/plain",
        })
    }
}

#[tokio::test]
async fn objects_go_up_are_listed_come_down_and_are_deleted() {
    let mut place = Place::start().await;
    let buckets = place
        .google
        .call("cloud.gcloud.storage.listBuckets", json!({}));
    let buckets = buckets.await.unwrap();
    assert_eq!(buckets["buckets"][0]["name"], BUCKET, "{buckets}");
    let name = "reports/2026 Q4 100%.txt";
    let arguments = place.upload("a.txt", "one two", name);
    let up = place
        .google
        .approved(UPLOAD, arguments.clone(), Effect::Mutate);
    let up = up.await.unwrap();
    assert_eq!((&up["name"], &up["size_bytes"]), (&json!(name), &json!(7)));
    let arguments = json!({"bucketName": BUCKET, "prefix": "reports/"});
    let listed = place.google.call(LIST, arguments).await.unwrap();
    assert_eq!(listed["objects"][0]["name"], name, "{listed}");
    assert_eq!(listed["objects"][0]["content_type"], "text/plain");
    std::fs::write(place.path("b.txt"), "before").unwrap();
    let arguments = json!({
        "bucketName": BUCKET, "objectName": name, "destinationPath": place.path("b.txt"),
    });
    let down = place.google.call(DOWNLOAD, arguments).await.unwrap();
    assert_eq!(down["size_bytes"], 7, "{down}");
    assert_eq!(
        std::fs::read_to_string(place.path("b.txt")).unwrap(),
        "one two"
    );
    let backup = down["backup_path"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(backup).unwrap(), "before");
    let arguments = json!({"bucketName": BUCKET, "objectName": name});
    let gone = place
        .google
        .approved(DELETE, arguments.clone(), Effect::Critical);
    assert_eq!(gone.await.unwrap()["deleted"], true);
    let again = place.google.approved(DELETE, arguments, Effect::Critical);
    assert_eq!(again.await.unwrap_err().code, Code::NotReady);
}

#[tokio::test]
async fn what_is_kept_there_or_not_allowed_here_is_not_touched() {
    let mut place = Place::start().await;
    let object = json!({"name": "a", "bucket": BUCKET, "size": "3", "generation": "1",
        "updated": "2026-11-01T00:00:00Z", "temporaryHold": true});
    // The emulator knows no holds: the first answer to the readiness check is one.
    place.stub.refuse_next(200, object);
    let arguments = json!({"bucketName": BUCKET, "objectName": "a"});
    let held = place.google.approved(DELETE, arguments, Effect::Critical);
    let held = held.await.unwrap_err();
    assert_eq!(held.code, Code::NotReady);
    let seen = place.stub.seen();
    assert!(seen.iter().all(|line| line.starts_with("GET ")), "{seen:?}");
    let asked = seen.len();
    let outside = json!({
        "bucketName": BUCKET, "objectName": "a", "destinationPath": "/etc/waygate-test.txt",
    });
    let outside = place.google.call(DOWNLOAD, outside).await.unwrap_err();
    assert_eq!(outside.code, Code::PolicyViolation, "{outside}");
    assert_eq!(place.stub.seen().len(), asked);
}

#[tokio::test]
async fn an_object_that_is_there_is_kept_unless_told_otherwise() {
    let mut place = Place::start().await;
    let arguments = place.upload("a.txt", "one", "a.txt");
    let first = place
        .google
        .approved(UPLOAD, arguments.clone(), Effect::Mutate);
    first.await.unwrap();
    let seen = place.stub.seen();
    let posted = seen.iter().find(|line| line.starts_with("POST ")).unwrap();
    assert!(posted.contains("ifGenerationMatch=0"), "{posted}");
    place.stub.refuse_next(
        412,
        json!({"error": {"code": 412, "message": "conditionNotMet"}}),
    );
    let second = place
        .google
        .approved(UPLOAD, arguments, Effect::Mutate)
        .await;
    assert_eq!(second.unwrap_err().code, Code::AlreadyExists);
    let mut arguments = place.upload("a.txt", "three", "a.txt");
    arguments["overwrite"] = json!(true);
    let third = place
        .google
        .approved(UPLOAD, arguments, Effect::Mutate)
        .await;
    assert_eq!(third.unwrap()["size_bytes"], 5);
}
