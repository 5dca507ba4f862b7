//! `secrets.azurekv.getSecret` and `secrets.gcpsm.getSecret`.

use crate::reading::{Given, Reading};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `secrets.azurekv.getSecret`.
pub(crate) struct GetAzureSecret(pub(crate) Arc<Reading>);

/// `secrets.gcpsm.getSecret`.
pub(crate) struct GetGoogleSecret(pub(crate) Arc<Reading>);

/// Arguments of `secrets.azurekv.getSecret`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AzureArguments {
    /// Name of the secret: letters, digits, dashes.
    #[serde(rename = "secretName")]
    #[schemars(length(min = 1, max = 127), extend("examples" = ["db-password"]))]
    secret_name: String,
    /// Another vault than the configured one, such as `https://acme.vault.azure.net`.
    #[serde(default, rename = "vaultUrl")]
    #[schemars(length(min = 1, max = 200))]
    vault_url: Option<String>,
    /// Version; the newest when left out.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    version: Option<String>,
}

/// Arguments of `secrets.gcpsm.getSecret`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoogleArguments {
    /// Name of the secret: letters, digits, dashes, underscores.
    #[serde(rename = "secretName")]
    #[schemars(length(min = 1, max = 255), extend("examples" = ["db-password"]))]
    secret_name: String,
    /// Another project than the configured one.
    #[serde(default, rename = "projectId")]
    #[schemars(length(min = 1, max = 100))]
    project_id: Option<String>,
    /// Number or alias of a version.
    #[serde(default = "latest")]
    #[schemars(length(min = 1, max = 63))]
    version: String,
}

fn latest() -> String {
    "latest".into()
}

/// Result of both.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Versioned {
    /// Reference, `secretref://…`: give it to a tool where that takes a secret. Works for the caller
    /// it was given to, until it expires.
    #[serde(rename = "ref")]
    reference: String,
    /// The secret itself; absent unless a rule lets the caller see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Version that was read.
    version: String,
    /// When the reference expires: RFC 3339, UTC.
    expires_at: String,
}

impl From<Given> for Versioned {
    fn from(given: Given) -> Self {
        Self {
            reference: given.reference,
            value: given.value,
            version: given.version.unwrap_or_default(),
            expires_at: given.expires_at,
        }
    }
}

#[async_trait]
impl TypedTool for GetAzureSecret {
    type Arguments = AzureArguments;
    type Output = Versioned;

    fn spec(&self) -> Spec {
        Spec::new(
            "secrets.azurekv.getSecret",
            Effect::Read,
            "Get a reference to a secret of Azure Key Vault, to be handed to another tool; the \
             value itself only where a rule allows that.",
        )
        .open_world()
        .sensitive()
        .live()
    }

    async fn run(&self, arguments: AzureArguments, call: &Call) -> Result<Versioned, ToolError> {
        let url = arguments.vault_url.as_deref();
        let name = self.0.stores.azure_name(&arguments.secret_name, url)?;
        let given = self.0.read(call, &name, arguments.version.as_deref());
        Ok(given.await?.into())
    }
}

#[async_trait]
impl TypedTool for GetGoogleSecret {
    type Arguments = GoogleArguments;
    type Output = Versioned;

    fn spec(&self) -> Spec {
        Spec::new(
            "secrets.gcpsm.getSecret",
            Effect::Read,
            "Get a reference to a secret of Google Secret Manager, to be handed to another tool; \
             the value itself only where a rule allows that.",
        )
        .open_world()
        .sensitive()
        .live()
    }

    async fn run(&self, arguments: GoogleArguments, call: &Call) -> Result<Versioned, ToolError> {
        let project = arguments.project_id.as_deref();
        let name = self.0.stores.google_name(&arguments.secret_name, project)?;
        let given = self.0.read(call, &name, Some(&arguments.version));
        Ok(given.await?.into())
    }
}
