//! The rules of the house that no compiler checks, as tests over the files of the tree.
//!
//! Each rule is a function from text to complaints, tried on a planted bad example beside it; here it
//! meets the real tree. Leaves out what clippy and rustfmt already say, and everything that needs a
//! running process.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken tree should stop the test with a message"
)]

mod tokens;
mod tree;

mod compose;
mod documents;
mod manifests;
mod modules;
mod settings;
mod shape;
mod words;

use tree::Tree;

/// Fails with every complaint, one per line.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn hub_modules_use_only_those_above_them() {
    let tree = Tree::read();
    none(&tree.each_rust("orchestrator/src/", modules::complaints));
}

#[test]
fn every_hub_module_has_its_place_in_the_table() {
    none(&modules::unlisted(&Tree::read()));
}

#[test]
fn the_map_of_the_hub_is_the_table() {
    none(&modules::misdrawn(&Tree::read()));
}

#[test]
fn crates_known_to_one_module_stay_there() {
    none(&Tree::read().each_rust("", modules::strangers));
}

#[test]
fn files_and_functions_are_short_and_explained() {
    none(&Tree::read().each_rust("", shape::complaints));
}

#[test]
fn files_are_named_after_what_they_hold() {
    none(&shape::misnamed(&Tree::read()));
}

#[test]
fn no_forbidden_word_is_in_the_tree() {
    none(&Tree::read().each("", words::complaints));
}

#[test]
fn manifests_inherit_lints_and_versions() {
    none(&manifests::complaints(&Tree::read()));
}

/// Acceptance: 40
#[test]
fn spokes_see_neither_the_hub_nor_each_other_nor_routes() {
    let tree = Tree::read();
    none(&manifests::directions(&tree));
    none(&tree.each_rust("services/", modules::routes));
}

/// Acceptance: 8
#[test]
fn service_folders_follow_the_pattern() {
    none(&manifests::service_folders(&Tree::read()));
}

/// Acceptance: 25
#[test]
fn one_place_reads_the_environment_and_the_secrets() {
    none(&Tree::read().each_rust("", settings::readers));
}

/// Acceptance: 20
#[test]
fn every_variable_read_is_in_compose_or_the_example() {
    none(&settings::undocumented(&Tree::read()));
}

/// Acceptance: 18, 19, 22, 23, 24
#[test]
fn compose_keeps_to_the_rules_of_the_house() {
    none(&compose::complaints(
        Tree::read().text("docker-compose.yml"),
    ));
}

/// Acceptance: 10
#[test]
fn each_service_folder_has_its_container() {
    none(&compose::missing_containers(&Tree::read()));
}

#[test]
fn images_are_pinned() {
    none(&compose::unpinned(
        Tree::read().text("deploy/docker/Dockerfile"),
    ));
}

#[test]
fn links_between_documents_lead_somewhere() {
    none(&documents::dead_links(&Tree::read()));
}

#[test]
fn decision_records_have_their_four_parts() {
    none(&documents::decision_records(&Tree::read()));
}
