//! Who may have which secret, and how: as a reference or as a value.
//!
//! The rules are a file of the operator's. The first that fits decides; when none fits, the answer is
//! no. Names are the full ones of `name`, so that no default of a tool leads around a rule.

mod pattern;

use crate::name::SecretName;
use pattern::Pattern;
use serde::Deserialize;

/// Largest file, in bytes.
pub(crate) const MAX_BYTES: u64 = 1024 * 1024;
/// Most rules; each read looks at all of them at worst.
const MAX_RULES: usize = 1000;

/// The rules, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    principal: Option<Pattern>,
    service: Option<String>,
    name: Pattern,
    mode: Mode,
}

/// What one may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// A reference these services open; empty: all of them.
    Handle(Vec<String>),
    /// The value, and a reference for all services.
    Reveal,
    /// Nothing.
    Denied,
}

/// Rules that cannot be used. The operator's own words are repeated, names of secrets among them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    /// Not of the form.
    #[error("the file named by SECRETS_RULES_PATH cannot be understood: {0}")]
    Form(#[source] serde_yaml_ng::Error),
    /// Well-formed, but against a rule.
    #[error("rule {0} of the file named by SECRETS_RULES_PATH {1}")]
    Rule(usize, &'static str),
    /// Too many.
    #[error("the file named by SECRETS_RULES_PATH has more than {MAX_RULES} rules")]
    Many,
    /// The file is away or may not be read.
    #[error("the file named by SECRETS_RULES_PATH cannot be read")]
    Unreadable(#[source] std::io::Error),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    principal: Option<String>,
    service: Option<String>,
    name: String,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Handle,
    Reveal,
    Deny,
}

impl Rules {
    /// Reads the text of a file.
    pub(crate) fn parse(text: &str) -> Result<Self, RulesError> {
        let file: File = serde_yaml_ng::from_str(text).map_err(RulesError::Form)?;
        if file.rules.len() > MAX_RULES {
            return Err(RulesError::Many);
        }
        let rules = (1..).zip(file.rules).map(|(number, written)| {
            rule(written).map_err(|problem| RulesError::Rule(number, problem))
        });
        Ok(Self(rules.collect::<Result<_, _>>()?))
    }

    /// What the first rule that fits says. A rule for a service is about references that service
    /// opens; rules of one name and several services add up.
    pub(crate) fn decide(&self, principal: &str, name: &SecretName) -> Decision {
        let name = name.to_string();
        let fits = |rule: &&Rule| {
            let theirs = rule
                .principal
                .as_ref()
                .is_none_or(|it| it.matches(principal));
            theirs && rule.name.matches(&name)
        };
        let mut services = Vec::new();
        for rule in self.0.iter().filter(fits) {
            match (rule.mode, &rule.service) {
                (Mode::Handle, Some(service)) => services.push(service.clone()),
                // The first rule that fits was about services: what is said later adds services only.
                _ if !services.is_empty() => {}
                (Mode::Handle, None) => return Decision::Handle(Vec::new()),
                (Mode::Reveal, _) => return Decision::Reveal,
                (Mode::Deny, _) => return Decision::Denied,
            }
        }
        match services.is_empty() {
            true => Decision::Denied,
            false => Decision::Handle(services),
        }
    }
}

fn rule(written: Written) -> Result<Rule, &'static str> {
    if written.principal.is_none() && written.service.is_none() {
        return Err("names neither a principal nor a service");
    }
    if written.service.is_some() && written.mode != Mode::Handle {
        return Err("is for a service, which takes references: its mode can only be handle");
    }
    let service_fits = |name: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        !name.is_empty() && name.len() <= 64 && name.bytes().all(plain)
    };
    if !written.service.as_deref().is_none_or(service_fits) {
        return Err("names a service that is none, such as 03_azure_mcp");
    }
    let principal = written.principal.as_deref().map(Pattern::parse);
    Ok(Rule {
        principal: principal.transpose()?,
        service: written.service,
        name: Pattern::parse(&written.name)?,
        mode: written.mode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
rules:
  - {principal: 'key:ops*', name: 'vault-secret/prod/**', mode: deny}
  - {principal: 'key:ops*', name: 'vault-**', mode: reveal}
  - {principal: 'key:app', name: 'env-*', mode: handle}
  - {service: 03_azure_mcp, name: 'azurekv-**', mode: handle}
  - {service: 08_k8s_mcp, name: 'azurekv-**', mode: handle}
";

    #[track_caller]
    fn check(principal: &str, name: &SecretName, expected: &Decision) {
        let rules = Rules::parse(FILE).unwrap();
        assert_eq!(&rules.decide(principal, name), expected);
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_none_means_no() {
        let vault = |path: &str| SecretName::vault("secret", path, "value").unwrap();
        let env = SecretName::environment("DB").unwrap();
        let azure = SecretName::azure("acme.vault.azure.net", "db").unwrap();
        check("key:ops1", &vault("prod/db"), &Decision::Denied);
        check("key:ops1", &vault("test/db"), &Decision::Reveal);
        check("key:app", &vault("test/db"), &Decision::Denied);
        check("key:app", &env, &Decision::Handle(Vec::new()));
        check("key:other", &env, &Decision::Denied);
        let services = ["03_azure_mcp", "08_k8s_mcp"].map(str::to_owned).to_vec();
        check("anybody", &azure, &Decision::Handle(services));
        assert_eq!(
            Rules::default().decide("key:ops1", &env),
            Decision::Denied,
            "no file"
        );
    }

    #[test]
    fn a_bad_rule_is_named_by_number() {
        for (text, expected) in [
            ("rules: [{name: a, mode: handle}]", "rule 1 of"),
            (
                "rules: [{principal: a, service: b_c, name: a, mode: reveal}]",
                "can only be handle",
            ),
            (
                "rules: [{principal: a, name: a, mode: show}]",
                "cannot be understood",
            ),
            ("rules: [{principal: a, name: '', mode: deny}]", "is empty"),
            ("rule: []", "cannot be understood"),
        ] {
            let error = Rules::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
