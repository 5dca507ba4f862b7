//! `secrets.keepass.getEntry`: one field of an entry of the `KeePass` database.

use crate::name::SecretName;
use crate::reading::{Given, Reading};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `secrets.keepass.getEntry`.
pub(crate) struct GetEntry(pub(crate) Arc<Reading>);

/// Arguments of `secrets.keepass.getEntry`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryArguments {
    /// Groups below the root and the title, with / between them; letters count.
    #[serde(rename = "entryPath")]
    #[schemars(length(min = 1, max = 512), extend("examples" = ["Web/Mail"]))]
    entry_path: String,
    /// password, username, notes, url, or the name of a field of your own.
    #[serde(default = "password")]
    #[schemars(length(min = 1, max = 512))]
    field: String,
}

fn password() -> String {
    "password".into()
}

#[async_trait]
impl TypedTool for GetEntry {
    type Arguments = EntryArguments;
    type Output = Given;

    fn spec(&self) -> Spec {
        Spec::new(
            "secrets.keepass.getEntry",
            Effect::Read,
            "Get a reference to one field of an entry of the KeePass database, to be handed to \
             another tool; the value itself only where a rule allows that.",
        )
        .aliases(&["secrets.keepass.getPassword"])
        .sensitive()
        .live()
    }

    async fn run(&self, arguments: EntryArguments, call: &Call) -> Result<Given, ToolError> {
        let name = SecretName::keepass(&arguments.entry_path, &arguments.field)?;
        self.0.read(call, &name, None).await
    }
}
