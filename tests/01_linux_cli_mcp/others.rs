//! Ceph, the mail queue and the SFTP users, through programs that play their part.

use crate::running::{among, with};
use serde_json::json;
use shared::error::Code;
use tests::programs::Programs;

#[tokio::test]
async fn ceph_is_asked_for_json() {
    let programs = Programs::new().with(
        "ceph",
        r#"case "$*" in
"status --format json") echo '{"health":{"status":"HEALTH_WARN"},"osdmap":{"num_osds":3}}' ;;
"osd tree --format json") echo '{"nodes":[{"id":-1,"type":"root"},{"id":0,"type":"osd"}],"stray":[]}' ;;
*) echo "unexpected: $*" >&2; exit 22 ;;
esac"#,
    );
    let mut linux = among(&programs, &[]).await;
    let status = linux
        .call("os.linux.ceph.getStatus", json!({}))
        .await
        .unwrap();
    assert_eq!(status["health"], "HEALTH_WARN");
    assert_eq!(status["status"]["osdmap"]["num_osds"], 3);
    let tree = linux
        .call("os.linux.ceph.getOSDTree", json!({}))
        .await
        .unwrap();
    assert_eq!(
        (&tree["count"], &tree["nodes"][1]["type"]),
        (&json!(2), &json!("osd"))
    );
    assert_eq!(tree["stray"], json!([]));
}

#[tokio::test]
async fn a_cluster_that_fails_or_is_not_there_is_told() {
    let programs = Programs::new().with("ceph", "echo 'no monitors' >&2; exit 1");
    let mut linux = among(&programs, &[]).await;
    let error = linux
        .call("os.linux.ceph.getStatus", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::BadGateway);
    assert_eq!(error.message, "ceph failed with exit code 1: no monitors");
    let programs = Programs::new().with("ceph", "echo plain text");
    let mut linux = among(&programs, &[]).await;
    let error = linux
        .call("os.linux.ceph.getOSDTree", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.message, "ceph did not answer in JSON");
}

#[tokio::test]
async fn the_queues_of_both_mail_servers_are_read() {
    let postfix = Programs::new().with(
        "postqueue",
        r#"[ "$*" = "-j" ] && echo '{"queue_name":"deferred","queue_id":"A1","arrival_time":1700000000,"message_size":9,"sender":"a@x","recipients":[{"address":"b@y","delay_reason":"no route"}]}'"#,
    );
    let mut linux = among(&postfix, &[]).await;
    let queue = linux
        .call("os.linux.mta.checkQueue", json!({}))
        .await
        .unwrap();
    assert_eq!(
        (&queue["mta"], &queue["queue_length"]),
        (&json!("postfix"), &json!(1))
    );
    assert_eq!(queue["messages"][0]["reason"], "no route");
}

#[tokio::test]
async fn members_of_the_group_are_listed() {
    let programs = Programs::new().with(
        "getent",
        r#"case "$*" in
"group sftpusers") echo "sftpusers:x:50:ann" ;;
"passwd") printf 'root:x:0:0::/root:/bin/sh\nzoe:x:7:50::/h/zoe:/bin/false\nann:x:8:8::/h/ann:/bin/sh\n' ;;
*) exit 2 ;;
esac"#,
    );
    let mut linux = among(&programs, &[]).await;
    let found = linux
        .call("os.linux.sftp.listUsers", json!({}))
        .await
        .unwrap();
    assert_eq!(found["group"], "sftpusers");
    assert_eq!(
        found["users"],
        json!([
            {"name": "ann", "uid": 8, "home": "/h/ann", "shell": "/bin/sh"},
            {"name": "zoe", "uid": 7, "home": "/h/zoe", "shell": "/bin/false"},
        ])
    );
    let mut linux = with(&[("SFTP_GROUP", "no-such-group")]).await;
    let error = linux
        .call("os.linux.sftp.listUsers", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotFound);
}
