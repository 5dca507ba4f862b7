//! The official artefacts, found through `WAYGATE_CORPORA`.

use jsonschema::Validator;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the standard.
pub(crate) struct Corpus {
    root: PathBuf,
    schema: Validator,
}

impl Corpus {
    /// Opens it, or says what is missing.
    pub(crate) fn open() -> Self {
        let root = root().join("serverless-workflow");
        let path = root.join("schema/workflow.yaml");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!(
                "the corpus of the workflow standard is missing: {}: {error}; set WAYGATE_CORPORA",
                path.display()
            )
        });
        let schema: Value = serde_yaml_ng::from_str(&text).unwrap();
        let schema = jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap();
        Self { root, schema }
    }

    /// Whether the official schema accepts a document.
    pub(crate) fn accepts(&self, document: &Value) -> bool {
        self.schema.is_valid(document)
    }

    /// The specification's examples, by name.
    pub(crate) fn examples(&self) -> Vec<(String, String)> {
        texts(&self.root.join("examples"), "yaml")
    }

    /// The conformance features, by name.
    pub(crate) fn features(&self) -> Vec<(String, String)> {
        texts(&self.root.join("ctk/features"), "feature")
    }
}

/// The definitions in a feature: the first block after "a workflow with definition".
pub(crate) fn documents_of(feature: &str) -> Vec<String> {
    let mut documents = Vec::new();
    for part in feature.split("a workflow with definition:").skip(1) {
        let mut lines = part.lines().skip_while(|line| !line.contains("\"\"\""));
        let indent = lines
            .next()
            .map_or(0, |line| line.len() - line.trim_start().len());
        let block = lines.take_while(|line| !line.contains("\"\"\""));
        let block = block.map(|line| line.get(indent..).unwrap_or_default());
        documents.push(block.collect::<Vec<_>>().join("\n"));
    }
    documents
}

fn root() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    std::env::var_os("WAYGATE_CORPORA").map_or_else(default, PathBuf::from)
}

fn texts(folder: &Path, extension: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut texts: Vec<(String, String)> = entries
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    texts.sort();
    texts
}
