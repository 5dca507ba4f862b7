//! A repository, and a stand-in for the aider program that writes down what it was asked.

use serde_json::Value;
use spoke_14_aider_mcp::SERVICE;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;
use tests::rig::Rig;

/// Notes its words and place beside itself, says something, and changes files as the message wants.
const SCRIPT: &str = r#"#!/bin/sh
printf '%s\n' "$@" > "$0.words"
pwd > "$0.place"
cat .env > "$0.dotenv" 2>/dev/null
for word in "$@"; do
  case "$word" in
    --message=*sleep*) echo "asleep"; sleep 60 ;;
    --message=*fail*) echo "half" >> note.txt; echo "no luck with $OPENAI_API_KEY" >&2; exit 3 ;;
    --message=*) echo "thinking"; echo "a line" >> note.txt; mkdir -p new; echo "fresh" > new/file.txt
      echo "x" > .aider.chat; echo "OPENAI_API_BASE=http://elsewhere" > .env ;;
  esac
done
echo "done"
"#;

/// The key the spoke gets.
pub(crate) const KEY: &str = "an-openai-key-0123456789";

/// Runs git in a folder.
#[expect(clippy::disallowed_methods, reason = "a helper of the test")]
pub(crate) fn git(folder: &Path, words: &[&str]) -> String {
    let output: Output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A repository with one commit, one change that is not committed, and one new file.
pub(crate) fn repository(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    git(folder, &["init", "--quiet"]);
    for (name, text) in [
        ("note.txt", "first\n"),
        ("other.txt", "other\n"),
        (".env", "A=b\n"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "-m", "one"]);
    std::fs::write(folder.join("note.txt"), "first\nmine\n").unwrap();
    std::fs::write(folder.join("untracked.txt"), "mine, too\n").unwrap();
}

/// The stand-in in a folder.
#[expect(clippy::disallowed_methods, reason = "a helper of the test")]
pub(crate) fn program(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let source = folder.join("source");
    std::fs::write(&source, SCRIPT).unwrap();
    // Copied by another process: a file this one still has open for writing could not be run.
    let copied = Command::new("install")
        .args(["-m", "755"])
        .args([&source, &folder.join("aider")])
        .status();
    assert!(copied.unwrap().success());
}

/// A spoke over a repository.
pub(crate) struct Desk {
    /// The spoke.
    pub(crate) rig: Rig,
    folder: TempDir,
}

impl Desk {
    /// With the stand-in, and `extra` settings.
    pub(crate) async fn start(extra: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        repository(&folder.path().join("repo"));
        program(&folder.path().join("programs"));
        let aider = folder.path().join("programs/aider").display().to_string();
        let repo = folder.path().join("repo").display().to_string();
        let mut settings = vec![
            ("REPO_PATH", repo.as_str()),
            ("AIDER_PATH", aider.as_str()),
            ("OPENAI_API_KEY", KEY),
        ];
        settings.retain(|(name, _)| extra.iter().all(|(other, _)| other != name));
        settings.extend(extra);
        settings.retain(|(_, value)| !value.is_empty());
        let rig = Rig::start(&SERVICE, &settings).await;
        Self { rig, folder }
    }

    /// The repository.
    pub(crate) fn repo(&self) -> std::path::PathBuf {
        self.folder.path().join("repo")
    }

    /// A file of the repository.
    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.repo().join(name)).unwrap()
    }

    /// What the stand-in noted: `words`, `place`, `dotenv`.
    pub(crate) fn noted(&self, what: &str) -> String {
        let path = self.folder.path().join(format!("programs/aider.{what}"));
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Whether a copy is still there.
    pub(crate) fn copies(&self) -> usize {
        std::fs::read_dir(self.rig.path("data/14_aider_mcp/copies"))
            .unwrap()
            .count()
    }
}

/// The strings of a list.
pub(crate) fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect()
}
