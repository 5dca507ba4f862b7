//! `os.linux.cli.listDirectory`: what is in a folder beneath the allowed ones.

use crate::host::{self, Host};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::outcome::{Entry, Listing};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tool.
pub(crate) struct ListDirectory(pub(crate) Arc<Host>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Absolute path under `ALLOWED_READ_PATHS`.
    path: String,
    /// Folders below it, too, 32 deep.
    #[serde(default)]
    recursive: bool,
    /// Most entries returned.
    #[serde(default = "default_max")]
    #[schemars(range(min = 1, max = 1000))]
    max_entries: usize,
}

const fn default_max() -> usize {
    1000
}

#[async_trait]
impl TypedTool for ListDirectory {
    type Arguments = Arguments;
    type Output = Listing;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.cli.listDirectory",
            Effect::Read,
            "List a folder of this Linux host under ALLOWED_READ_PATHS: name, type, size, mode, owner \
             and time of change of each entry. Links are listed, not followed.",
        )
        .live()
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Listing, ToolError> {
        let Arguments {
            path,
            recursive,
            max_entries,
        } = arguments;
        let max = max_entries.clamp(1, 1000);
        let found = self
            .0
            .with_files(move |files| files.list(&path, recursive, max))
            .await?;
        let names = host::user_names();
        let entries = found.entries.iter().map(|entry| of(entry, &names));
        let path = found.path.to_string_lossy().into_owned();
        Ok(Listing::of(path, entries.collect(), found.truncated))
    }
}

fn of(entry: &shared::files::Entry, names: &BTreeMap<u32, String>) -> Entry {
    Entry {
        name: entry.name.clone(),
        path: entry.path.to_string_lossy().into_owned(),
        kind: entry.kind.as_str().into(),
        size_bytes: entry.size,
        mode: format!("{:04o}", entry.mode),
        owner: match names.get(&entry.uid) {
            Some(name) => name.clone(),
            None => entry.uid.to_string(),
        },
        modified_at: entry.modified_at.to_string(),
    }
}
