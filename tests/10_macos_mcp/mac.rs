//! A Mac: a real server for SSH and SFTP, with shims for the programs only a Mac has.

use serde_json::Value;
use shared::tool::{Effect, ToolError};
use spoke_10_macos_mcp::SERVICE;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tests::programs::Programs;
use tests::rig::Rig;
use tests::sshd::Sshd;

pub(crate) const HOST: &str = "127.0.0.1";

/// The spoke and the Mac it reaches; `work` on the Mac may be read and written.
pub(crate) struct Mac {
    pub(crate) rig: Rig,
    pub(crate) sshd: Sshd,
    programs: Programs,
    folder: TempDir,
}

/// A Mac with these variables of the spoke besides the usual ones; later ones win.
pub(crate) async fn with(more: &[(&str, &str)]) -> Mac {
    of(shims(), more).await
}

/// A Mac whose programs are these.
pub(crate) async fn of(programs: Programs, more: &[(&str, &str)]) -> Mac {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().canonicalize().unwrap().join("work");
    std::fs::create_dir(&work).unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.path().display());
    let sshd = Sshd::start_with(&[
        format!("SetEnv PATH={path}"),
        "Subsystem sftp internal-sftp".into(),
    ]);
    let text = |path: PathBuf| path.display().to_string();
    let (port, user) = (sshd.port.to_string(), Sshd::user());
    let (key, known) = (text(sshd.key()), text(sshd.known_hosts(HOST)));
    let work = text(work);
    let mut variables = vec![
        ("SSH_HOSTS", HOST),
        ("SSH_PORT", &port),
        ("SSH_USER", &user),
        ("SSH_KEY_SECRET_PATH", &key),
        ("SSH_KNOWN_HOSTS_PATH", &known),
        ("ALLOWED_READ_PATHS", &work),
        ("ALLOWED_WRITE_PATHS", &work),
    ];
    variables.extend_from_slice(more);
    let rig = Rig::start(&SERVICE, &variables).await;
    Mac {
        rig,
        sshd,
        programs,
        folder,
    }
}

/// The programs of a Mac. `osascript` and `open` keep a record.
pub(crate) fn shims() -> Programs {
    let programs = Programs::new();
    let record = programs.file("record").display().to_string();
    let report = r#"{"SPApplicationsDataType": [
        {"_name": "Safari", "path": "/Applications/Safari.app", "version": "17.5", "obtained_from": "apple"},
        {"_name": "Notes", "path": "/System/Applications/Notes.app"}]}"#;
    programs
        .with(
            "uname",
            "case \"$1\" in -s) echo Darwin;; -mn) echo mini.local arm64;; *) exit 1;; esac",
        )
        .with(
            "sw_vers",
            "printf 'ProductName:\\t\\tmacOS\\nProductVersion:\\t\\t14.5\\nBuildVersion:\\t\\t23F79\\n'",
        )
        .with(
            "system_profiler",
            &format!("[ \"$*\" = '-json SPApplicationsDataType' ] || exit 64\ncat <<'END'\n{report}\nEND"),
        )
        .with(
            "open",
            &format!(
                "echo \"open $*\" >> {record}\n[ \"$1\" = -a ] && [ $# = 2 ] || exit 64\n\
                 [ \"$2\" = Nowhere ] && {{ echo \"Unable to find application named 'Nowhere'\" >&2; exit 1; }}\n\
                 exit 0"
            ),
        )
        .with(
            "osascript",
            &format!(
                "echo \"osascript $*\" >> {record}\nscript=$(cat)\nprintf '%s\\n' \"$script\" >> {record}\n\
                 case \"$script\" in *fail*) echo 'execution error: no (-2700)' >&2; exit 1;; esac\n\
                 case \"$script\" in *wait*) exec sleep 31710;; esac\necho the value"
            ),
        )
}

impl Mac {
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        self.rig.call(tool, arguments).await
    }

    pub(crate) async fn approved(
        &mut self,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, ToolError> {
        self.rig.approved(tool, arguments, Effect::Mutate).await
    }

    /// The answer of a call that needs nobody; the server's log when there is none.
    pub(crate) async fn answer(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.rig.call(tool, arguments).await;
        answer.unwrap_or_else(|error| panic!("{tool}: {error}\n{}", self.sshd.log()))
    }

    /// What its programs recorded.
    pub(crate) fn record(&self) -> String {
        std::fs::read_to_string(self.programs.file("record")).unwrap_or_default()
    }

    /// A path in the folder that may be read and written.
    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.outside("work").join(name)
    }

    /// The same as text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.work(name).display().to_string()
    }

    /// A path beside that folder.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }
}

/// The backups of a file, by name.
pub(crate) fn backups(file: &Path) -> Vec<PathBuf> {
    let name = file.file_name().unwrap().to_str().unwrap();
    let entries = std::fs::read_dir(file.parent().unwrap()).unwrap().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| {
        let other = path.file_name().unwrap().to_string_lossy();
        other.starts_with(&format!("{name}.BAK_"))
    });
    found.sort();
    found
}
