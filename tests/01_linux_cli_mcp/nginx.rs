//! The nginx tools against a real nginx with a configuration of its own.

use crate::running::{Linux, among, backups, until};
use serde_json::{Value, json};
use shared::error::Code;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tests::programs::Programs;

const NGINX: &str = "/usr/sbin/nginx";
const UPDATE: &str = "os.linux.nginx.updateSiteConfig";
/// Something a configuration may hold that opens no port.
const GOOD: &str = "map $host $found { default 204; }\n";

/// An nginx whose files are in one folder.
struct Web {
    folder: TempDir,
    programs: Programs,
}

impl Web {
    fn new() -> Self {
        assert!(
            Path::new(NGINX).exists(),
            "{NGINX} is missing; install the package nginx-light"
        );
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().display();
        for name in ["sites-available", "sites-enabled", "log"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let config = format!(
            "pid {top}/pid; error_log {top}/log/error.log; events {{}}\n\
             http {{ access_log off; client_body_temp_path {top}/b; proxy_temp_path {top}/p;\n\
             fastcgi_temp_path {top}/f; uwsgi_temp_path {top}/u; scgi_temp_path {top}/s;\n\
             include {top}/sites-enabled/*; }}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let script = format!("exec {NGINX} -c {top}/nginx.conf \"$@\"");
        let programs = Programs::new().with("nginx", &script);
        Self { folder, programs }
    }

    async fn spoke(&self) -> Linux {
        let path = |name: &str| self.path(name).display().to_string();
        let (sites, log) = (path("sites-available"), path("log"));
        among(
            &self.programs,
            &[("NGINX_SITES_DIR", &sites), ("NGINX_LOG_DIR", &log)],
        )
        .await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

fn site(content: &str) -> Value {
    json!({"site": "web.conf", "content": content})
}

#[tokio::test]
async fn the_configuration_is_tested() {
    let web = Web::new();
    let mut linux = web.spoke().await;
    let checked = linux
        .call("os.linux.nginx.checkConfig", json!({}))
        .await
        .unwrap();
    assert_eq!(checked["ok"], true, "{checked}");
    assert!(
        checked["output"]
            .as_str()
            .unwrap()
            .contains("test is successful")
    );
    std::fs::write(web.path("sites-enabled/bad"), "nonsense;").unwrap();
    let checked = linux
        .call("os.linux.nginx.checkConfig", json!({}))
        .await
        .unwrap();
    assert_eq!(checked["ok"], false);
    let error = linux
        .approved("os.linux.nginx.reloadConfig", json!({}))
        .await
        .unwrap_err();
    assert_eq!((error.code, error.did_not_run), (Code::Conflict, true));
    assert!(
        error.details.unwrap()["config_test"]
            .as_str()
            .unwrap()
            .contains("nonsense")
    );
}

/// Acceptance: 353
#[tokio::test]
async fn a_site_is_written_with_a_backup_and_enabled() {
    let web = Web::new();
    let mut linux = web.spoke().await;
    let error = linux.call(UPDATE, site(GOOD)).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired);
    let written = linux.approved(UPDATE, site(GOOD)).await.unwrap();
    assert_eq!(
        (&written["backup_path"], &written["reloaded"]),
        (&Value::Null, &json!(false))
    );
    assert!(
        written["config_test"]
            .as_str()
            .unwrap()
            .contains("test is successful")
    );
    assert_eq!(web.read("sites-enabled/web.conf"), GOOD);

    let newer = GOOD.replace("204", "205");
    linux.approved(UPDATE, site(&newer)).await.unwrap();
    assert_eq!(web.read("sites-available/web.conf"), newer);
    let [backup] = &backups(&web.path("sites-available/web.conf"))[..] else {
        panic!("one backup")
    };
    assert_eq!(std::fs::read_to_string(backup).unwrap(), GOOD);

    let mut disable = site(&newer);
    disable["enable"] = json!(false);
    linux.approved(UPDATE, disable).await.unwrap();
    assert!(!web.path("sites-enabled/web.conf").exists());
}

#[tokio::test]
async fn a_site_that_fails_the_test_is_taken_back() {
    let web = Web::new();
    let mut linux = web.spoke().await;
    let error = linux.approved(UPDATE, site("nonsense;")).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict, "{error}");
    assert!(
        error.details.unwrap()["config_test"]
            .as_str()
            .unwrap()
            .contains("nonsense")
    );
    for name in ["sites-available", "sites-enabled"] {
        assert_eq!(
            std::fs::read_dir(web.path(name)).unwrap().count(),
            0,
            "{name}"
        );
    }
    linux.approved(UPDATE, site(GOOD)).await.unwrap();
    linux.approved(UPDATE, site("nonsense;")).await.unwrap_err();
    assert_eq!(web.read("sites-enabled/web.conf"), GOOD);
    assert!(backups(&web.path("sites-available/web.conf")).is_empty());
}

#[tokio::test]
async fn a_running_server_loads_a_new_site() {
    let web = Web::new();
    let mut linux = web.spoke().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let _server = Server::start(&web);
    assert!(until(|| web.path("pid").exists()).await);
    let mut arguments = site(&format!(
        "server {{ listen 127.0.0.1:{port}; return 200 hello; }}\n"
    ));
    arguments["reload"] = json!(true);
    let written = linux.approved(UPDATE, arguments).await.unwrap();
    assert_eq!(written["reloaded"], true);
    let url = format!("http://127.0.0.1:{port}/");
    let mut said = String::new();
    for _ in 0..500 {
        if let Ok(response) = reqwest::get(&url).await {
            said = response.text().await.unwrap();
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(said, "hello");
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let web = Web::new();
    let mut linux = web.spoke().await;
    for name in ["", "../x", "a/b", ".hidden", "-x", "a b", "a.BAK_1", "a\n"] {
        let arguments = json!({"site": name, "content": GOOD});
        let error = linux.approved(UPDATE, arguments).await.unwrap_err();
        assert_eq!(error.details.unwrap()["field"], "site", "{name:?}");
    }
    let mut linux = among(&Programs::new(), &[]).await;
    let error = linux.approved(UPDATE, site(GOOD)).await.unwrap_err();
    assert_eq!(error.message, "not configured: set NGINX_SITES_DIR");
}

#[tokio::test]
async fn the_last_lines_of_a_log_are_shown() {
    let web = Web::new();
    let mut linux = web.spoke().await;
    let lines: Vec<_> = (0..100).map(|number| format!("line {number}")).collect();
    std::fs::write(web.path("log/access.log"), lines.join("\n")).unwrap();
    let tail = "os.linux.nginx.getAccessLogTail";
    let shown = linux.call(tail, json!({"lines": 2})).await.unwrap();
    assert_eq!(shown["lines"], json!(["line 98", "line 99"]));
    let shown = linux.call(tail, json!({})).await.unwrap();
    assert_eq!(shown["count"], 50);
    std::os::unix::fs::symlink("/etc/passwd", web.path("log/link.log")).unwrap();
    let error = linux
        .call(tail, json!({"log": "link.log"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::PolicyViolation);
}

/// A server in the foreground. It is asked to end, since its workers would outlive a killed one.
struct Server(Child);

impl Server {
    #[expect(clippy::disallowed_methods, reason = "a real peer of the test")]
    fn start(web: &Web) -> Self {
        let child = Command::new(NGINX)
            .arg("-c")
            .arg(web.path("nginx.conf"))
            .args(["-g", "daemon off; master_process on;"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Server {
    #[expect(clippy::disallowed_methods, reason = "a real peer of the test")]
    fn drop(&mut self) {
        let process = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &process]).status();
        if !asked.is_ok_and(|status| status.success()) {
            self.0.kill().ok();
        }
        self.0.wait().ok();
    }
}
