//! The store without its tools.

use super::change::Deleted;
use super::*;
use crate::document::Front;
use jiff::SignedDuration;
use shared::clock::{Clock, TestClock};
use std::time::Duration;
use tempfile::TempDir;

fn library() -> (TempDir, TestClock, Library) {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at("2026-01-02T03:04:05Z".parse().unwrap());
    let library = Library::new(folder.path().join("docs"), clock.shared()).unwrap();
    library.refresh().unwrap();
    (folder, clock, library)
}

fn created(library: &Library, title: &str, content: &str) -> Entry {
    let front = Front {
        title: title.into(),
        ..Front::default()
    };
    library
        .create(Category::Guides, front, content.into())
        .unwrap()
}

fn hits(library: &Library, query: &str) -> Vec<String> {
    let wanted = Wanted {
        query,
        category: None,
        tags: &[],
    };
    let matches = library.search(&wanted, 10).unwrap();
    matches.ids.into_iter().map(|(_, id)| id).collect()
}

#[test]
fn files_that_others_change_are_seen_and_their_old_text_is_kept() {
    let (folder, _, library) = library();
    let guides = folder.path().join("docs/guides/deep");
    std::fs::create_dir_all(&guides).unwrap();
    std::fs::write(guides.join("Set Up.md"), "# Setting up\nInstall the pump.").unwrap();
    std::fs::write(guides.join("broken.md"), "---\ntags: 5\n---\n").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", guides.join("link.md")).unwrap();
    library.refresh().unwrap();
    let entry = library.entry("set-up").unwrap();
    assert_eq!(
        (entry.doc.title.as_str(), entry.doc.version),
        ("Setting up", 1)
    );
    assert_eq!(
        library.figures().problems.len(),
        1,
        "{:?}",
        library.figures()
    );
    assert_eq!(hits(&library, "pumps"), ["set-up"]);
    let edit = |document: &mut Document, _: &mut Category| document.content = "Valves.".into();
    assert_eq!(
        library.change("set-up", Some(1), edit).unwrap().doc.version,
        2
    );
    let path = guides.join("Set Up.md");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("Valves", "Gauges")).unwrap();
    library.refresh().unwrap();
    assert_eq!(hits(&library, "gauge"), ["set-up"]);
    assert!(library.delete("set-up").unwrap().deleted);
    assert_eq!(library.versions("set-up").unwrap(), [1, 2, 3]);
    assert_eq!(library.version("set-up", 2).unwrap().content, "Valves.");
    assert_eq!(library.version("set-up", 3).unwrap().content, "Gauges.");
    assert!(hits(&library, "gauge").is_empty());
}

#[test]
fn a_deleted_document_comes_back_for_thirty_days() {
    let (_folder, clock, library) = library();
    let id = created(&library, "Pump", "one").doc.id;
    let gone = library.delete(&id).unwrap();
    assert_eq!(
        gone.until.duration_since(clock.now()),
        SignedDuration::from_hours(720)
    );
    clock.advance(Duration::from_secs(29 * 86_400));
    assert_eq!(
        library.delete(&id).unwrap(),
        Deleted {
            deleted: false,
            ..gone
        }
    );
    assert_eq!(
        created(&library, "Pump", "two").doc.id,
        "pump-2",
        "its id is not given away"
    );
    library.refresh().unwrap();
    let back = library.revert(&id, 1, ("ann", String::new())).unwrap();
    assert_eq!((back.doc.version, back.doc.author.as_str()), (2, "ann"));
    library.delete(&id).unwrap();
    clock.advance(Duration::from_secs(31 * 86_400));
    library.refresh().unwrap();
    assert_eq!(library.versions(&id).unwrap_err().code, Code::NotFound);
}

#[test]
fn a_change_of_nothing_makes_no_version_and_an_old_number_is_refused() {
    let (_folder, _, library) = library();
    let id = created(&library, "Pump", "one").doc.id;
    let same = library.change(&id, None, |_, _| {}).unwrap();
    assert_eq!(same.doc.version, 1);
    let moved = library.change(&id, None, |_, category| *category = Category::Api);
    assert_eq!(moved.unwrap().doc.path, "api/pump.md");
    let refused = library.change(&id, Some(1), |_, _| {}).unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    library.refresh().unwrap();
    assert_eq!(library.entries().len(), 1, "the old place is empty");
}
