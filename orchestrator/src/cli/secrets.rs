//! `waygate secrets generate`: keys and tokens into the secrets folder, kept when present.

use super::{Context, Failure};
use crate::config;
use crate::keys::HubKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Subcommand;
use serde_json::json;
use shared::secret::{FileThenEnvironment, SecretProvider};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum SecretsCommand {
    /// Make what is missing: `secret_key`, `spoke_token`, `call_key` and `call_key.pub`.
    Generate,
    /// Print the secret that signs decisions of another system, derived from the secret key.
    Webhook,
}

pub(super) fn run(context: &Context, command: &SecretsCommand) -> Result<ExitCode, Failure> {
    match command {
        SecretsCommand::Generate => make(context),
        SecretsCommand::Webhook => webhook(context),
    }
}

fn make(context: &Context) -> Result<ExitCode, Failure> {
    let loaded = config::read(&context.environment, context.global.config.as_deref());
    // A fresh machine has no settings yet; the folder is all that is needed here.
    let paths = loaded
        .map(|loaded| loaded.config.paths)
        .map_err(|error| Failure::config(&error))?;
    let folder = paths.below_base(&paths.secrets);
    let made = generate(&folder)
        .map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))?;
    context
        .output
        .show(&json!({ "folder": folder, "made": made }), |_| {
            match made.as_slice() {
                [] => "nothing to make; every secret is there".into(),
                names => format!("made {} in {}", names.join(", "), folder.display()),
            }
        });
    Ok(ExitCode::SUCCESS)
}

fn webhook(context: &Context) -> Result<ExitCode, Failure> {
    let secrets = FileThenEnvironment::new(context.environment.clone());
    let installation = secrets
        .require("SECRET_KEY")
        .map_err(|error| Failure::config(&error))?;
    let secret = crate::keys::webhook_secret(&installation);
    context
        .output
        .show(&json!({ "secret": secret.expose() }), |_| {
            secret.expose().to_owned()
        });
    Ok(ExitCode::SUCCESS)
}

/// Makes what is missing and names it. Files are for the owner only.
pub(super) fn generate(folder: &Path) -> std::io::Result<Vec<&'static str>> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    let mut made = Vec::new();
    for name in ["secret_key", "spoke_token"] {
        if !folder.join(name).exists() {
            let bytes: [u8; 32] = rand::random();
            write_private(&folder.join(name), URL_SAFE_NO_PAD.encode(bytes).as_bytes())?;
            made.push(name);
        }
    }
    if !folder.join("call_key").exists() {
        let files = HubKey::generate_files().map_err(std::io::Error::other)?;
        write_private(&folder.join("call_key"), files.private_pem.as_bytes())?;
        write_private(&folder.join("call_key.pub"), files.public_pem.as_bytes())?;
        made.extend(["call_key", "call_key.pub"]);
    }
    Ok(made)
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Acceptance: 147
    #[test]
    fn secrets_are_long_private_and_made_once() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("secrets");
        assert_eq!(
            generate(&place).unwrap(),
            ["secret_key", "spoke_token", "call_key", "call_key.pub"]
        );
        let key = std::fs::read_to_string(place.join("secret_key")).unwrap();
        assert!(URL_SAFE_NO_PAD.decode(key.trim()).unwrap().len() >= 32);
        for name in ["secret_key", "spoke_token", "call_key"] {
            let mode = std::fs::metadata(place.join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(generate(&place).unwrap(), Vec::<&str>::new());
        assert_eq!(
            std::fs::read_to_string(place.join("secret_key")).unwrap(),
            key
        );
    }
}
