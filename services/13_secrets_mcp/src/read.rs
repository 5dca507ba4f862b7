//! `secrets.getSecret`: any store, by the prefix of the name.

use crate::name::SecretName;
use crate::reading::{Given, Reading};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Mount and field of a Vault secret that is named by its path only.
const VAULT_DEFAULTS: (&str, &str) = ("secret", "value");
/// Field of a `KeePass` entry that is named by its path only.
const KEEPASS_DEFAULT: &str = "password";

/// `secrets.getSecret`.
pub(crate) struct GetSecret(pub(crate) Arc<Reading>);

/// Arguments of `secrets.getSecret`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretArguments {
    /// Store and name: keepass-<groups/title>, azurekv-<name>, gcpsm-<name>, vault-<path>, env-<NAME>.
    /// A `KeePass` or Vault name may end in #<field>; without it the field is password or value.
    #[serde(rename = "secretName")]
    #[schemars(length(min = 1, max = 1100), extend("examples" = ["vault-app/db#password", "keepass-Web/Mail", "env-DB_PASSWORD"]))]
    secret_name: String,
    /// Version, for azurekv, gcpsm and vault; the newest when left out.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    version: Option<String>,
}

/// Result of `secrets.getSecret`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Secret {
    /// Reference, `secretref://…`: give it to a tool where that takes a secret. Works for the caller
    /// it was given to, until it expires.
    #[serde(rename = "ref")]
    reference: String,
    /// The secret itself; absent unless a rule lets the caller see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// The store: keepass, azurekv, gcpsm, vault or env.
    backend: &'static str,
    /// Version that was read; absent when the store keeps none.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// When the reference expires: RFC 3339, UTC.
    expires_at: String,
}

#[async_trait]
impl TypedTool for GetSecret {
    type Arguments = SecretArguments;
    type Output = Secret;

    fn spec(&self) -> Spec {
        Spec::new(
            "secrets.getSecret",
            Effect::Read,
            "Get a reference to a secret of any store, to be handed to another tool; the value \
             itself only where a rule allows that. Needs the permission secrets:read and a rule.",
        )
        .aliases(&["secrets.get"])
        .open_world()
        .sensitive()
        .live()
    }

    async fn run(&self, arguments: SecretArguments, call: &Call) -> Result<Secret, ToolError> {
        let name = parsed(&self.0, &arguments.secret_name)?;
        let given = self.0.read(call, &name, arguments.version.as_deref());
        let Given {
            reference,
            value,
            expires_at,
            version,
        } = given.await?;
        Ok(Secret {
            reference,
            value,
            backend: name.store(),
            version,
            expires_at,
        })
    }
}

fn parsed(reading: &Reading, text: &str) -> Result<SecretName, ToolError> {
    let named = |error: ToolError| match error.code {
        shared::error::Code::InvalidInput => ToolError::invalid("secretName", rule(&error)),
        _ => error,
    };
    let with_field = |rest: &str, default: &str| match rest.rsplit_once('#') {
        Some((path, field)) => (path.to_owned(), field.to_owned()),
        None => (rest.to_owned(), default.to_owned()),
    };
    let name = match text.split_once('-') {
        Some(("keepass", rest)) => {
            let (path, field) = with_field(rest, KEEPASS_DEFAULT);
            SecretName::keepass(&path, &field)
        }
        Some(("vault", rest)) => {
            let (mount, field) = VAULT_DEFAULTS;
            let (path, field) = with_field(rest, field);
            SecretName::vault(mount, &path, &field)
        }
        Some(("azurekv", rest)) => reading.stores.azure_name(rest, None),
        Some(("gcpsm", rest)) => reading.stores.google_name(rest, None),
        Some(("env", rest)) => SecretName::environment(rest),
        _ => Err(ToolError::invalid(
            "secretName",
            "does not begin with keepass-, azurekv-, gcpsm-, vault- or env-",
        )),
    };
    name.map_err(named)
}

/// What is wrong, without the name of a field this tool does not have.
fn rule(error: &ToolError) -> &str {
    error
        .message
        .split_once(": ")
        .map_or(error.message.as_str(), |(_, rule)| rule)
}
