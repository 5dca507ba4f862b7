//! The files of the project as text, read once per test.
//!
//! Leaves out what is not ours or not source: build output, data, secrets, installed packages.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders never entered, by name at any depth.
const SKIPPED: &[&str] = &[
    ".git",
    "target",
    "data",
    "logs",
    "node_modules",
    "__pycache__",
    ".venv",
    "snapshots",
];

/// One file: its path from the root with `/`, and its text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every text file of the project, in order of path.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads the tree this test was built in.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("tests/ lies in the root");
        let mut paths = Vec::new();
        collect(root, &mut paths);
        paths.sort();
        let files = paths.iter().filter_map(|path| {
            let text = fs::read_to_string(path).ok()?;
            let path = path.strip_prefix(root).expect("found beneath the root");
            Some(File {
                path: path.to_str()?.to_owned(),
                text,
            })
        });
        Self {
            files: files.collect(),
        }
    }

    /// The text of one file; a missing one stops the test with its name.
    pub(crate) fn text(&self, path: &str) -> &str {
        let file = self.files.iter().find(|file| file.path == path);
        &file.unwrap_or_else(|| panic!("{path} is missing")).text
    }

    /// Whether a file or a folder of that path is there.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files
            .iter()
            .any(|file| file.path == path || file.path.starts_with(&folder))
    }

    /// What a rule says about each file beneath a folder.
    pub(crate) fn each(&self, under: &str, rule: fn(&str, &str) -> Vec<String>) -> Vec<String> {
        let files = self
            .files
            .iter()
            .filter(|file| file.path.starts_with(under));
        files
            .flat_map(|file| rule(&file.path, &file.text))
            .collect()
    }

    /// The same for Rust files only.
    pub(crate) fn each_rust(
        &self,
        under: &str,
        rule: fn(&str, &str) -> Vec<String>,
    ) -> Vec<String> {
        let files = self.rust().filter(|file| file.path.starts_with(under));
        files
            .flat_map(|file| rule(&file.path, &file.text))
            .collect()
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    for entry in entries {
        let entry = entry.expect("the entry can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().expect("the entry has a type");
        let secret = folder.ends_with("secrets") && name != "README.md";
        if SKIPPED.contains(&name.as_str()) || name == ".env" || secret {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), paths);
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
}
