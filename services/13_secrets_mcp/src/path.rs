//! `secrets.vault.getSecret`: one field of a secret in `HashiCorp` Vault.

use crate::name::SecretName;
use crate::reading::Reading;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `secrets.vault.getSecret`.
pub(crate) struct GetVaultSecret(pub(crate) Arc<Reading>);

/// Arguments of `secrets.vault.getSecret`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultArguments {
    /// Path below the mount, without data/.
    #[schemars(length(min = 1, max = 512), extend("examples" = ["app/db"]))]
    path: String,
    /// Key within the secret.
    #[serde(default = "value")]
    #[schemars(length(min = 1, max = 512))]
    field: String,
    /// Where the KV engine is mounted.
    #[serde(default = "mount")]
    #[schemars(length(min = 1, max = 128))]
    mount: String,
    /// Version, from 1; the newest when left out. Version 1 of the engine keeps none.
    #[serde(default)]
    #[schemars(range(min = 1))]
    version: Option<u32>,
}

fn value() -> String {
    "value".into()
}

fn mount() -> String {
    "secret".into()
}

/// Result of `secrets.vault.getSecret`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VaultSecret {
    /// Reference, `secretref://…`: give it to a tool where that takes a secret. Works for the caller
    /// it was given to, until it expires.
    #[serde(rename = "ref")]
    reference: String,
    /// The secret itself; absent unless a rule lets the caller see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Version that was read; 0 when the engine keeps none.
    version: u64,
    /// When the reference expires: RFC 3339, UTC.
    expires_at: String,
}

#[async_trait]
impl TypedTool for GetVaultSecret {
    type Arguments = VaultArguments;
    type Output = VaultSecret;

    fn spec(&self) -> Spec {
        Spec::new(
            "secrets.vault.getSecret",
            Effect::Read,
            "Get a reference to one field of a secret in HashiCorp Vault (KV engine), to be handed \
             to another tool; the value itself only where a rule allows that.",
        )
        .open_world()
        .sensitive()
        .live()
    }

    async fn run(&self, arguments: VaultArguments, call: &Call) -> Result<VaultSecret, ToolError> {
        let name = SecretName::vault(&arguments.mount, &arguments.path, &arguments.field)?;
        let version = arguments.version.map(|number| number.to_string());
        let given = self.0.read(call, &name, version.as_deref()).await?;
        let version = given.version.as_deref().and_then(|text| text.parse().ok());
        Ok(VaultSecret {
            reference: given.reference,
            value: given.value,
            version: version.unwrap_or_default(),
            expires_at: given.expires_at,
        })
    }
}
