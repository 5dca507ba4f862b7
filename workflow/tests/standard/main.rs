//! Our reader against the standard: the official schema, the specification's examples and the
//! documents of its conformance features.
//!
//! What a document does when it runs is tested elsewhere.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod corpus;
mod mutation;

use corpus::{Corpus, documents_of};
use serde_json::Value;
use workflow::dsl::NoCatalogue;
use workflow::dsl::model::Definition;
use workflow::expression::Expressions;

/// Reasons for which we refuse what the schema accepts: things the hub does not do.
const REFUSALS: &[&str] = &["unsupported", "process_refused"];

/// Acceptance: 67
#[test]
fn every_example_is_accepted_or_refused_for_a_reason() {
    let corpus = Corpus::open();
    let examples = corpus.examples();
    assert_eq!(examples.len(), 66);
    let mut refused = 0;
    for (name, text) in &examples {
        assert!(corpus.accepts(&value(text)), "{name}: the official schema");
        refused += check(name, text);
    }
    assert_eq!(refused, 21, "examples that are refused");
}

#[test]
fn every_document_of_the_conformance_features_is_accepted() {
    let corpus = Corpus::open();
    let mut count = 0;
    for (name, feature) in corpus.features() {
        for text in documents_of(&feature) {
            assert!(corpus.accepts(&value(&text)), "{name}: the official schema");
            assert_eq!(check(&name, &text), 0, "{name}");
            count += 1;
        }
    }
    assert_eq!(count, 21);
}

/// The value our reader sees is the one another YAML reader sees.
#[test]
fn texts_are_read_as_others_read_them() {
    for (name, text) in Corpus::open().examples() {
        if let Ok(definition) = Definition::read(&text, &NoCatalogue) {
            assert_eq!(*definition.json, value(&text), "{name}");
            let json = serde_json::to_string_pretty(&*definition.json).unwrap();
            let again = Definition::read(&json, &NoCatalogue).unwrap();
            assert_eq!(again.digest, definition.digest, "{name}");
        }
    }
}

/// Whatever the official schema refuses, we refuse: every example with one thing changed.
#[test]
fn what_the_schema_refuses_is_refused() {
    let corpus = Corpus::open();
    let expressions = Expressions::default();
    let (mut judged, mut wrong) = (0, 0);
    for (name, text) in corpus.examples() {
        for (change, document) in mutation::all(&value(&text)) {
            judged += 1;
            if corpus.accepts(&document) {
                continue;
            }
            wrong += 1;
            let text = document.to_string();
            let found = Definition::read_with(&text, &NoCatalogue, &expressions);
            assert!(found.is_err(), "{name}: {change}\n{text}");
        }
    }
    assert!(judged > 3000 && wrong > 1500, "{wrong} of {judged}");
}

/// 1 when a document is refused for a good reason, 0 when it is accepted.
fn check(name: &str, text: &str) -> usize {
    let Err(complaints) = Definition::read(text, &NoCatalogue) else {
        return 0;
    };
    for complaint in &complaints {
        assert!(REFUSALS.contains(&complaint.code), "{name}: {complaint}");
        assert!(complaint.line.is_some(), "{name}: {complaint}");
    }
    1
}

fn value(text: &str) -> Value {
    serde_yaml_ng::from_str(text).unwrap()
}
