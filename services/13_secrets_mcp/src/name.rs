//! Full names of secrets: which store, where in it, which field.
//!
//! Rules are held against these names, so every way to ask for one secret has to end in one name:
//! nothing is left to a default, letters are compared as the store compares them, and what could lead
//! elsewhere (`..`, empty parts) is refused.

use shared::tool::ToolError;
use std::fmt;

/// Longest path or name, in bytes.
const MAX_BYTES: usize = 512;

/// The full name of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretName {
    /// Path of groups and title, and a field.
    KeePass { entry: String, field: String },
    /// Host of the vault and name, in lower case.
    Azure { host: String, name: String },
    /// Project and name.
    Google { project: String, name: String },
    /// Mount, path and field.
    Vault {
        mount: String,
        path: String,
        field: String,
    },
    /// Name of the variable.
    Environment { name: String },
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.store();
        match self {
            Self::KeePass { entry, field } => write!(f, "{word}-{entry}#{field}"),
            Self::Azure { host, name } => write!(f, "{word}-{host}/{name}"),
            Self::Google { project, name } => write!(f, "{word}-{project}/{name}"),
            Self::Vault { mount, path, field } => write!(f, "{word}-{mount}/{path}#{field}"),
            Self::Environment { name } => write!(f, "{word}-{name}"),
        }
    }
}

impl SecretName {
    /// The word before the name.
    pub(crate) const fn store(&self) -> &'static str {
        match self {
            Self::KeePass { .. } => "keepass",
            Self::Azure { .. } => "azurekv",
            Self::Google { .. } => "gcpsm",
            Self::Vault { .. } => "vault",
            Self::Environment { .. } => "env",
        }
    }

    /// `groups/title` and the field; the standard ones by their words.
    pub(crate) fn keepass(entry: &str, field: &str) -> Result<Self, ToolError> {
        let standard = ["password", "username", "notes", "url", "title"];
        let lower = field.to_ascii_lowercase();
        let field = match standard.contains(&lower.as_str()) {
            true => lower,
            false => checked_field(field)?,
        };
        let entry = path("entryPath", entry)?;
        Ok(Self::KeePass { entry, field })
    }

    /// Host of a vault and a name of letters, digits and dashes.
    pub(crate) fn azure(host: &str, name: &str) -> Result<Self, ToolError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if name.is_empty() || name.len() > 127 || !name.bytes().all(plain) {
            let rule = "is not 1 to 127 letters, digits and dashes";
            return Err(ToolError::invalid("secretName", rule));
        }
        Ok(Self::Azure {
            host: host.to_ascii_lowercase(),
            name: name.to_ascii_lowercase(),
        })
    }

    /// Id of a project and a name of letters, digits, dashes and underscores.
    pub(crate) fn google(project: &str, name: &str) -> Result<Self, ToolError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
            let rule = "is not 1 to 255 letters, digits, dashes and underscores";
            return Err(ToolError::invalid("secretName", rule));
        }
        let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let ours = |b: u8| lower(b) || matches!(b, b'-' | b'.' | b':');
        let begins = project.as_bytes().first().copied().is_some_and(lower);
        if !begins || project.len() > 100 || !project.bytes().all(ours) {
            return Err(ToolError::invalid("projectId", "is no id of a project"));
        }
        Ok(Self::Google {
            project: project.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Mount (one part, so that nothing of it can be taken for the path), path and field.
    pub(crate) fn vault(mount: &str, at: &str, field: &str) -> Result<Self, ToolError> {
        let mount = path("mount", mount)?;
        if mount.contains('/') {
            return Err(ToolError::invalid("mount", "has more than one part"));
        }
        Ok(Self::Vault {
            mount,
            path: path("path", at)?,
            field: checked_field(field)?,
        })
    }

    /// Name of a variable.
    pub(crate) fn environment(name: &str) -> Result<Self, ToolError> {
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty() || name.len() > 128 || !name.bytes().all(plain) {
            let rule = "is not 1 to 128 capitals, digits and underscores";
            return Err(ToolError::invalid("secretName", rule));
        }
        Ok(Self::Environment { name: name.into() })
    }
}

/// Parts joined by `/`; one `/` at either end is left out.
fn path(argument: &str, text: &str) -> Result<String, ToolError> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.len() > MAX_BYTES {
        return Err(ToolError::invalid(argument, "is longer than 512 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(ToolError::invalid(argument, "holds control characters"));
    }
    if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(ToolError::invalid(
            argument,
            "has a part that is empty, . or ..",
        ));
    }
    Ok(text.to_owned())
}

/// A field has no `#`, so that the last one in a full name begins the field.
fn checked_field(text: &str) -> Result<String, ToolError> {
    let odd = |c: char| c.is_control() || c == '#';
    match text.is_empty() || text.len() > MAX_BYTES || text.contains(odd) {
        true => Err(ToolError::invalid("field", "is no name of a field")),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_has_one_name() {
        let text = |name: Result<SecretName, ToolError>| name.unwrap().to_string();
        assert_eq!(
            text(SecretName::keepass("/Web/Mail", "Password")),
            "keepass-Web/Mail#password"
        );
        assert_eq!(
            text(SecretName::keepass("Web/Mail", "API Key")),
            "keepass-Web/Mail#API Key"
        );
        assert_eq!(
            text(SecretName::azure("Acme.Vault.Azure.net", "Db-Pass")),
            "azurekv-acme.vault.azure.net/db-pass"
        );
        assert_eq!(
            text(SecretName::google("acme-1", "Db_1")),
            "gcpsm-acme-1/Db_1"
        );
        assert_eq!(
            text(SecretName::vault("secret/", "app/db", "value")),
            "vault-secret/app/db#value"
        );
        assert_eq!(text(SecretName::environment("DB_1")), "env-DB_1");
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for name in [
            SecretName::keepass("a/../b", "password"),
            SecretName::keepass("a", "x#password"),
            SecretName::keepass("a\nb", "password"),
            SecretName::azure("h", "a/b"),
            SecretName::azure("h", "a?x"),
            SecretName::google("p", "a/versions/1"),
            SecretName::google("p/secrets/x", "a"),
            SecretName::google("../p", "a"),
            SecretName::vault("secret/data", "a", "value"),
            SecretName::vault("secret", "a//b", "value"),
            SecretName::vault("secret", "../sys/x", "value"),
            SecretName::vault("", "a", "value"),
            SecretName::environment("PATH=x"),
            SecretName::environment("path"),
        ] {
            assert!(name.unwrap_err().did_not_run);
        }
    }
}
