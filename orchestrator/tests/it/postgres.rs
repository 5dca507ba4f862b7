//! A PostgreSQL for tests: the one named by `WAYGATE_TEST_POSTGRES_URL`, else a private cluster under
//! a temporary folder, which ends with the test.
#![expect(
    clippy::disallowed_methods,
    reason = "starts a server for tests; `shared::exec` is for what tools run"
)]

use orchestrator::store::DatabaseUrl;
use shared::config::Environment;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A schema of its own on a running server.
pub(crate) struct Postgres {
    url: String,
    server: Server,
}

enum Server {
    Ours(Cluster),
    /// Somebody else's, on which this schema is ours.
    Named {
        address: String,
        schema: String,
    },
}

struct Cluster {
    programs: PathBuf,
    data: tempfile::TempDir,
}

impl Postgres {
    /// Starts or finds a server.
    ///
    /// # Panics
    /// When there is none; the message says what to install or to set.
    pub(crate) fn start() -> Self {
        if let Some((_, url)) = Environment::of_process().find("WAYGATE_TEST_POSTGRES_URL") {
            return Self::on(url);
        }
        let Some(programs) = installed() else {
            panic!(
                "this test needs PostgreSQL: install the package `postgresql`, or set \
                 WAYGATE_TEST_POSTGRES_URL to a database in which schemas may be made"
            );
        };
        let data = tempfile::tempdir().unwrap();
        let cluster = Cluster { programs, data };
        let port = cluster.start();
        Self {
            url: format!("postgres://app:app@127.0.0.1:{port}/postgres"),
            server: Server::Ours(cluster),
        }
    }

    fn on(address: &str) -> Self {
        let schema = format!("waygate_test_{}", uuid::Uuid::now_v7().simple());
        psql(address, &format!("CREATE SCHEMA {schema}"));
        let joint = if address.contains('?') { '&' } else { '?' };
        Self {
            url: format!("{address}{joint}options[search_path]={schema}"),
            server: Server::Named {
                address: address.to_owned(),
                schema,
            },
        }
    }

    /// Its address.
    pub(crate) fn url(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&self.url).unwrap()
    }

    /// Stops the server at once, as a failing machine would. Only for a private cluster.
    pub(crate) fn crash_and_restart(&self) {
        let Server::Ours(cluster) = &self.server else {
            return;
        };
        let port = self
            .url
            .rsplit_once(':')
            .unwrap()
            .1
            .split('/')
            .next()
            .unwrap();
        cluster.control(&["-m", "immediate", "stop"]);
        cluster.run_on(port);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        match &self.server {
            Server::Ours(cluster) => {
                let stopped = cluster.try_control(&["-m", "immediate", "stop"]);
                if !stopped.status.success() && !std::thread::panicking() {
                    panic!("pg_ctl stop: {}", String::from_utf8_lossy(&stopped.stderr));
                }
            }
            Server::Named { address, schema } if !std::thread::panicking() => {
                psql(address, &format!("DROP SCHEMA {schema} CASCADE"));
            }
            // Left for whoever looks into the failure.
            Server::Named { .. } => {}
        }
    }
}

impl Cluster {
    fn start(&self) -> String {
        let folder = self.data.path();
        let password = folder.join("password");
        std::fs::write(&password, "app\n").unwrap();
        if is_root() {
            let owned = Command::new("chown")
                .arg("-R")
                .arg("postgres")
                .arg(folder)
                .output();
            expect_success("chown", &owned.unwrap());
        }
        let made = self
            .program("initdb")
            .arg("-D")
            .arg(self.database())
            .args([
                "-A",
                "scram-sha-256",
                "-U",
                "app",
                "--no-sync",
                "-E",
                "UTF8",
            ])
            .arg(format!("--pwfile={}", password.display()))
            .output();
        expect_success("initdb", &made.unwrap());
        // The port is free when it is chosen; somebody may take it before the server does.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            if self.try_run_on(&port.to_string()).status.success() {
                return port.to_string();
            }
        }
        panic!("PostgreSQL did not start: {}", self.log());
    }

    fn run_on(&self, port: &str) {
        let started = self.try_run_on(port);
        assert!(
            started.status.success(),
            "PostgreSQL did not start: {}",
            self.log()
        );
    }

    fn try_run_on(&self, port: &str) -> Output {
        let folder = self.data.path().display();
        let options = format!("-c listen_addresses=127.0.0.1 -p {port} -k {folder}");
        let log = self.data.path().join("log").display().to_string();
        self.try_control(&["-w", "-l", &log, "-o", &options, "start"])
    }

    fn control(&self, arguments: &[&str]) {
        expect_success("pg_ctl", &self.try_control(arguments));
    }

    fn try_control(&self, arguments: &[&str]) -> Output {
        let database = self.database();
        self.program("pg_ctl")
            .arg("-D")
            .arg(database)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// PostgreSQL refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        // Inherited output would keep the caller's pipes open as long as the server runs.
        command
            .current_dir(self.data.path())
            .env("LC_ALL", "C.UTF-8");
        command
    }

    fn database(&self) -> PathBuf {
        self.data.path().join("data")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default()
    }
}

fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut folders: Vec<PathBuf> = versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    folders.sort();
    folders.pop()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).unwrap().uid() == 0
}

fn psql(address: &str, sql: &str) {
    let done = Command::new("psql")
        .args([address, "-v", "ON_ERROR_STOP=1", "-c", sql])
        .output()
        .expect("psql is needed to make a schema for the test");
    expect_success("psql", &done);
}

fn expect_success(what: &str, output: &Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {stderr}");
}
