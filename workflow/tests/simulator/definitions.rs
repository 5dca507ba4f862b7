//! The definitions the simulator runs, each with the script of its world.

use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use workflow::dsl::NoCatalogue;
use workflow::dsl::model::Definition;
use workflow::expression::Expressions;
use workflow::simulator::{Report, Script, Simulation, Violation};

/// One definition and its world.
pub(crate) struct Case {
    pub(crate) name: String,
    definition: Arc<Definition>,
    expressions: Arc<Expressions>,
    pub(crate) script: Script,
}

impl Case {
    /// Runs it once.
    pub(crate) fn run(&self, seed: u64, crashes: &[u32]) -> Result<Report, Violation> {
        Simulation::new(
            &self.definition,
            &self.expressions,
            &self.script,
            seed,
            crashes,
        )
        .finish()
    }

    /// From the text of a document.
    pub(crate) fn read(name: &str, text: &str, expressions: &Arc<Expressions>) -> Self {
        let definition = Definition::read_with(text, &NoCatalogue, expressions);
        let definition = definition.unwrap_or_else(|wrong| panic!("{name}: {wrong:?}\n{text}"));
        let script = Script::of(&definition);
        let definition = Arc::new(definition);
        Self {
            name: name.to_owned(),
            definition,
            expressions: expressions.clone(),
            script,
        }
    }
}

/// All of them, by name.
pub(crate) fn all() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulator/definitions");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let expressions = Arc::new(Expressions::default());
    let read = |file: &std::path::PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy();
        Case::read(&name, &std::fs::read_to_string(file).unwrap(), &expressions)
    };
    files.iter().map(read).collect()
}

#[test]
fn every_definition_ends_as_its_script_expects() {
    let mut wrong = Vec::new();
    for case in all() {
        let ending = match case.run(1, &[]) {
            Ok(report) => report.ending,
            Err(violation) => Value::from(violation.0),
        };
        let fits = match &case.script.expect {
            Some(expected) => ending == *expected,
            None => ending.pointer("/faulted/type").is_some(),
        };
        if !fits {
            wrong.push(format!("{}: {ending}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
