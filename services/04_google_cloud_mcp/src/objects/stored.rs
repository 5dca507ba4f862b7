//! Objects as Cloud Storage has them.

use jiff::Timestamp;
use serde::Deserialize;

/// An object of Cloud Storage. Source: discovery document of storage v1, `Object`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stored {
    pub(super) name: String,
    #[serde(default)]
    pub(super) size: String,
    #[serde(default)]
    pub(super) content_type: String,
    #[serde(default)]
    pub(super) generation: String,
    pub(super) updated: Timestamp,
    #[serde(default)]
    pub(super) event_based_hold: bool,
    #[serde(default)]
    pub(super) temporary_hold: bool,
    #[serde(default)]
    pub(super) retention_expiration_time: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    #[serde(default)]
    pub(super) items: Vec<Stored>,
    #[serde(default)]
    pub(super) prefixes: Vec<String>,
    #[serde(default)]
    pub(super) next_page_token: Option<String>,
}
